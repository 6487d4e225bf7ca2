"""A machine's profile: all that differs between a laptop, a test cluster and a supercomputer, in one YAML file.

Profiles are ``configs/machines/<name>.yaml``; a path ending in .yaml names a file of the user's own.
"""

import contextlib
import dataclasses
import difflib
import re
import typing
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hpc.hardware import Hardware, Link

ROOT = Path(__file__).resolve().parent.parent
SCHEDULERS = ("slurm", "none")
LAUNCHERS = ("srun", "mpiexec", "none")
WISHES = ("nodes", "tasks_per_node", "time", "at_once", "workers", "task_time")  # resources that options ask for
LEAST = {"nodes": 1, "gpus_per_node": 0, "cores_per_node": 1, "signal_seconds": 0, "restarts": 0, "timeout_seconds": 1}


class MachineError(ValueError):
    """A profile, or a wish of a machine, that cannot be used; the message names file and key."""


@dataclass(frozen=True)
class Resources:
    """What one verb's job asks for.

    Attributes:
        nodes: number of nodes.
        tasks_per_node: number of ranks of each node.
        time: limit, [days-]hours:minutes:seconds.
        partition: that the job uses; null: the machine's first.
        output_megabytes: expected size of what one job writes, where the verb's own --dry-run does not say.
        set: what every such job changes in its configuration, as texts KEY=VALUE, such as require.observations=500;
            ``--set`` of the command line wins.
        at_once: elements of an array that may run at the same time; null: as many as there are nodes.
        workers: tasks of a worklist that share a node, its GPUs and its cores, at the same time.
        task_time: limit of each task of a worklist, like ``time``; null: that of the job.
    """

    nodes: int = 1
    tasks_per_node: int = 1
    time: str = "01:00:00"
    partition: str | None = None
    output_megabytes: float = 0.0
    set: tuple[str, ...] = ()
    at_once: int | None = None
    workers: int = 1
    task_time: str | None = None

    @property
    def hours(self) -> float:
        """The time limit in hours."""
        return seconds_of(self.time) / 3600

    def __post_init__(self):
        for key in ("time", "task_time"):
            text = getattr(self, key)
            if text is None:
                continue
            if not re.fullmatch(r"(?:\d+-)?\d+:\d+:\d+", text):
                raise MachineError(f'{key}: expected "hours:minutes:seconds" in quotes, got {text!r}')
            if not seconds_of(text) > 0:
                raise MachineError(f"{key}: expected a limit above 0, which Slurm takes for none, got {text!r}")
        if self.nodes < 1 or self.tasks_per_node < 1:
            raise MachineError(f"expected at least 1 node and 1 task, got {self.nodes} and {self.tasks_per_node}")
        if self.workers < 1 or (self.at_once is not None and self.at_once < 1):
            raise MachineError(f"expected workers and at_once of at least 1, got {self.workers} and {self.at_once}")
        if self.workers > 1 and self.nodes > 1:
            raise MachineError(f"workers: they share one node, expected nodes: 1, got {self.nodes}")


def seconds_of(time: str) -> int:
    """A time limit, [days-]hours:minutes:seconds, in seconds; Slurm itself leaves leading parts out: 5:00."""
    days, _, clock = time.rpartition("-")
    hours, minutes, seconds = [0, 0, *(int(part) for part in clock.split(":"))][-3:]
    return ((24 * int(days or 0) + hours) * 60 + minutes) * 60 + seconds


