"""Analyse an archive of many times on domains: years of quarter hours, in elements of an array, resumed where it stopped.

    mlrtma reanalysis configs/reanalysis/metar_20260822.yaml                       # here; again: what remains
    mlrtma submit reanalysis configs/reanalysis/metar_20260822.yaml --machine M    # an array over the days that remain
    mlrtma reanalysis CONFIG --element 3 --of 40                                   # one element of it
    mlrtma reanalysis CONFIG --report report.html                                  # what is complete, scores, rates
    mlrtma reanalysis CONFIG --audit                                               # hash every product again

Every slot, a domain and a time, becomes OUTPUT/<domain>/2026/08/22/<domain>_20260822T0415Z.nc and a line of
OUTPUT/<domain>/manifests/20260822.jsonl. Exit code 4: done, but slots were set aside; 75: asked to stop, run it again.
"""

import contextlib
import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from jobs.analyse import Run as Analyse
from jobs.command_line import parse
from jobs.inputs import check_run, prepare, start_ranks
from jobs.progress import progress
from jobs.reanalysis_report import audit_products, write_report_of
from jobs.reanalysis_slots import domains_of, open_domains, open_spans, openers_of, remaining, slots_of
from jobs.requirement import TOO_FEW
from mlrtma_dist import config
from mlrtma_dist.inference.slot_reader import CaseReader, CaseSource
from mlrtma_dist.inference.slot_worker import Reader, Tally, Worker
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.method import Share
from mlrtma_dist.methods.registry import METHODS, Need
from mlrtma_dist.parallel.heartbeat import Heartbeat, time_limit
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.training.stop_signal import AGAIN, StopSignal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One reanalysis.

    Attributes:
        cases: domains and an archive (``samples.sources.CasesSection``).
        output: folder to write to.
        method: one of the methods (``methods.registry.METHODS``).
        settings: file of ``configs/methods``, or of the user's own, with what the classical methods assume.
        variables: to analyse; empty: all of the settings.
        checkpoint: folder of a trained network; null: the weights that come with the learned methods.
        grid: gridded files that method ``grid`` takes as its answer.
        days_per_element: days of all domains that an array element takes at least; the shortest piece of the work.
        attempts: after which a slot that fails is set aside.
        retry: whether slots that were set aside are tried again, and elements with slots without input submitted again.
        element: number of the array element, from 0; elements: that share the slots.
        device: "auto", "cpu" or "cuda", for networks.
        report: an HTML file to write instead of analyses; null: none.
    """

    cases: CasesSection
    output: str
    method: str = "threedvar"
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    checkpoint: str | None = None
    grid: tuple[str, ...] = ()
    days_per_element: int = 1
    attempts: int = 3
    retry: bool = False
    element: int = 0
    elements: int = 1
    device: str = "auto"
    report: str | None = None
    mesh = training = None  # each process has slots of its own; no covariance is estimated from cases

    def __post_init__(self):
        if self.cases.archive is None or self.cases.boxes is not None:
            raise ValueError("cases: expected an archive of whole domains, as only archives have files of many times")
        if min(self.days_per_element, self.attempts, self.elements) < 1 or not 0 <= self.element < self.elements:
            raise ValueError(
                "expected days_per_element and attempts of 1 or more and an element from 0 to below elements, got"
                f" {self.days_per_element}, {self.attempts}, {self.element} of {self.elements}"
            )
        check_run(self, (self.method,))

    def expected_bytes(self) -> float:
        """Size of the products, as `mlrtma analyse` expects it."""
        own = Analyse(self.cases, "", self.method, self.settings, self.variables, self.checkpoint, self.grid)
        return own.bytes_of_a_time() * len(self.cases.archive.times())

    def array(self) -> str:
        """The elements of an array, one per span of days, in which something remains, and the number of all."""
        slots = slots_of(self)
        return f"{','.join(map(str, sorted(open_spans(self, slots)))) or 'none'} of {slots.spans}"


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    checks = "--audit" in arguments
    run = parse(Run, "reanalysis", __doc__, arguments)
    if run is None:
        return 0
    if checks:
        return audit_products(run)
    if run.report is not None:
        return write_report_of(run)
    return work(run)


def work(run: Run) -> int:
    """Analyse what remains of an element's slots; returns the exit code."""
    slots, names = slots_of(run), (run.method,)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopSignal.watched())
        ranks = stack.enter_context(start_ranks(run, names))
        if ranks.rank == 0:
            write_text(Path(run.output) / "config.yaml", config.to_yaml(replace(run, element=0, elements=1)))
        openers = openers_of(run, slots.times)
        prepared = {
            name: prepare(replace(run, cases=section), names, ranks, openers[name])
            for name, section in domains_of(run).items()
        }
        days = list(slots.days_of(run.element, run.elements, ranks.rank, ranks.size))
        total = len(prepared) * sum(len(slots.of_day(day)) for day in days)
        todo = remaining(run, slots, iter(days), {name: each.trained for name, each in prepared.items()})
        heartbeat = getattr(ranks, "heartbeat", None) or stack.enter_context(Heartbeat.watching(time_limit()))
        heartbeat.ending = ("what is done is kept", AGAIN)
        show = stack.enter_context(progress("reanalysis"))

        def note(tally: Tally) -> None:
            heartbeat.beat()
            show(f"slots of {len(days)} days", (tally.done + tally.aside + tally.absent) / max(total, 1))

        worker = Worker(
            {name: (run.method, each.methods[run.method]) for name, each in prepared.items()},
            _reader(run, prepared, openers, slots),
            attempts=run.attempts,
            share=Share(threads=ranks.threads),
            stopping=lambda: stop.received is not None,
            progress=note,
        )
        heartbeat.beat()
        is_finished = worker.run(todo)
        heartbeat.rest()
    print(_words(worker.tally, total), flush=True)
    return AGAIN if not is_finished else TOO_FEW if worker.tally.aside else 0


def _reader(run: Run, prepared: dict, openers: dict, slots) -> Reader:
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
