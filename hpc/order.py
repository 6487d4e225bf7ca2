"""What a job asks of a machine: its sbatch line, its cost, and the size of what it will write.

What differs between machines reaches the job scripts as environment variables (MLRTMA_*) and as options of sbatch,
which go before those that the script itself names; each script also runs without any of them, by plain ``sbatch``.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from hpc import limits, record
from hpc.division import array_limit, as_ranges, elements_of, pieces_of
from hpc.machine import ROOT, Machine, Resources

LOGS = "output/logs"
MARK = "mlrtma "  # begins the comment of a job in Slurm's queue
NOTHING_REMAINS = 0  # exit code of a submission of what is done
EXPECTED = re.compile(r"^# expected output: (\d+) bytes$", re.MULTILINE)
WARNING = re.compile(r"^\S+ \S+ WARNING (.*)$", re.MULTILINE)  # the command's own, not those of libraries


class OrderError(ValueError):
    """A job that cannot be queued, or failed; ``code`` is the exit code of the command that asked for it."""

    def __init__(self, message: str, code: int = 3):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Order:
    """A job to be queued.

    Attributes:
        machine: where.
        verb: jobs/<verb>.sbatch runs.
        config: its first argument.
        arguments: the further ones, e.g. ("--set", "method=oi").
        resources: nodes, ranks, time; `Machine.resources` of the verb unless the user asks for others.
        after: numbers of the jobs that must succeed first.
        elements: of an array; 0: a single job. array: their indices, as Slurm writes them; "": from 0 on.
        key: by which the step is recognised in the queue and, when it is done, by its record; "": it is not.
        output: that the job writes, and its expected size in bytes: see `rehearsed`.
        again: arguments of `mlrtma` that queue the same job again.
    """

    machine: Machine
    verb: str
    config: str
    arguments: tuple[str, ...]
    resources: Resources
    after: tuple[str, ...] = ()
    elements: int = 0
    array: str = ""
    key: str = ""
    output: str = ""
    size: float = 0.0
    again: tuple[str, ...] = ()

    def __post_init__(self):
        self.machine.check(self.verb, self.resources)
        if not self.script.is_file():
            there = ", ".join(sorted(path.stem for path in self.script.parent.glob("*.sbatch")))
            raise OrderError(f"no job script {self.script}; there are scripts for {there}")

    @property
    def script(self) -> Path:
        """The job script."""
        return script_of(self.verb)

    @property
    def is_divided(self) -> bool:
        """Whether the verb divides its own work among the elements of an array."""
        return is_divided(self.verb)

    @property
    def comment(self) -> str:
        """By which Slurm's queue shows that a job is this step's; "" without a key."""
        return f"{MARK}{self.key}" if self.key else ""

    @property
    def ranks(self) -> int:
        """Of each job or array element."""
        return self.resources.nodes * self.resources.tasks_per_node

    @property
    def node_hours(self) -> float:
        """The most that the job can use until its time limit, one run of it."""
        return self.resources.nodes * self.resources.hours * max(1, self.elements)


def script_of(verb: str) -> Path:
    """The job script of a verb."""
    return ROOT / "jobs" / f"{verb}.sbatch"


def is_divided(verb: str) -> bool:
    """Whether a verb divides its own work among the elements of an array: its script hands the element on."""
    script = script_of(verb)
    return verb != "worklist" and script.is_file() and "--element" in script.read_text(encoding="utf-8")


def environment(order: Order) -> dict[str, str]:
    """The variables by which a profile reaches the job scripts; Slurm hands them on to the job."""
    machine = order.machine
    return {
        **machine.variables,
        "MLRTMA_ROOT": str(ROOT),
        "MLRTMA_PYTHON": machine.python or sys.executable,
        "MLRTMA_ENVIRONMENT": "\n".join(machine.environment),
        "MLRTMA_LAUNCHER": machine.launcher,
        "MLRTMA_MPI_PLUGIN": machine.mpi_plugin,
        "MLRTMA_LAUNCHER_OPTIONS": " ".join(machine.launcher_options),
        "MLRTMA_GPUS_PER_NODE": str(machine.gpus_per_node),
        "MLRTMA_RESTARTS": str(machine.restarts),
        "MLRTMA_TIMEOUT_SECONDS": str(machine.timeout_seconds),
        **({} if machine.scheduler == "slurm" else {"MLRTMA_RANKS": str(order.ranks)}),
        # An element that is done does not stand for its array, whose outputs tell what remains.
        **(record.variables(order.key, order.output) if order.key and order.output and not order.array else {}),
    }


def sbatch_line(order: Order) -> list[str]:
    """The whole sbatch command: everything but the environment variables."""
    machine, resources = order.machine, order.resources
    partition = resources.partition or (machine.partitions[0] if machine.partitions else None)
    options = {
        "account": machine.account,
        "partition": partition,
        "nodes": resources.nodes,
        "ntasks-per-node": resources.tasks_per_node,
        "cpus-per-task": max(1, machine.cores_per_node // resources.tasks_per_node),
        "gpus-per-node": machine.gpus_per_node or None,
        "mem": machine.memory,
        "time": resources.time,
        "signal": _signal(order),
        "array": _array(order),
        "dependency": f"afterok:{':'.join(order.after)}" if order.after else None,
        # A job whose predecessor failed would wait for ever.
        "kill-on-invalid-dep": "yes" if order.after else None,
        "comment": order.comment or None,
        "export": _export(order),
        "output": f"{LOGS}/%x-{'%A_%a' if order.elements else '%j'}.log",
    }
    line = ["sbatch", "--parsable", *(f"--{key}={value}" for key, value in options.items() if value is not None)]
    return [*line, *(["--exclusive"] if machine.exclusive else []), str(order.script), order.config, *order.arguments]


def _array(order: Order) -> str | None:
    if not order.elements:
        return None
    at_once = order.resources.at_once
    return (order.array or f"0-{order.elements - 1}") + (f"%{at_once}" if at_once else "")


def _export(order: Order) -> str | None:
    """Names of the variables that sbatch hands on where SBATCH_EXPORT is not ALL: those that the job needs, too."""
    wish = os.environ.get("SBATCH_EXPORT", "ALL").split(",")
    if "ALL" in wish:
        return None
    ours = {*environment(order), *(name for name in os.environ if name.startswith("MLRTMA_"))}
    return ",".join([*(name for name in wish if name not in ("NONE", "NIL")), *sorted(ours)])


def _signal(order: Order) -> str | None:
    """Slurm signals the steps that srun started, or, with B:, the batch script alone, from where it is handed on."""
    steps = order.machine.launcher == "srun" and order.verb != "worklist"
    seconds = order.machine.signal_seconds
    return f"{'' if steps else 'B:'}USR1@{seconds}" if seconds else None


def rehearsed(order: Order, earlier: Sequence[Order] = ()) -> Order:
    """The order with its output and the expected size of it: the verb's own estimate, else the profile's.

    The partition's limits are asked of Slurm. The verb's dry run checks the configuration, for the job's number of
    ranks, before anything waits in a queue; its warnings are printed. What earlier steps will make does not exist yet:
    it is told of them by MLRTMA_TO_COME.

    Args:
        earlier: rehearsed orders of steps that run before.

    Raises:
        MachineError: the partition does not take the job.
        OrderError: the verb refuses its configuration, in its own words and with its exit code; an empty worklist.
    """
    limits.check(order.machine, order.verb, order.resources)
    guess = order.resources.output_megabytes * 1e6 * max(1, order.elements)
    if order.verb == "worklist" and not order.elements:
        raise OrderError(f"{order.config}: every task is done; nothing to submit")
    if order.verb in ("check", "worklist"):  # no configuration of the verb's own
        return replace(order, size=guess)
    to_come = [
        {"verb": each.verb, "config": each.config, "arguments": each.arguments, "output": each.output}
        for each in earlier
        if each.output
    ]
    answer = dry_run(
        order.verb, order.config, order.arguments, MLRTMA_RANKS=str(order.ranks), MLRTMA_TO_COME=json.dumps(to_come)
    )
    if answer.returncode:
        _, mark, message = answer.stderr.rpartition(f"mlrtma {order.verb}: ")  # before it there may be warnings
        raise OrderError((mark + message).strip() or f"{shlex.join(answer.args)} failed", answer.returncode)
    for warning in WARNING.findall(answer.stderr):
        print(f"mlrtma {order.verb}: warning: {warning}", file=sys.stderr, flush=True)
    expected = EXPECTED.search(answer.stdout)
    output = str(yaml.safe_load(answer.stdout).get("output") or "")
    order = _divided(order, answer.stdout)
    return replace(order, output=output, size=float(expected.group(1)) if expected else guess)


def dry_run(verb: str, config: str, arguments: Sequence[str], **variables: str) -> subprocess.CompletedProcess:
    """The verb's own dry run, with further environment variables."""
    command = [sys.executable, "-m", "jobs.command", verb, config, *arguments, "--dry-run"]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environ = {**os.environ, "PYTHONPATH": paths, **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environ)


