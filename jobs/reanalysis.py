"""Analyse an archive of many times on domains: years of quarter hours, as an array, resumed where it stopped.

    mlrtma reanalysis configs/reanalysis/metar_20260822.yaml                       # here; again: what remains
    mlrtma submit reanalysis configs/reanalysis/metar_20260822.yaml --machine M    # an array over the days that remain
    mlrtma reanalysis CONFIG --element 3 --of 40                                   # one element of it
    mlrtma reanalysis CONFIG --report report.html                                  # what is complete, scores, rates
    mlrtma reanalysis CONFIG --audit                                               # hash every product again

Every slot, a domain and a time, becomes OUTPUT/<domain>/2026/08/22/<domain>_20260822T0415Z.nc and a line of
OUTPUT/<domain>/manifests/20260822.jsonl. Exit code 4: done, but slots were set aside; 75: asked to stop, run it again.
"""

import logging
from dataclasses import dataclass, replace

from jobs.analyse import Run as Analyse
from jobs.command_line import parse
from jobs.inputs import check_run
from jobs.reanalysis_days import spans_without_files
from jobs.reanalysis_report import audit_products, write_report_of
from jobs.reanalysis_slots import open_spans, slots_of
from jobs.reanalysis_work import work
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.samples.sources import CasesSection

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
        diffusion: how members of method ``diffusion`` are drawn.
        pinn: how the networks of method ``pinn`` are fitted.
        fourdvar: how method ``fourdvar`` analyses, and the network that is its model.
        ensemble: what the products have of the distribution: quantiles, probabilities beyond limits, members.
        day_files: whether the products of each day are joined to one more file, too, once nothing of the day remains.
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
    diffusion: Sampling = Sampling()
    pinn: PinnSettings = PinnSettings()
    fourdvar: FourDVarSettings = FourDVarSettings()
    ensemble: EnsembleSection = EnsembleSection()
    day_files: bool = False
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
        self.cases.refuse(("gridded",), "a reanalysis")
        if min(self.days_per_element, self.attempts, self.elements) < 1 or not 0 <= self.element < self.elements:
            raise ValueError(
                "expected days_per_element and attempts of 1 or more and an element from 0 to below elements, got"
                f" {self.days_per_element}, {self.attempts}, {self.element} of {self.elements}"
            )
        check_run(self, (self.method,))

    def expected_bytes(self) -> float:
        """Size of the products, as `mlrtma analyse` expects it."""
        own = Analyse(
            self.cases,
            "",
            self.method,
            self.settings,
            self.variables,
            self.checkpoint,
            self.grid,
            self.diffusion,
            self.ensemble,
        )
        return own.bytes_of_a_time() * len(slots_of(self).times) * (2 if self.day_files else 1)

    def array(self) -> str:
        """The elements of an array, one per span of days, in which something remains, and the number of all."""
        slots = slots_of(self)
        spans = open_spans(self, slots) | (spans_without_files(self, slots) if self.day_files else set())
        if not spans and not self.retry and open_spans(replace(self, retry=True), slots):
            log.warning("some slots were set aside or had no input: --set retry=true tries them again")
        return f"{','.join(map(str, sorted(spans))) or 'none'} of {slots.spans}"


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
