"""The loop of `mlrtma cycle`: what is due is made, the newest slot first, and between slots the clock waits."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from hpc import slurm
from jobs.cycle_slot import DomainCycle
from jobs.cycle_summary import summary
from jobs.requirement import TOO_FEW
from mlrtma_dist import clock as times
from mlrtma_dist import config
from mlrtma_dist.inference.cycle_agenda import Agenda
from mlrtma_dist.inference.cycle_clock import Clock, RealClock, ReplayClock, minutes
from mlrtma_dist.inference.cycle_methods import Weights
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.io.lock import locked
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.samples.arrivals import ReportFiles
from mlrtma_dist.training.stop_signal import AGAIN, StopSignal


def make(run, *, once: bool = False, clock: Clock | None = None) -> int:
    """Make slots until the end; returns the exit code.

    Args:
        run: the `jobs.cycle.Run`; once: make what is due now and end.
        clock: None: that of the run.
    """
    archive = run.cases.archive
    if clock is None:
        start = times.parse_time(archive.start) + minutes(run.timing.cutoff_minutes)
        clock = RealClock() if run.replay is None else ReplayClock(start, run.replay)
    resolved = config.to_yaml(run)
    weights = Weights(load_settings(run.settings), run.device, run.diffusion, run.choice)
    files = ReportFiles(archive)
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal.watched())
        domains = {}
        for section in run.cases.on_each_domain():
            name = section.load_domain().name
            folder = Path(run.output) / name
            stack.enter_context(locked(folder, slurm.runs))
            write_text(folder / "config.yaml", resolved)
            domains[name] = DomainCycle(run, section, folder, files, weights, clock)
        agenda = Agenda(archive, run.timing, {name: each.publications for name, each in domains.items()})
        whole = _loop(run, agenda, domains, clock, lambda: stop.received is not None, once)
    if run.replay is not None:
        print(*summary(Path(run.output), domains), sep="\n")
    if stop.received:
        return AGAIN
    return 0 if whole else TOO_FEW


def _loop(
    run, agenda: Agenda, domains: dict[str, DomainCycle], clock: Clock, stopped: Callable[[], bool], once: bool
) -> bool:
    """Make what is due, and wait; returns whether every slot that was due at the end is made."""
    until = times.parse_time(run.until) if run.until else None
    missing: set[tuple] = set()
    while not stopped() and (until is None or clock.now() <= until):
        due = agenda.due(clock.now())
        if due:
            work, *others = due
            rivals = [each.domain for each in others if each.time == work.time and not each.late and not work.late]
            reserve = sum(domains[name].least_cost() for name in rivals)
            slot = {(work.domain, work.time)}
            missing = missing - slot if domains[work.domain].make(work, agenda, reserve) else missing | slot
            continue
        wake = agenda.wake(clock.now())
        if once or wake is None or (until is not None and wake > until):
            break
        clock.wait(wake, stopped)
    return not missing
