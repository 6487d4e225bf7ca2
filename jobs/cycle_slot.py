"""One slot of `mlrtma cycle`: cases, analysis by the first method that can work, product, link, scores, status."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from jobs.cycle_scores import append_scores
from jobs.provenance import provenance
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.analyse import analyse
from mlrtma_dist.inference.cycle_agenda import Agenda, Work
from mlrtma_dist.inference.cycle_clock import Clock, minutes, seconds
from mlrtma_dist.inference.cycle_costs import Costs
from mlrtma_dist.inference.cycle_methods import Attempt, Fallbacks, Weights
from mlrtma_dist.inference.cycle_publications import Publication, Publications
from mlrtma_dist.inference.product import write_product
from mlrtma_dist.inference.product_grib import write_product_grib
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.arrivals import ArrivedCases, ReportFiles
from mlrtma_dist.samples.sources import CasesSection

log = logging.getLogger(__name__)
PREVIOUS = minutes(60)  # the oldest analysis that is a background: older ones are worse than none


class DomainCycle:
    """The slots of one domain, whose folder this process has locked."""

    def __init__(self, run, section: CasesSection, folder: Path, files: ReportFiles, weights: Weights, clock: Clock):
        self.run, self.section, self.files, self.clock = run, section, files, clock
        self.static = load_static(section.load_domain())
        self.settings = load_settings(run.settings)
        self.name, self.weights = self.static.domain.name, weights
        self.publications = Publications(folder, self.name)
        self.costs = Costs(Path(run.output) / f"costs_{self.name}.json")
        self.methods = Fallbacks(run.choices, weights, analyse)
        self.publications.sweep([clock.now(), clock.now() - minutes(run.timing.lookback_minutes)])

    def least_cost(self) -> float:
        """Seconds that a slot takes by the fastest method; 0: not measured."""
        names = tuple(choice.name for choice in self.run.choices)
        return self.costs.least(self.name, names, self.clock.now())

    def make(self, work: Work, agenda: Agenda, reserve: float) -> bool:
        """Make a slot; returns whether it is settled, or is to be tried again.

        Args:
            reserve: seconds that the slots of other domains need until the same limit.
        """
        started = self.clock.now()
        last = self.publications.last(work.time)
        try:
            cases = self._cases(work.time)
            if work.late and last is not None and cases.count <= last.values:
                log.info("%s: no report came late, revision %d stays", work, last.revision)
                agenda.settle(work)
                return True
            attempt, case = self._analysed(work, cases, lambda: seconds(work.limit - self.clock.now()) - reserve)
        except InputError as error:
            log.error("%s is not made, it is tried again: %s", work, error)
            agenda.put_off(work, self.clock.now())
            return False
        publication = self._publish(work, cases, case, attempt, started)
        if work.late:
            agenda.settle(work)
        scores = append_scores(self, publication, case, cases.contents, attempt)
        line = f"{publication}{scores}: {self.publications.path(work.time)}"
        write_text(self.publications.folder / "status.txt", line + "\n")
        print(line, flush=True)
        return True

    def _cases(self, time_of_slot: np.datetime64) -> ArrivedCases:
        """What has arrived of a slot."""
        run = self.run
        until = None if run.replay is None else self.clock.now() - minutes(run.latency_minutes)
        return ArrivedCases.of_time(
            self.static,
            self.files,
            assumptions(self.settings),
            time_of_slot,
            until=until,
            previous=self._previous(time_of_slot) if run.background == "previous" else "",
            background_share=run.background_share,
        )

    def _previous(self, time_of_slot: np.datetime64) -> str:
        """The product of the newest slot before a slot that is recent enough; "": there is none."""
        step = np.timedelta64(60 * self.files.archive.every_minutes, "s")
        for number in range(1, int(PREVIOUS // step) + 1):
            if self.publications.exists(time_of_slot - number * step):
                return str(self.publications.path(time_of_slot - number * step))
        return ""

    def _analysed(self, work: Work, cases: ArrivedCases, left) -> tuple[Attempt, Case]:
        case = cases.case(0, Box.whole(self.static.domain.shape))
        case = replace(case, variables=self.run.variables or case.variables)
        now, background = self.clock.now(), bool(cases.inputs.background)
        attempt = self.methods.make(
            case, cases.contents, background, lambda name: self.costs.of(self.name, name, now), left
        )
        for sentence in attempt.passed_over:
            log.warning("%s: %s", work, sentence)
        return attempt, case

    def _publish(
        self, work: Work, cases: ArrivedCases, case: Case, attempt: Attempt, started: np.datetime64
    ) -> Publication:
        """Write the product, let the link name it, and add a row to the table."""
        publications, trained = self.publications, attempt.trained
        revision, passed = publications.revision(work.time), "; ".join(attempt.passed_over)
        inputs = cases.inputs
        networks = {trained.name: trained} if trained else {}
        attributes = provenance(config.to_yaml(self.run), self.section, networks) | {
            "revision": revision,
            "methods_passed_over": passed or "none",
            "observations_until": f"{str(cases.until if cases.until is not None else started)[:19]}Z",
            "observation_files": " ".join(Path(file).name for file in inputs.reports),
            "observation_files_left_out": "; ".join(cases.unreadable) or "none",
            "background_files": " ".join(Path(file).name for file in inputs.background),
        }
        folder = publications.path(work.time).parent
        if self.run.grib2:
            write_product_grib(attempt.analysis, folder)
        write_product(attempt.analysis, folder, attributes)
        publications.point(work.time)
        published = self.clock.now()
        publication = Publication(
            domain=self.name,
            time=work.time.astype("datetime64[s]"),
            revision=revision,
            method=attempt.choice.name,
            passed_over=passed,
            weights=str(trained.folder) if trained else "",
            values=cases.count,
            used=int(np.count_nonzero(case.used)),
            started=started,
            published=published,
            latency=round(seconds(published - work.cutoff), 3),
            cost=round(seconds(published - started), 3),
        )
        publications.add(publication)
        self.costs.add(self.name, attempt.choice.name, publication.cost, published)
        return publication
