"""The work of one process of a reanalysis: its days, methods made ready once, and a worker that takes the slots."""

import contextlib
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from jobs.inputs import prepare, start_ranks
from jobs.progress import progress, silent
from jobs.reanalysis_days import write_days
from jobs.reanalysis_slots import domains_of, open_domains, openers_of, remaining, slots_of
from jobs.requirement import TOO_FEW
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.slot_reader import CaseReader, CaseSource
from mlrtma_dist.inference.slot_worker import Reader, Tally, Worker
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.io.unfinished import remove_unfinished
from mlrtma_dist.methods.method import Share
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.parallel.heartbeat import Heartbeat, time_limit
from mlrtma_dist.training.stop_signal import AGAIN, StopSignal

log = logging.getLogger(__name__)


def work(run) -> int:
    """Analyse what remains of the slots of an element of a `jobs.reanalysis.Run`; returns the exit code."""
    slots, names = slots_of(run), (run.method,)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopSignal.watched())
        ranks = stack.enter_context(start_ranks(run, names))
        if ranks.rank == 0:
            remove_unfinished(Path(run.output), "config.yaml")
            write_text(Path(run.output) / "config.yaml", config.to_yaml(replace(run, element=0, elements=1)))
        openers = openers_of(run, slots.times)
        prepared = {
            name: prepare(replace(run, cases=section), names, ranks, openers[name])
            for name, section in domains_of(run).items()
        }
        days = list(slots.days_of(run.element, run.elements, ranks.rank, ranks.size))
        total = len(prepared) * sum(len(slots.of_day(day)) for day in days)
        passed: list[str] = []
        trained = {name: each.trained for name, each in prepared.items()}
        todo = remaining(run, slots, iter(days), trained, passed)
        heartbeat = getattr(ranks, "heartbeat", None) or stack.enter_context(Heartbeat.watching(time_limit()))
        heartbeat.ending = ("what is done is kept", AGAIN)
        whole = len(prepared) * sum(map(len, map(slots.of_day, slots.days_of(run.element, run.elements, 0, 1))))
        show = stack.enter_context(progress("reanalysis", whole) if ranks.rank == 0 else silent())

        def note(tally: Tally) -> None:
            heartbeat.beat()
            settled = len(passed) + tally.done + tally.aside + tally.absent
            show("slots", settled / max(total, 1))  # the first rank's share stands for those of all ranks

        worker = Worker(
            {name: (run.method, each.methods[run.method]) for name, each in prepared.items()},
            _reader(run, prepared, openers, slots),
            attempts=run.attempts,
            share=Share(threads=ranks.threads),
            ensemble=run.ensemble,
            stopping=lambda: stop.received is not None,
            progress=note,
        )
        heartbeat.beat()
        is_finished = worker.run(todo)
        unread = 0
        if run.day_files:
            joined, unread = _join(run, slots, days, heartbeat, stop)
            is_finished = is_finished and joined
        heartbeat.rest()
    print(_words(worker.tally, total), flush=True)
    no_input = total > 0 and worker.tally.absent == total
    if no_input:
        archive = run.cases.archive
        log.warning("no slot has input: expected files of %s below %s", archive.reports[0].pattern, archive.folder)
    return AGAIN if not is_finished else TOO_FEW if worker.tally.aside or no_input or unread else 0


def _join(run, slots, days: list[int], heartbeat: Heartbeat, stop: StopSignal) -> tuple[bool, int]:
    """Write the files of days; returns whether all were come to, and how many have a product that cannot be read."""
    unread = 0
    for day in days:
        heartbeat.beat()
        if stop.received is not None:  # joining takes longer than the grace of a signal
            return False, unread
        try:
            write_days(run, slots, [day])
        except InputError as error:  # one damaged product must not keep the other days from their files
            log.error("%s has no file: %s; remove that product to have it made again", slots.days[day], error)
            unread += 1
    return True, unread


def _reader(run, prepared: dict, openers: dict, slots) -> Reader:
    """What reads the cases: another process, but for a method that reads gridded files in this one."""
    if Need.GRID in METHODS[run.method].needs:
        return CaseSource({name: each.cases for name, each in prepared.items()})
    statics = {name: opener.args[0] for name, opener in openers.items()}
    return CaseReader(partial(open_domains, run, slots.times), statics, time_limit())


def _words(tally: Tally, total: int) -> str:
    """What was done, for people."""
    before = total - tally.done - tally.aside - tally.absent
    return (
        f"{tally.done} slots analysed, {tally.aside} set aside, {tally.absent} without input, {before} done before or"
        f" left; {tally.method_seconds:.0f} s in the method"
    )
