"""Predict a reanalysis on a machine: nodes, hours and disk, from slots that were measured.

Measured are the slots that the output holds already -- a short run on the machine itself --, else a few that are
analysed here first. Another domain is scaled from the largest measured one by its grid points.
"""

import math

from hpc.machine import Machine
from jobs import reanalysis
from jobs.reanalysis_cost import Cost, measure_here, measured
from jobs.reanalysis_slots import domains_of, slots_of
from mlrtma_dist import config
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.samples.slots import Slots

START = 60.0  # s until a process analyses its first slot: imports, weights, the reader's first file
FILLED = 0.5  # share of the time limit that an element should take


def predict(path: str, changes: list[str], domain: str | None, profile: Machine) -> list[str]:
    """The lines of the answer.

    Args:
        path: of the configuration; changes: key=value; domain: instead of the configuration's own.
        profile: the machine.

    Raises:
        ConfigError, InputError: no configuration of a reanalysis, or no slot that can be measured.
    """
    run = config.load(reanalysis.Run, path, changes)
    slots = slots_of(run)
    costs, where = measured(run), f"in {run.output}"
    if not costs:
        costs, where = measure_here(run, slots), "here"
    names = [domain] if domain else [section.place for section in domains_of(run).values()]
    lines = [
        f"{len(slots.times):,} times on {len(names)} domain{'s' * (len(names) > 1)} by {run.method}; measured {where}:"
    ]
    total = Cost(0.0, 0.0, 0)
    for name in names:
        own, words = cost_on(name, costs, run)
        lines.append(f"  {name}: {own.seconds:.2f} s and {own.size / 1e6:.2f} MB a slot{words}")
        number = len(slots.times)
        total = Cost(total.seconds + number * own.seconds, total.size + number * own.size, total.slots + number)
    return lines + _answer(total, slots, run, profile)


def cost_on(name: str, costs: dict[str, Cost], run) -> tuple[Cost, str]:
    """The cost of a slot on a domain, and how it was found in words."""
    target = load_domain(name)
    if target.name in costs:
        own = costs[target.name]
        return own, f", mean of {own.slots} slots"
    points = {each: math.prod(load_domain(section.place).shape) for each, section in domains_of(run).items()}
    largest = max(costs, key=points.__getitem__)
    ratio, own = math.prod(target.shape) / points[largest], costs[largest]
    return Cost(own.seconds * ratio, own.size * ratio, 0), f", that of {largest} times {ratio:.1f} for its grid points"


def _answer(total: Cost, slots: Slots, run, profile: Machine) -> list[str]:
    """Hours, nodes and disk on a machine."""
    wishes = profile.resources("reanalysis")
    processes = wishes.nodes * wishes.tasks_per_node
    at_once = min(slots.spans, wishes.at_once or max(1, profile.nodes // wishes.nodes))
    element = total.seconds / slots.spans / min(processes, run.days_per_element) + START
    rounds = -(-slots.spans // at_once)
    hours = rounds * element / 3600
    lines = [
        f"{total.slots:,} slots: {total.seconds / 3600:,.1f} hours of one process, {total.size / 1e9:,.1f} GB",
        f"{profile.name}: {slots.spans:,} elements of {run.days_per_element} days, {at_once} at once with"
        f" {wishes.nodes} nodes and {processes} processes each: {hours:,.1f} hours,"
        f" {hours * at_once * wishes.nodes:,.1f} node-hours",
    ]
    if processes > run.days_per_element:
        lines.append(
            f"days_per_element: {run.days_per_element} days keep {run.days_per_element} of {processes} processes busy;"
            f" expected at least {processes}"
        )
    if element > wishes.hours * 3600:
        lines.append(
            f"an element takes {element / 3600:,.1f} hours, the limit is {wishes.hours:,.1f}: it is queued again at the"
            " limit and goes on"
        )
    per_day = total.seconds / len(slots.days) / processes
    fitting = int(FILLED * wishes.hours * 3600 / per_day) if per_day else len(slots.days)
    best = max(processes, min(fitting, -(-len(slots.days) // at_once)))
    why = "so that all processes work and, where it can be, an element takes half of the limit at most"
    return [*lines, f"recommended: --set days_per_element={best}, {why}"]
