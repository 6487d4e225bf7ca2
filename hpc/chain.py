"""Jobs that wait for jobs: a campaign is a YAML file of named steps, each with the steps that it comes after.

steps:
  analyse: {verb: analyse, config: configs/inference/toy.yaml}
  verify: {verb: verify, config: configs/verification/toy.yaml, after: [analyse], set: [folds=5]}
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml


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
    """

    name: str
    verb: str
    config: str
    set: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def load_campaign(path: Path) -> tuple[Step, ...]:
    """Read a campaign; its steps in an order in which each comes after those it waits for.

    Raises:
        ChainError: not a campaign, an unknown key or step, no list where one is due, or steps that wait for each other.
    """
    try:
        # every word as it is written: a step named `no` or a setting folds=010 is that
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ChainError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict) or set(data) != {"steps"} or not isinstance(data["steps"], dict) or not data["steps"]:
        raise ChainError(f"{path}: expected one section, steps:, with a name for each step")
    return ordered([_step(name, entry, path) for name, entry in data["steps"].items()], str(path))


def _step(name: str, entry, path: Path) -> Step:
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
        lists[key] = tuple(str(item) for item in names)
    return Step(str(name), str(entry["verb"]), str(entry["config"]), **lists)


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


def submit_chain(steps: Sequence[Step], submit: Callable[[Step, tuple[str, ...]], str]) -> dict[str, str]:
    """Queue all steps at once, each depending on the jobs of those it waits for.

    Args:
        steps: in the order of `ordered`.
        submit: queues one step, given the jobs that must succeed first; returns its job's number.

    Returns:
        The job's number by the step's name.
    """
    jobs: dict[str, str] = {}
    for step in steps:
        jobs[step.name] = submit(step, tuple(jobs[name] for name in step.after))
    return jobs
