"""Analyse cases: station reports, the cases of a store, or of a simulated world.

    mlrtma analyse --domain conus --observations rap.t06z.adpsfc.prepbufr --output output
    mlrtma analyse run.yaml --domain my_region.yaml --observations a.csv b.prepbufr --background hrrr.grib2
    mlrtma analyse --domain conus alaska --observations FILE --time 2022-08-24T00:00/2022-08-24T23:00 --output output
    mlrtma analyse configs/inference/exercise1.yaml        # every case of a store, by a trained network
    mpiexec -n 4 mlrtma analyse --domain conus --observations FILE --output output         # the same product, sooner

Of report files every time becomes output/<domain>_<time>/<domain>_<time>.nc with maps, config.yaml and quality.txt; of
several times output/departures.csv sums up the departures from first guess and analysis. The cases of a store or of a
world become one file, output/<domain>_<method>/<domain>_<method>.nc, and config.yaml. Exit code 4: written, but a time
rests on fewer reports than are required, or on climatology alone.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.analysis_products import Outcome, departures_of, write_file, write_times
from jobs.command_line import parse
from jobs.inputs import check_run, make_stores, prepare, start_ranks
from jobs.requirement import TOO_FEW, Requirement
from jobs.training_section import TrainingCasesSection
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import DERIVED
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.inference.map_settings import load_map_settings
from mlrtma_dist.inference.parts import Analyst, part_of
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.verification.match import FIRST_GUESS
from mlrtma_dist.verification.trend import trend, write_trend

log = logging.getLogger(__name__)
FORMATS = ("netcdf", "grib2")


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        cases: what is analysed: a domain and a source of cases (``samples.sources.CasesSection``).
        output: folder to write to.
        method: one of the methods (``methods.registry.METHODS``).
        settings: file of ``configs/methods``, or of the user's own, with what the classical methods assume.
        variables: to analyse; empty: all of the settings that the cases have.
        checkpoint: folder of a trained network; null: the weights that come with the learned methods, where they do.
        grid: gridded files that method ``grid`` takes as its answer; empty: those of the background.
        diffusion: how members of method ``diffusion`` are drawn.
        pinn: how the networks of method ``pinn`` are fitted.
        fourdvar: how method ``fourdvar`` analyses, and the network that is its model.
        ensemble: what the products have of the distribution: quantiles, probabilities beyond limits, members.
        training: cases that methods estimate covariances from.
        maps: whether maps are drawn, of report files.
        map_style: units and colour scales of the maps, a file of ``configs/maps``.
        formats: of the product, some of netcdf and grib2.
        require: what the analysis of each time must rest on, or the exit code is 4.
        mesh: the ranks as (data, y, x); null: of report files tiles in y, of other sources all on the data axis.
        device: "auto", "cpu" or "cuda", for networks.
    """

    cases: CasesSection
    output: str
    method: str = "threedvar"
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    checkpoint: str | None = None
    grid: tuple[str, ...] = ()
    diffusion: Sampling = Sampling()
    ensemble: EnsembleSection = EnsembleSection()
    training: TrainingCasesSection | None = None
    maps: bool = True
    map_style: str = "us"
    formats: tuple[str, ...] = ("netcdf",)
    require: Requirement = Requirement()
    mesh: Mesh | None = None
    device: str = "auto"
    pinn: PinnSettings = PinnSettings()
    fourdvar: FourDVarSettings = FourDVarSettings()

    def __post_init__(self):
        if not self.formats or set(self.formats) - set(FORMATS):
            got = ", ".join(self.formats) or "none"
            raise ValueError(f"formats: expected some of {', '.join(FORMATS)}, got {got}")
        load_map_settings(self.map_style)
        check_run(self, (self.method,))

    def expected_bytes(self) -> float | None:
        """Size of the products: analysis, increment and error of each variable, derived fields, four of the grid.

        Compressed they take 0.6 (nine variables, Alaska) to 0.7 bytes per point (temperature alone, CONUS). None of
        the cases of a store or of a world: the store may have yet to be made.
        """
        if self.cases.reports is None:
            return None
        return self.bytes_of_a_time() * max(1, len(self.cases.reports.times))

    def bytes_of_a_time(self) -> float:
        """Size of the products of one time, of all domains."""
        points = sum(math.prod(section.load_domain().shape) for section in self.cases.on_each_domain())
        variables = len(load_settings(self.settings, self.variables).variables)
        members = self.diffusion.members * variables if self.ensemble.members else 0
        return 0.7 * points * (3 * variables + len(DERIVED) + 4 + self.ensemble.fields(variables) + members)


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    run = parse(Run, "analyse", __doc__, arguments)
    shortfalls: list[str] = []
    for outcome in each(run) if run is not None else ():  # none is kept: there may be many hours of large fields
        for product in outcome.products:
            print(product, flush=True)
        shortfalls += outcome.shortfalls
    return TOO_FEW if shortfalls else 0


def make(run: Run) -> tuple[list[Analysis], list[Path]]:
    """Analyse and write; returns on every rank the analyses of single times, and on rank 0 the products. Collective."""
    outcomes = list(each(run))
    analyses = [one.analysis for one in outcomes if one.analysis is not None]
    return analyses, [product for one in outcomes for product in one.products]


def each(run: Run) -> Iterator[Outcome]:
    """Analyse and write one domain after another, and of report files one time after another. Collective."""
    make_stores(run)
    times = run.cases.reports is not None
    departures: dict = {}
    with start_ranks(run, (run.method,), one_case=times) as ranks:
        for section in run.cases.on_each_domain():
            own = replace(run, cases=section)
            prepared = prepare(own, (run.method,), ranks)
            part = part_of(ranks, prepared.cases, prepared.methods, one_case=times)
            analyst = Analyst(prepared.cases, prepared.methods, part)
            for outcome in write_times(own, prepared, analyst) if times else write_file(own, prepared, analyst):
                if part.is_first:
                    for sentence in outcome.shortfalls:
                        log.error("%s", sentence)
                    departures |= departures_of(outcome.analysis) if outcome.analysis is not None else {}
                yield outcome if part.is_first else replace(outcome, products=())
        if part.is_first and (rows := trend(departures, (FIRST_GUESS, run.method))):
            write_trend(Path(run.output) / "departures.csv", rows)
