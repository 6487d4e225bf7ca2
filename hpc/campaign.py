"""Submit a step, or those steps of a campaign that are neither queued nor done by an earlier submission."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpc import record, slurm
from hpc.chain import ChainError, Step, to_submit
from hpc.graph import graph
from hpc.machine import WISHES, Machine, Resources
from hpc.order import LOGS, Order, describe, rehearsed
from hpc.slurm import SlurmError
from hpc.submit import array, elements_of, is_over, submit
from hpc.worklist import read, remaining


def key_of(machine: Machine, step: Step) -> str:
    """By which a step is recognised in the queue, in the journal and, when it is done, by its record."""
    return record.key_of(step.verb, step.config, (*machine.resources(step.verb).set, *step.set))


def arguments_of(machine: Machine, step: Step) -> tuple[str, ...]:
    """The arguments of a step's command, but for its configuration."""
    return _options((*machine.resources(step.verb).set, *step.set))


def order_of(machine: Machine, step: Step, more: tuple[str, ...] = (), profile: str = "") -> Order:
    """The order of a step.

    Args:
        machine: where.
        step: what.
        more: further arguments, such as --resume, which do not make it another step.
        profile: by which the machine was read: a shipped name or a path; without it the machine's name.
    """
    wishes: dict[str, Any] = dict(step.resources)
    resources, elements = replace(machine.resources(step.verb), **wishes), 0
    own = _options(step.set)
    if step.verb == "worklist":
        elements = elements_of(machine, len(remaining(read(Path(step.config)))), resources.workers)
    again = ("submit", step.verb, step.config, "--machine", profile or machine.name, *own, *_wishes(resources))
    key = key_of(machine, step)
    arguments = (*arguments_of(machine, step), *more)
    return Order(machine, step.verb, step.config, arguments, resources, elements=elements, key=key, again=again)


def _wishes(resources: Resources) -> tuple[str, ...]:
    """Options of `mlrtma submit` that ask for the same resources, whatever a profile says."""
    values = {key: getattr(resources, key) for key in WISHES if getattr(resources, key) is not None}
    return tuple(part for key, value in values.items() for part in (f"--{key.replace('_', '-')}", str(value)))


def _options(changes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for change in changes for part in ("--set", change))


def submit_step(
    machine: Machine, step: Step, more: tuple[str, ...], after: tuple[str, ...], dry_run: bool, profile: str = ""
) -> dict[str, Order]:
    """Print, check and submit one step after other jobs, unless a job of it waits or runs.

    Returns:
        Its order by its job, be it an earlier one; nothing of a dry run.
    """
    order = replace(rehearsed(order_of(machine, step, more, profile)), after=after)
    print(describe(order), flush=True)
    queued = _own_jobs(machine, dry_run).get(order.comment)
    if queued is not None:
        print(f"job {queued}: {step.name}, submitted before", flush=True)
        return {queued: order}
    return {} if dry_run else _submit_all({step: order}, {})


def submit_campaign(
    machine: Machine, steps: tuple[Step, ...], more: tuple[str, ...], dry_run: bool, profile: str = ""
) -> dict[str, Order]:
    """Print and check the steps that are neither done nor queued, then submit them; a wrong one before the first.

    Args:
        steps: in the order of `hpc.chain.ordered`.
        more: further arguments of steps that train.
        dry_run: submit nothing, and do not ask the queue.
        profile: see `order_of`.

    Returns:
        The orders that wait or run by their jobs, those of an earlier submission included; nothing of a dry run.
    """
    orders = {step.name: order_of(machine, step, more if step.verb == "train" else (), profile) for step in steps}
    live = _own_jobs(machine, dry_run)
    missing, done, jobs = to_submit(
        steps, lambda step: _is_done(orders[step.name]), lambda step: live.get(orders[step.name].comment)
    )
    for name in done:
        print(f"done before: {name}", flush=True)
    for name, job in jobs.items():
        print(f"job {job}: {name}, submitted before", flush=True)
    if missing:
        _rehearse(machine, [step for step in steps if step.name not in done], orders, jobs)
        print(graph(steps, orders, done, jobs), flush=True)
    if dry_run:
        return {}
    submitted = _submit_all({step: orders[step.name] for step in missing}, jobs)
    return {**{job: orders[name] for name, job in jobs.items()}, **submitted}


def alone(machine: Machine, steps: tuple[Step, ...], name: str) -> tuple[Step, ...]:
    """One step of a campaign, for a workflow engine that waits for those before it; later ones are no longer done.

    Raises:
        ChainError: no such step.
    """
    named = {step.name: step for step in steps}
    if name not in named:
        raise ChainError(f"no step {name!r}; the steps are {', '.join(named)}")
    own = replace(named[name], after=())
    if not _is_done(order_of(machine, own)):
        later = {name}
        for step in steps:  # each after those that it comes after
            if later & set(step.after):
                later.add(step.name)
                record.clear(key_of(machine, step))
    return (own,)


def _own_jobs(machine: Machine, dry_run: bool) -> dict[str, str]:
    """Jobs that wait or run by their comments; none without Slurm, which a dry run does not ask either."""
    return slurm.own_jobs() if machine.scheduler == "slurm" and not dry_run else {}


def _rehearse(machine: Machine, steps: Sequence[Step], orders: dict[str, Order], jobs: Mapping[str, str]) -> None:
    """Check and print the orders of steps, and put the rehearsed ones in their place.

    Args:
        steps: that are not done, in their order.
        jobs: numbers of those that wait or run, by name; their outputs are to come, too.
    """
    coming: list[Order] = []
    for step in steps:
        if step.name not in jobs:
            orders[step.name] = rehearsed(orders[step.name], coming)
            coming.append(orders[step.name])
            print(describe(orders[step.name]), flush=True)
        elif step.verb != "worklist":  # whose outputs nobody foretells
            more = ("--resume",) if step.verb == "train" else ()  # it may have checkpoints by now
            coming.append(rehearsed(order_of(machine, step, more), coming))


def _is_done(order: Order) -> bool:
    if order.verb == "worklist":
        return not order.elements
    return is_over(order) if order.is_divided else record.is_done(order.key)


def _submit_all(orders: dict[Step, Order], earlier: dict[str, str]) -> dict[str, Order]:
    """Queue all orders at once, each depending on the jobs of the steps that it comes after; the orders by their jobs.

    Args:
        earlier: jobs of steps that were submitted before, by the step's name.
    """
    jobs = dict(earlier)
    submitted: dict[str, Order] = {}
    # All before the first: whoever submits the rest after this process was killed must not take an old record for it.
    for order in orders.values():
        record.clear(order.key)
    for step, order in orders.items():
        order = replace(order, after=(*order.after, *(jobs[name] for name in step.after if name in jobs)))
        if step.verb == "worklist":
            order = array(order, remaining(read(Path(step.config))), Path(LOGS))
        try:
            job = submit(order)
        except SlurmError as error:
            if not submitted:
                raise
            rest = f"{len(submitted)} of {len(orders)} steps are queued. Submit the campaign again for the others."
            raise SlurmError(f"{error}\n{rest}") from error
        jobs[step.name], submitted[job] = job, order
        print(f"job {job}: {step.name}", flush=True)
    return submitted
