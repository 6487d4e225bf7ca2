"""The graph of a campaign as text: its steps, what each waits for, what becomes of it now, and what the rest costs."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter

from hpc.chain import Step
from hpc.order import Order
from hpc.text_table import aligned

HEADS = ("step", "verb", "after", "state", "nodes", "ranks", "limit", "node-hours", "MB")


def graph(steps: Sequence[Step], orders: Mapping[str, Order], done: Collection[str], jobs: Mapping[str, str]) -> str:
    """A line per step, and the sum of those that are to be submitted.

    Args:
        steps: in the order of `hpc.chain.ordered`; orders: of all by their names, rehearsed where to be submitted.
        done: names of steps that are done; jobs: numbers of those that wait or run, by name.
    """
    rows = [HEADS, *(_row(step, orders[step.name], step.name in done, jobs.get(step.name)) for step in steps)]
    lines = aligned(rows)
    missing = [orders[step.name] for step in steps if step.name not in done and step.name not in jobs]
    hours, size = sum(order.node_hours for order in missing), sum(order.size for order in missing)
    longest, path = longest_path([step for step in steps if step.name not in done], orders)
    count = f"{len(missing)} step{'s' * (len(missing) != 1)}"
    lines.append(f"{count} to submit, at most {hours:.2f} node-hours and {size / 1e6:.1f} MB")
    if path:
        lines.append(f"at most {longest:.2f} hours one after another: {' -> '.join(path)}")
    return "\n".join(f"# {line}" for line in lines)


def _row(step: Step, order: Order, is_done: bool, job: str | None) -> tuple[str, ...]:
    state = "done" if is_done else f"job {job}" if job else "to submit"
    cost = ("", "") if is_done or job else (f"{order.node_hours:.2f}", f"{order.size / 1e6:.1f}")
    resources = order.resources
    sizes = str(resources.nodes), str(order.ranks), resources.time
    return step.name, step.verb, ", ".join(step.after) or "-", state, *sizes, *cost


def longest_path(steps: Sequence[Step], orders: Mapping[str, Order]) -> tuple[float, list[str]]:
    """Hours of the longest chain of steps that wait for each other, by their time limits, and its names."""
    longest: dict[str, tuple[float, list[str]]] = {}
    for step in steps:
        before = max((longest[name] for name in step.after if name in longest), default=(0.0, []), key=itemgetter(0))
        longest[step.name] = before[0] + orders[step.name].resources.hours, [*before[1], step.name]
    return max(longest.values(), default=(0.0, []), key=itemgetter(0))
