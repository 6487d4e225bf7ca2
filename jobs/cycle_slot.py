"""One slot of `mlrtma cycle`: cases, analysis by the first method that can work, product, link, scores, status."""

import logging
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from jobs.cycle_product import publish
from jobs.cycle_scores import append_scores
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.analyse import analyse
from mlrtma_dist.inference.cycle_agenda import Agenda, Work
from mlrtma_dist.inference.cycle_background import Backgrounds
from mlrtma_dist.inference.cycle_clock import Clock, minutes, seconds
from mlrtma_dist.inference.cycle_costs import Costs
from mlrtma_dist.inference.cycle_methods import Attempt, Fallbacks, Weights
from mlrtma_dist.inference.cycle_publications import Publications
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.io.unfinished import remove_unfinished
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.arrivals import ArrivedCases, ReportFiles
from mlrtma_dist.samples.sources import CasesSection

log = logging.getLogger(__name__)


class DomainCycle:
    """The slots of one domain, whose folder this process has locked."""

    def __init__(self, run, section: CasesSection, folder: Path, files: ReportFiles, weights: Weights, clock: Clock):
        self.run, self.section, self.files, self.clock = run, section, files, clock
        self.static = load_static(section.load_domain())
        self.settings = load_settings(run.settings)
        self.name, self.weights = self.static.domain.name, weights
        self.publications = Publications(folder, self.name)
        self.costs = Costs(Path(run.output) / f"costs_{self.name}.json")
        self.methods = Fallbacks(run.choices, weights, partial(analyse, ensemble=run.ensemble))
        every = minutes(files.archive.every_minutes)
        self.backgrounds = Backgrounds(self.publications, every, self.static, run.network, run.device)
        self.publications.sweep()
        remove_unfinished(Path(run.output), f"costs_{self.name}.json")

    def least_cost(self) -> float:
        """Seconds that a slot takes by the fastest method; 0: not measured."""
        names = tuple(choice.name for choice in self.run.choices)
        return self.costs.least(self.name, names, self.clock.now())

    def _cost(self, method: str) -> float:
        """Seconds that a slot takes by a method; 0: not measured."""
        return self.costs.of(self.name, method, self.clock.now()) or 0.0

    def make(self, work: Work, agenda: Agenda, reserve: float) -> bool:
        """Make a slot; returns whether it is settled, or is to be tried again.

        Args:
            reserve: seconds that the slots of other domains need until the same limit.
        """
        started = self.clock.now()
        last = self.publications.last(work.time)
        if work.late and last is not None and self._cost(last.method) > seconds(work.limit - started):
            agenda.put_off(work, started)  # it has no deadline, and must not take the time of the next slot
            return True
        try:
            cases = self._cases(work.time)
            if work.late and last is not None and cases.count <= last.values:
                log.info("%s: no report came late, revision %d stays", work, last.revision)
                agenda.settle(work)
                return True
            attempt, case = self._analysed(work, cases, reserve)
        except (InputError, OSError) as error:  # an OSError of what is read: a file that was taken away just now
            log.error("%s is not made, it is tried again: %s", work, error)
            agenda.put_off(work, self.clock.now())
            return False
        except Exception:  # one domain's fault must not end the others
            log.exception("%s is not made, it is tried again", work)
            agenda.put_off(work, self.clock.now())
            return False
        publication = publish(self, work, cases, case, attempt, started)
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
            previous="" if run.background == "archive" else self.backgrounds.of(time_of_slot),
            background_share=run.background_share,
        )

    def _analysed(self, work: Work, cases: ArrivedCases, reserve: float) -> tuple[Attempt, Case]:
        case = cases.case(0, Box.whole(self.static.domain.shape))
        case = replace(case, variables=self.run.variables or case.variables)

        def left() -> float:
            return math.inf if work.late else seconds(work.limit - self.clock.now()) - reserve

        now = self.clock.now()
        attempt = self.methods.make(case, cases.contents, lambda name: self.costs.of(self.name, name, now), left)
        for sentence in attempt.passed_over:
            log.warning("%s: %s", work, sentence)
        return attempt, case
