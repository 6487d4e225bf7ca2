"""Analyse one time on one domain.

    mlrtma analyse --domain conus --observations rap.t06z.adpsfc.prepbufr --output output
    mlrtma analyse run.yaml --domain my_region.yaml --observations a.csv b.prepbufr --background hrrr.grib2
    mlrtma analyse configs/inference/exercise1.yaml        # it has samples: every case of a store, see analyse_cases

Writes output/<domain>_<time>/<domain>_<time>.nc, its maps, config.yaml and quality.txt; of a store
output/<domain>_<method>/<domain>_<method>.nc and config.yaml.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from jobs import station_inputs
from jobs.command_line import kind_of, parse
from jobs.inputs import load_region, load_settings, provenance
from jobs.progress import progress
from mlrtma_dist import clock, config
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.inference.analyse import analyse, solve
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.maps import draw_maps
from mlrtma_dist.inference.problem import Problem, pose
from mlrtma_dist.inference.product import write_product
from mlrtma_dist.inference.product_grib import write_product_grib
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.settings import METHODS, check_ensemble
from mlrtma_dist.observations.quality_summary import summarise, table, total
from mlrtma_dist.observations.readers import PRECEDENCE

log = logging.getLogger(__name__)
OPTIONS = {
    **station_inputs.OPTIONS,
    "--samples": ("samples", "instead of observations: a store of cases, all of which are analysed"),
    "--checkpoint": ("checkpoint", "of a store: the trained method"),
    "--method": ("method", f"one of {', '.join(METHODS)}; of a store: unet, or what `verify` compares it with"),
    "--format": ("formats...", "of the product: netcdf, grib2"),
    "--output": ("output", "folder to write to"),
}
FORMATS = ("netcdf", "grib2")


@dataclass(frozen=True)
class Run:
    """One analysis.

    Attributes:
        domain: name or YAML file.
        observations: files.
        output: folder.
        background: gridded files; empty: the mean of the ensemble, without one a regression on the reports.
        ensemble: gridded files, one a member.
        time: UTC; null: the full hour nearest to the middle of the reports.
        method: of ``methods.settings.METHODS``.
        settings: file of ``configs/methods`` with what the methods assume.
        variables: to analyse; empty: all of the settings.
        window_minutes: half width of the observation window.
        mapping: column mapping of CSV files; null: chosen by their header.
        stations: lists of stations, for METAR text.
        station_lists: operational reject and use lists and observation errors.
        precedence: kinds of source, the most trusted first.
        codes: what the background's own codes mean (``io.field_codes``).
        maps: draw them.
        formats: of the product, some of FORMATS.
    """

    domain: str
    observations: tuple[str, ...]
    output: str
    background: tuple[str, ...] = ()
    ensemble: tuple[str, ...] = ()
    time: str | None = None
    method: str = "threedvar"
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    window_minutes: float = 30.0
    mapping: str | None = None
    stations: tuple[str, ...] = ()
    station_lists: tuple[str, ...] = ()
    precedence: tuple[str, ...] = PRECEDENCE
    codes: dict[str, str] = field(default_factory=dict)
    maps: bool = True
    formats: tuple[str, ...] = ("netcdf",)

    def __post_init__(self):
        if not self.formats or set(self.formats) - set(FORMATS):
            got = ", ".join(self.formats) or "none"
            raise ValueError(f"formats: expected some of {', '.join(FORMATS)}, got {got}")
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {self.method!r}")
        check_ensemble(self.method, bool(self.ensemble))
        station_inputs.check(self)

    def expected_bytes(self) -> float:
        """Size of the product: analysis, increment and error of each variable and four fields of the grid.

        Compressed they take 0.6 (nine variables, Alaska) to 0.7 bytes a point (temperature alone, CONUS).
        """
        rows, columns = load_region(self.domain).shape
        fields = 3 * len(load_settings(self.settings, self.variables).variables) + 4
        return 0.7 * rows * columns * fields


def main(arguments: list[str]) -> None:
    """Run the verb, of station observations or of the cases of a store."""
    if kind_of("analyse", __doc__, arguments, OPTIONS, ("observations", "samples")) == "samples":
        from jobs import analyse_cases  # here: it needs torch, whose import takes seconds

        analyse_cases.main(arguments, OPTIONS)
        return
    run = parse(Run, "analyse", __doc__, arguments, OPTIONS)
    if run is not None:
        analysis, products = make(run)
        print(*products, sep="\n")


def make(run: Run) -> tuple[Analysis, list[Path]]:
    """Analyse and write; returns the analysis and the products' paths."""
    settings = load_settings(run.settings, run.variables)
    domain = load_region(run.domain)
    observations = station_inputs.read(run)
    problem = pose(load_static(domain), observations, settings, **station_inputs.asked(run, observations))
    _warn(problem)
    with progress(f"analyse {domain.name}") as show:
        fits = solve(problem, run.method, settings)
        analysis = analyse(problem, fits, settings, run.method, progress=show)
    folder = Path(run.output) / f"{domain.name}_{clock.compact(problem.time)}"
    folder.mkdir(parents=True, exist_ok=True)
    resolved = config.to_yaml(run)
    write_text(folder / "config.yaml", resolved)
    write_text(folder / "quality.txt", table(summarise(analysis.observations)) + "\n")
    products = []
    if "netcdf" in run.formats:
        made_of = provenance(resolved, run.observations, run.background + run.ensemble)
        products.append(write_product(analysis, folder, made_of))
    if "grib2" in run.formats:
        products.append(write_product_grib(analysis, folder))
    if run.maps:
        draw_maps(analysis, folder / "maps")
    return analysis, products


def _warn(problem: Problem) -> None:
    """Say aloud what the product will say of itself, and why no report counts where none does."""
    if not problem.used.any():
        first = total(summarise(problem.observations)).first.items()
        log.warning("none of %d values is used: %s", len(problem.used), ", ".join(f"{n} {f}" for f, n in first if n))
    for note in problem.notes:
        log.warning("%s", note)
