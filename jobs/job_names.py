"""Which jobs a command line means: numbers, elements of arrays, or the file of a campaign."""

import argparse
import re
from collections.abc import Sequence

from hpc import journal
from hpc.chain import Step, load_campaign
from hpc.machine import Machine, load_machine
from mlrtma_dist.config import ConfigError

NUMBER = re.compile(r"\d+(_\d+)?|local-\d+-\d+")
MEANING = "numbers of jobs: 12, of an element of an array 12_3"


def add_campaign_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which campaign a file means."""
    parser.add_argument("--machine", help="of a campaign; without it that of its last submission")
    parser.add_argument("--until", metavar="TIME", help="of a campaign: the end of its period, as it was submitted")


def check(names: Sequence[str]) -> tuple[str, ...]:
    """The numbers of jobs that a command line names.

    Raises:
        ConfigError: one that is no number.
    """
    for name in names:
        if not NUMBER.fullmatch(name):
            raise ConfigError(f"expected {MEANING}; got {name!r}. `mlrtma status` lists them")
    return tuple(names)


def campaign_of(values: argparse.Namespace) -> tuple[Machine, tuple[Step, ...]] | None:
    """The machine and the steps of the campaign whose file is the only name; None: numbers of jobs are named.

    Args:
        values: of the command line: names, machine, until.

    Raises:
        ConfigError: no machine is named, and the journal has none on which a step of it was submitted.
    """
    if len(values.names) != 1 or not values.names[0].endswith((".yaml", ".yml")):
        if values.until is not None:
            raise ConfigError("--until: only a campaign has a period; name its file")
        return None
    steps = load_campaign(values.names[0], values.until)
    machine = values.machine or _machine_of(steps)
    if machine is None:
        raise ConfigError(f"{values.names[0]}: add --machine NAME, the machine on which it was submitted")
    return load_machine(machine), steps


def _machine_of(steps: Sequence[Step]) -> str | None:
    """The profile that was named when a step was last submitted."""
    own = {(step.verb, step.config) for step in steps}
    lines = [line["again"] for line in journal.read(journal.path()) if line.get("again")]
    profiles = [again[4] for again in lines if tuple(again[1:3]) in own]
    return profiles[-1] if profiles else None
