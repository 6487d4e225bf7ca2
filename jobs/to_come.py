"""What earlier steps of a campaign will make: a dry run is told of it by MLRTMA_TO_COME, which `mlrtma submit` sets."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from mlrtma_dist import config


@dataclass(frozen=True)
class Step:
    """A step that runs before.

    Attributes:
        verb, config, arguments: what runs; output: the file or folder that it writes.
    """

    verb: str
    config: str
    arguments: tuple[str, ...]
    output: str

    def run(self, cls: type):
        """The configuration of the step, of the class of its verb's runs."""
        changes = [value for key, value in zip(self.arguments, self.arguments[1:], strict=False) if key == "--set"]
        return config.load(cls, config.find(self.verb, self.config), changes)


def earlier_steps() -> list[Step]:
    """The steps that run before; none outside the dry run of a campaign."""
    entries = json.loads(os.environ.get("MLRTMA_TO_COME") or "[]")
    return [Step(each["verb"], each["config"], tuple(each["arguments"]), each["output"]) for each in entries]


def maker_of(path: str | Path) -> Step | None:
    """The step that will make a file or folder that is not there yet; None: it is there, or no step makes it."""
    if os.path.exists(path):
        return None
    place = Path(path).absolute()
    for step in earlier_steps():
        output = Path(step.output).absolute()
        if place == output or output in place.parents or (step.verb == "samples" and place == _store_of(step)):
            return step
    return None


def _store_of(step: Step) -> Path:
    """The store of a step samples, whose name has a number where it makes a part of an archive."""
    from jobs.samples import Run

    return step.run(Run).store.absolute()