def _divided(order: Order, text: str) -> Order:
    """The order as an array, where the verb's dry run prints that its work is in pieces.

    Raises:
        OrderError: nothing of them remains.
    """
    division = pieces_of(text)
    if division is None:
        return order
    pieces, total = division
    if not pieces:
        raise OrderError(f"{order.config}: no part of the work remains; nothing to submit", NOTHING_REMAINS)
    if order.machine.scheduler == "none":
        return order
    indices, elements = elements_of(pieces, total, array_limit(order.machine))
    arguments = (*order.arguments, "--of", str(elements))
    return replace(order, arguments=arguments, elements=len(indices), array=as_ranges(indices))


def describe(order: Order) -> str:
    """What will be run, to be pasted into a shell as it stands, and what it costs."""
    set_here = " ".join(f"{key}={shlex.quote(value)}" for key, value in environment(order).items() if value)
    if order.machine.scheduler == "slurm":
        line = shlex.join(sbatch_line(order))
    else:
        line = shlex.join(["bash", str(order.script), order.config, *order.arguments])
    hours, nodes = order.node_hours, order.resources.nodes
    cost = (
        f"{nodes} node{'s' * (nodes > 1)}, {order.ranks} rank{'s' * (order.ranks > 1)}, at most {hours:.2f} node-hours"
    )
    many = f", {order.elements} array element{'s' * (order.elements > 1)}" if order.elements else ""
    return f"{set_here} \\\n{line}\n# {cost}{many}; expected output {order.size / 1e6:.1f} MB"
