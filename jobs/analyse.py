"""Analyse cases: station reports, the cases of a store, or of a simulated world.

    mlrtma analyse --domain conus --observations rap.t06z.adpsfc.prepbufr --output output
    mlrtma analyse run.yaml --domain my_region.yaml --observations a.csv b.prepbufr --background hrrr.grib2
    mlrtma analyse configs/inference/exercise1.yaml        # every case of a store, by a trained network
    mpiexec -n 4 mlrtma analyse --domain conus --observations FILE --output output         # the same product, sooner

Of report files every time becomes output/<domain>_<time>/<domain>_<time>.nc with maps, config.yaml and quality.txt; the
cases of a store or of a world become one file, output/<domain>_<method>/<domain>_<method>.nc, and config.yaml.
"""

from dataclasses import dataclass
from pathlib import Path

from jobs.analysis_products import write_file, write_times
from jobs.case_options import OPTIONS as INPUTS
from jobs.case_options import TrainingCasesSection
from jobs.command_line import parse
from jobs.inputs import check_run, make_stores, prepare, start_ranks
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import DERIVED
from mlrtma_dist.inference.map_settings import load_map_settings
from mlrtma_dist.inference.parts import Analyst, part_of
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.sources import CasesSection

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
        map_style: units and colour scales of the maps, a file of ``configs/maps``.
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
    map_style: str = "us"
    formats: tuple[str, ...] = ("netcdf",)
    mesh: Mesh | None = None
    device: str = "auto"

    def __post_init__(self):
        if not self.formats or set(self.formats) - set(FORMATS):
            got = ", ".join(self.formats) or "none"
            raise ValueError(f"formats: expected some of {', '.join(FORMATS)}, got {got}")
        load_map_settings(self.map_style)
        check_run(self, (self.method,))

    def expected_bytes(self) -> float | None:
        """Size of one product: analysis, increment and error of each variable, derived fields, four of the grid.

        Compressed they take 0.6 (nine variables, Alaska) to 0.7 bytes per point (temperature alone, CONUS). None of
        the cases of a store or of a world: the store may have yet to be made.
        """
        if self.cases.reports is None:
            return None
        rows, columns = self.cases.load_domain().shape
        fields = 3 * len(load_settings(self.settings, self.variables).variables) + len(DERIVED) + 4
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
            products = write_file(run, prepared, analyst)
            return [], products if part.is_first else []
        analyses, products = write_times(run, prepared, analyst)
        return analyses, products if part.is_first else []