@dataclass(frozen=True)
class Machine:
    """A machine.

    Attributes:
        name: of the profile; without it that of its file.
        scheduler: "slurm", or "none": jobs run here, one after another.
        launcher: what starts the ranks: "srun", "mpiexec", or "none" for one rank without MPI.
        mpi_plugin: of ``srun --mpi=``; must be one that the MPI library of mpi4py speaks (Open MPI 5: pmix).
        launcher_options: further arguments of srun or mpiexec.
        account: that is charged for the jobs; null where the site has none.
        partitions: that jobs may use, the usual one first.
        nodes: the most that one job may use.
        gpus_per_node: number of GPUs of a node; 0: none.
        cores_per_node: number of cores of a node, which its ranks share as threads.
        memory: per node, as of ``sbatch --mem``; "0" is all of it, and needed with exclusive nodes.
        exclusive: no other job on our nodes.
        signal_seconds: SIGUSR1 reaches the ranks so long before the time limit (a checkpoint must fit in); 0: never.
        timeout_seconds: a rank that waits so long for others, or makes no progress for so long, ends the job.
        restarts: how often a job may queue itself again.
        array_limit: the most elements of an array; null: what Slurm says (MaxArraySize).
        poll_seconds: between two questions to the controller.
        python: interpreter on the nodes; null: the one that submits.
        environment: shell lines that a job runs first, e.g. "module load cuda/12.4".
        variables: environment variables of a job.
        jobs: what each verb's job asks for, by verb.
        hardware: of the nodes, for `mlrtma plan`; null: unknown.
    """

    name: str
    scheduler: str = "slurm"
    launcher: str = "srun"
    mpi_plugin: str = "pmix"
    launcher_options: tuple[str, ...] = ()
    account: str | None = None
    partitions: tuple[str, ...] = ()
    nodes: int = 1
    gpus_per_node: int = 0
    cores_per_node: int = 1
    memory: str = "0"
    exclusive: bool = True
    signal_seconds: int = 120
    timeout_seconds: int = 1800
    restarts: int = 100
    array_limit: int | None = None
    poll_seconds: float = 60.0
    python: str | None = None
    environment: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Resources] = field(default_factory=dict)
    hardware: Hardware | None = None

    def __post_init__(self):
        for key, allowed in (("scheduler", SCHEDULERS), ("launcher", LAUNCHERS)):
            if getattr(self, key) not in allowed:
                raise MachineError(f"{key}: expected one of {', '.join(allowed)}, got {getattr(self, key)!r}")
        for key, least in LEAST.items():
            if getattr(self, key) < least:
                raise MachineError(f"{key}: expected {least} or more, got {getattr(self, key)}")
        if self.array_limit is not None and self.array_limit < 1:
            raise MachineError(f"array_limit: expected 1 or more, got {self.array_limit}")
        if not self.poll_seconds > 0.0:
            raise MachineError(f"poll_seconds: expected more than 0, got {self.poll_seconds:g}")
        if self.scheduler == "none" and self.launcher == "srun":
            raise MachineError("launcher: srun needs scheduler: slurm; use mpiexec or none")
        if self.exclusive and self.memory != "0":
            raise MachineError(f'memory: exclusive nodes need "0" (all of it), got {self.memory!r}')
        for verb in self.jobs:
            self.check(verb, self.jobs[verb])

    def resources(self, verb: str) -> Resources:
        """What a job of this verb asks for here.

        Raises:
            MachineError: the profile does not say.
        """
        if verb not in self.jobs:
            raise MachineError(f"{self.name}: no section jobs: {verb}:; there are {', '.join(self.jobs) or 'none'}")
        return self.jobs[verb]

    def check(self, verb: str, resources: Resources) -> None:
        """Refuse what this machine does not have.

        Raises:
            MachineError: too many nodes, ranks for the GPUs, or an unknown partition.
        """
        if resources.nodes > self.nodes:
            raise MachineError(
                f"jobs.{verb}.nodes: {self.name} lends at most {self.nodes} nodes, {resources.nodes} are asked for"
            )
        if self.gpus_per_node and resources.tasks_per_node > self.gpus_per_node:
            raise MachineError(
                f"jobs.{verb}.tasks_per_node: a rank has a GPU of its own; {self.name} has {self.gpus_per_node} "
                f"per node, {resources.tasks_per_node} ranks are asked for"
            )
        if resources.set and verb == "worklist":
            raise MachineError("jobs.worklist.set: expected none, as the tasks of a worklist are commands of their own")
        if resources.partition is not None and resources.partition not in self.partitions:
            raise MachineError(
                f"jobs.{verb}.partition: expected one of partitions: {', '.join(self.partitions) or 'none'},"
                f" got {resources.partition!r}"
            )


def folder() -> Path:
    """Where the shipped profiles are: in the checkout, or inside the installed package."""
    installed = ROOT / "mlrtma_dist" / "configs" / "machines"
    return installed if installed.is_dir() else ROOT / "configs" / "machines"


