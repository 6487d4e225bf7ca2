"""Jobs that wait for jobs: a campaign is a YAML file of named steps, each with the steps that it comes after.

steps:
  analyse: {verb: analyse, config: configs/inference/toy.yaml}
  verify: {verb: verify, config: configs/verification/toy.yaml, after: [analyse], set: [folds=5]}

What one step asks of the machine instead of its profile: resources: {nodes: 1, tasks_per_node: 1, time: "01:00:00"}.
One that is repeated on later data has a section period: {days: 30, lookback_days: 3}; see `hpc.period`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from hpc.machine import WISHES
from hpc.period import filled, words_of

TIMES = ("time", "task_time")  # of the resources


class ChainError(ValueError):
    """A campaign that cannot be run; the message names file and step."""


@dataclass(frozen=True)
class Step:
    """One job of a campaign.

    Attributes:
        name: within the campaign.
        verb, config: what runs.
        set: key=value changes of the configuration.
        after: names of the steps that must have succeeded first.
        resources: that the step asks for instead of the profile's: nodes, tasks_per_node, time and other options of
            `mlrtma submit`, with their values.
    """

    name: str
    verb: str
    config: str
    set: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    resources: tuple[tuple[str, int | str], ...] = ()


def load_campaign(path: Path, until: str | None = None) -> tuple[Step, ...]:
    """Read a campaign; its steps in an order in which each comes after those it waits for.

    Args:
        until: the end of its period; None: it has none.

    Raises:
        ChainError: not a campaign, an unknown key or step, no list where one is due, or steps that wait for each other.
        PeriodError: a period without its end, or an end without a period.
    """
    try:
        # every word as it is written: a step named `no` or a setting folds=010 is that
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ChainError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("steps"), dict) or not data["steps"]:
        raise ChainError(f"{path}: expected one section, steps:, with a name for each step")
    if more := set(data) - {"steps", "period"}:
        raise ChainError(
            f"{path}: expected the sections steps: and period:, got {', '.join(sorted(map(str, more)))}, too"
        )
    words = words_of(data.get("period"), until, str(path))
    return ordered([_step(name, entry, path, words) for name, entry in data["steps"].items()], str(path))


def _step(name: str, entry, path: Path, words: Mapping[str, str]) -> Step:
    keys = [f.name for f in fields(Step)][1:]
    entry = entry if isinstance(entry, dict) else {}
    unknown = [key for key in entry if key not in keys]
    if unknown or "verb" not in entry or "config" not in entry:
        raise ChainError(
            f"{path}: steps.{name}: expected verb, config and of {', '.join(keys[2:])}; "
            f"got {', '.join(map(str, entry))}"
        )
    lists = {}
    for key in ("set", "after"):
        names = entry.get(key) or []
        if not isinstance(names, list):
            raise ChainError(f"{path}: steps.{name}.{key}: expected a list, such as [{names}], got {names!r}")
        lists[key] = tuple(filled(str(item), words) for item in names)
    config, resources = filled(str(entry["config"]), words), _resources(entry.get("resources") or {}, name, path)
    return Step(str(name), str(entry["verb"]), config, **lists, resources=resources)


def _resources(section, name, path: Path) -> tuple[tuple[str, int | str], ...]:
    """The resources of a step: whole numbers, but for times."""
    where = f"{path}: steps.{name}.resources"
    if not isinstance(section, dict) or (unknown := set(section) - set(WISHES)):
        got = ", ".join(sorted(map(str, unknown))) if isinstance(section, dict) else repr(section)
        raise ChainError(f"{where}: expected a section with keys of {', '.join(WISHES)}; got {got}")
    for key, value in section.items():
        if key not in TIMES and not str(value).isdecimal():
            raise ChainError(f"{where}.{key}: expected a whole number, got {value!r}")
    return tuple((key, str(value) if key in TIMES else int(value)) for key, value in section.items())


def ordered(steps: Sequence[Step], where: str = "campaign") -> tuple[Step, ...]:
    """The steps, each after those that it waits for.

    Raises:
        ChainError: an unknown step, or steps that wait for each other.
    """
    named = {step.name: step for step in steps}
    for step in steps:
        for before in step.after:
            if before not in named:
                raise ChainError(
                    f"{where}: steps.{step.name}.after: no step {before!r}; the steps are {', '.join(named)}"
                )
    try:
        order = tuple(TopologicalSorter({step.name: step.after for step in steps}).static_order())
    except CycleError as error:
        raise ChainError(f"{where}: steps wait for each other: {' -> '.join(error.args[1])}") from error
    return tuple(named[name] for name in order)


def to_submit(
    steps: Sequence[Step], is_done: Callable[[Step], bool], queued: Callable[[Step], str | None]
) -> tuple[list[Step], list[str], dict[str, str]]:
    """Which steps of a campaign, which may have been submitted before, are to be submitted.

    A step is done if its outputs are, and all steps that it comes after are done, too: else its input will change. Of a
    worklist its own checksums tell that.

    Args:
        steps: in the order of `ordered`.
        is_done: whether a step's outputs are there; queued: the number of its job that waits or runs, None: none does.

    Returns:
        The steps to submit; names of those that are done; the jobs of the others by the step's name.

    Raises:
        ChainError: a job waits for a step that is to be submitted again, which it would not see.
    """
    missing: list[Step] = []
    done: list[str] = []
    jobs: dict[str, str] = {}
    for step in steps:
        job = queued(step)
        late = [before.name for before in missing if before.name in step.after]
        if job is not None and late:
            raise ChainError(
                f"steps.{step.name}: job {job} of an earlier submission waits or runs, but {late[0]}, which it comes"
                f" after, is to be submitted again. End it (scancel {job}) and submit the campaign again."
            )
        if job is not None:
            jobs[step.name] = job
        elif is_done(step) and (step.verb == "worklist" or set(step.after) <= set(done)):
            done.append(step.name)
        else:
            missing.append(step)
    return missing, done, jobs
