"""Analyse cases: station reports, the cases of a store, or of a simulated world.

    mlrtma analyse --domain conus --observations rap.t06z.adpsfc.prepbufr --output output
    mlrtma analyse run.yaml --domain my_region.yaml --observations a.csv b.prepbufr --background hrrr.grib2
    mlrtma analyse configs/inference/exercise1.yaml        # every case of a store, by a trained network
    mpiexec -n 4 mlrtma analyse --domain conus --observations FILE --output output         # the same product, sooner

Of report files every time becomes output/<domain>_<time>/<domain>_<time>.nc with maps, config.yaml and quality.txt; the
cases of a store or of a world become one file, output/<domain>_<method>/<domain>_<method>.nc, and config.yaml.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.command_line import parse
from jobs.inputs import OPTIONS as INPUTS
from jobs.inputs import Prepared, TrainingCasesSection, check_run, make_stores, prepare, provenance, start_ranks
from jobs.progress import progress, silent
from mlrtma_dist import clock, config
from mlrtma_dist.inference.analyse import analyse
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.maps import draw_maps
from mlrtma_dist.inference.parts import Analyst, Part, part_of
from mlrtma_dist.inference.product import write_product, write_series
from mlrtma_dist.inference.product_grib import write_product_grib
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.observations.quality_summary import summarise, table, total
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.sources import CasesSection

log = logging.getLogger(__name__)
OPTIONS = {
    **INPUTS,
    "--method": ("method", f"one of {', '.join(METHODS)}"),
    "--format": ("formats...", "of the product: netcdf, grib2"),
    "--output": ("output", "folder to write to"),
}
FORMATS = ("netcdf", "grib2")


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        cases: what is analysed (``samples.sources.CasesSection``).
        output: folder.
        method: of ``methods.registry.METHODS``.
        settings: file of ``configs/methods`` with what the classical methods assume.
        variables: to analyse; empty: all of the settings that the cases have.
        checkpoint: folder of a trained network, for learned methods.
        training: cases that methods estimate covariances from.
        maps: draw them, of report files.
        formats: of the product, some of FORMATS.
        mesh: the ranks as (data, y, x); null: of report files tiles in y, of other sources all on the data axis.
        device: "auto", "cpu" or "cuda", for networks.
    """

    cases: CasesSection
    output: str
    method: str = "threedvar"
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    checkpoint: str | None = None
    training: TrainingCasesSection | None = None
    maps: bool = True
    formats: tuple[str, ...] = ("netcdf",)
    mesh: Mesh | None = None
    device: str = "auto"

    def __post_init__(self):
        if not self.formats or set(self.formats) - set(FORMATS):
            got = ", ".join(self.formats) or "none"
            raise ValueError(f"formats: expected some of {', '.join(FORMATS)}, got {got}")
        check_run(self, (self.method,))

    def expected_bytes(self) -> float | None:
        """Size of the product of one time: analysis, increment and error of each variable and four fields of the grid.

        Compressed they take 0.6 (nine variables, Alaska) to 0.7 bytes per point (temperature alone, CONUS). None of
        the cases of a store or of a world: the store may have yet to be made.
        """
        if self.cases.reports is None:
            return None
        rows, columns = self.cases.load_domain().shape
        fields = 3 * len(load_settings(self.settings, self.variables).variables) + 4
        return 0.7 * rows * columns * fields


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "analyse", __doc__, arguments, OPTIONS)
    if run is not None:
        print(*make(run)[1], sep="\n")


def make(run: Run) -> tuple[list[Analysis], list[Path]]:
    """Analyse and write; returns on every rank the analyses of single times, and on rank 0 the products. Collective."""
    make_stores(run)
    with start_ranks(run, (run.method,), one_case=run.cases.reports is not None) as ranks:
        prepared = prepare(run, (run.method,), ranks)
        part = part_of(ranks, prepared.cases, prepared.methods)
        analyst = Analyst(prepared.cases, prepared.methods, part)
        if run.cases.reports is None:
            analyses, products = [], _file(run, prepared, analyst)
        else:
            analyses, products = _hours(run, prepared, analyst)
        return analyses, products if part.is_first else []


def _hours(run: Run, prepared: Prepared, analyst: Analyst) -> tuple[list[Analysis], list[Path]]:
    """One product per time."""
    analyses, products, domain, part = [], [], prepared.cases.contents.domain, analyst.part
    for number, time in enumerate(prepared.cases.time):
        with progress(f"analyse {domain.name}") if part.is_first else silent() as show:
            analysis = _analysis(analyst, number, show)
        if part.is_first:
            _warn(analysis)
        analyses.append(analysis)
        products += _write(run, prepared, analysis, Path(run.output) / f"{domain.name}_{clock.compact(time)}", part)
    return analyses, products


def _analysis(analyst: Analyst, number: int, show) -> Analysis:
    """The analysis of a case on this rank's box. Collective among the ranks that share the case."""
    ((name, case, answer),) = analyst.answers(number)
    return analyst.cut(analyse(case, answer, name, share=analyst.part.share, progress=show))


def _write(run: Run, prepared: Prepared, analysis: Analysis, folder: Path, part: Part) -> list[Path]:
    """Write the product of one time, its maps and what it was made of. Collective."""
    resolved, products = config.to_yaml(run), []
    if part.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", resolved)
        write_text(folder / "quality.txt", table(summarise(analysis.observations)) + "\n")
    if "netcdf" in run.formats:
        attributes = provenance(resolved, run.cases, prepared.trained)
        products.append(write_product(analysis, folder, attributes, part.communicator))
    if "grib2" in run.formats:
        products.append(write_product_grib(analysis, folder, part.communicator))
    if run.maps:
        draw_maps(analysis, folder / "maps", part.communicator)
    return products


def _file(run: Run, prepared: Prepared, analyst: Analyst) -> list[Path]:
    """One product of all cases, which the data axis of the ranks divides."""
    cases, part = prepared.cases, analyst.part
    name, resolved = f"{cases.contents.domain.name}_{run.method}", config.to_yaml(run)
    folder, count = Path(run.output) / name, len(cases.time)
    with progress(f"analyse {cases.contents.domain.name}") if part.is_first else silent() as show:

        def analyses() -> Iterator[tuple[int, Analysis]]:
            for block in part.blocks(count):
                for number in block:
                    yield number, _analysis(analyst, number, lambda variable, share: None)
                show(run.method, block.stop / count)

        attributes = provenance(resolved, run.cases, prepared.trained)
        product = write_series(analyses(), cases.time, folder / f"{name}.nc", attributes, part.communicator)
    if part.is_first:
        write_text(folder / "config.yaml", resolved)
    return [product]


def _warn(analysis: Analysis) -> None:
    """Log what the product will hold as notes, and why no report counts where none does."""
    reports = analysis.observations
    if len(reports) and not np.isfinite(analysis.weight).any():
        first = total(summarise(reports)).first.items()
        reasons = ", ".join(f"{count} {flag}" for flag, count in first if count)
        log.warning("none of %d values is used: %s", len(reports), reasons)
    for note in analysis.notes:
        log.warning("%s", note)