def load_machine(name: str, overrides: dict | None = None) -> Machine:
    """Read a profile.

    Args:
        name: a shipped name ("local") or the path of a YAML file.
        overrides: keys that replace those of the file; sections of ``jobs`` key by key.

    Raises:
        MachineError: no such profile; an unknown, missing or wrong key, with the nearest known one.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder() / f"{name}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in folder().glob("*.yaml")))
        raise MachineError(
            f"no machine {name!r}: shipped are {shipped}; a path ending in .yaml names a profile of your own"
        )
    try:
        # every word as it is written: `no` is no truth value where a name is meant, 010 no octal number
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise MachineError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise MachineError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise MachineError(f"{path}: expected a mapping of keys to values, got a {type(data).__name__}")
    for key, value in (overrides or {}).items():
        both = isinstance(data.get(key), dict) and isinstance(value, dict)
        data[key] = _merged(data[key], value) if both else value
    return _build(Machine, {"name": path.stem, **data}, str(path))


def _merged(below: dict, above: dict) -> dict:
    inner = {
        k: _merged(below[k], v) if isinstance(v, dict) and isinstance(below.get(k), dict) else v
        for k, v in above.items()
    }
    return {**below, **inner}


def _build(cls, data: dict, where: str):
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in hints:
            close = difflib.get_close_matches(str(key), hints, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise MachineError(f"{where}: unknown key {key!r}{hint}; known are {', '.join(hints)}")
    nothing = dataclasses.MISSING
    needed = [each.name for each in dataclasses.fields(cls) if each.default is each.default_factory is nothing]
    if missing := [key for key in needed if key not in data]:
        raise MachineError(f"{where}: expected the keys {', '.join(needed)}; missing: {', '.join(missing)}")
    try:
        return cls(**{key: _convert(hints[key], value, f"{where}: {key}") for key, value in data.items()})
    except ValueError as error:
        message = str(error)
        raise MachineError(message if message.startswith(where) else f"{where}: {message}") from error


KINDS = {
    str: "text",
    str | None: "text, or null",
    int: "a whole number in decimal digits",
    int | None: "a whole number in decimal digits, or null",
    float: "a number",
    float | None: "a number, or null",
    bool: "true or false",
    tuple[str, ...]: "a list of texts",
    dict[str, str]: "a section of texts",
    dict[str, Resources]: "a section with a verb's section each",
    Link: "a section with keys",
    Hardware | None: "a section with keys",
}


NULLS = (None, "null", "~")
TRUTHS = {"true": True, "false": False}
WHOLE = re.compile(r"-?(?:0|[1-9]\d*)")


def _convert(hint, value, where: str):
    """A value of the type that a key has, from a word of the file or from a value of an override."""
    word, expected = str(value).lower() if isinstance(value, bool) else value, KINDS[hint]
    if hint in (str | None, int | None, float | None, Hardware | None):
        if value in (*NULLS, ""):
            return None
        hint = typing.get_args(hint)[0]
    if hint == dict[str, Resources] and isinstance(value, dict):
        sections = {str(verb): {} if section in (*NULLS, "") else section for verb, section in value.items()}
        if all(isinstance(section, dict) for section in sections.values()):
            return {verb: _build(Resources, section, f"{where}.{verb}") for verb, section in sections.items()}
    if hint == dict[str, str] and isinstance(value, dict) and not any(item in NULLS for item in value.values()):
        return {str(key): str(item) for key, item in value.items()}
    if hint == tuple[str, ...] and isinstance(value, list):
        return tuple(str(item) for item in value)
    if hint in (Hardware, Link) and isinstance(value, dict):
        return _build(hint, value, where)
    if hint is float and isinstance(word, (int, float, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return float(str(word).lower().replace(".inf", "inf"))  # YAML's word
    if hint is int and WHOLE.fullmatch(str(word)):
        return int(word)
    if hint is bool and word in TRUTHS:
        return TRUTHS[word]
    if hint is str and isinstance(value, str) and value:
        return value
    raise MachineError(f"{where}: expected {expected}, got {value!r}")
