"""Analyse one time on one domain.

    mlrtma analyse --domain conus --observations rap.t06z.adpsfc.prepbufr --output output
    mlrtma analyse run.yaml --domain my_region.yaml --observations a.csv b.prepbufr --background hrrr.grib2

Writes output/<domain>_<time>/<domain>_<time>.nc, its maps, config.yaml and quality.txt.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.command_line import parse
from jobs.inputs import check_times, load_region, load_settings, provenance, read_all
from jobs.progress import progress
from mlrtma_dist import clock, config
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.inference.analyse import analyse, solve
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.maps import draw_maps
from mlrtma_dist.inference.problem import pose
from mlrtma_dist.inference.product import write_product
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.settings import METHODS, check_ensemble
from mlrtma_dist.observations.quality_summary import summarise, table

OPTIONS = {
    "--domain": ("domain", "a shipped domain (conus, alaska, hawaii, guam, puerto_rico, *_1km) or a YAML file"),
    "--observations": ("observations...", "observation files: PrepBUFR, CSV; .gz too"),
    "--background": ("background...", "gridded first guess: GRIB, CF netCDF, an earlier analysis; none: a regression"),
    "--ensemble": ("ensemble...", "gridded files, one a member, for letkf, envar, hybrid"),
    "--time": ("time", "analysis time in UTC, e.g. 2022-08-24T06:00; none: the full hour nearest to the reports"),
    "--method": ("method", f"one of {', '.join(METHODS)}"),
    "--output": ("output", "folder to write to"),
}


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
        maps: draw them.
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
    maps: bool = True

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {self.method!r}")
        check_ensemble(self.method, bool(self.ensemble))
        check_times(self.time, self.window_minutes)

    def expected_bytes(self) -> float:
        """Size of the product: analysis, increment and error of each variable and four fields of the grid.

        Compressed they take 0.6 (nine variables, Alaska) to 0.7 bytes a point (temperature alone, CONUS).
        """
        rows, columns = load_region(self.domain).shape
        fields = 3 * len(load_settings(self.settings, self.variables).variables) + 4
        return 0.7 * rows * columns * fields


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "analyse", __doc__, arguments, OPTIONS)
    if run is not None:
        analysis, product = make(run)
        print(product)


def make(run: Run) -> tuple[Analysis, Path]:
    """Analyse and write; returns the analysis and the product's path."""
    settings = load_settings(run.settings, run.variables)
    domain = load_region(run.domain)
    observations = read_all(run.observations, run.mapping)
    time = clock.parse_time(run.time) if run.time else clock.nearest_hour(observations.time)
    static = load_static(domain)
    problem = pose(
        static, observations, settings, time=time, background=run.background, ensemble=run.ensemble,
        window=np.timedelta64(round(run.window_minutes * 60), "s"),
    )
    with progress(f"analyse {domain.name}") as show:
        fits = solve(problem, run.method, settings)
        analysis = analyse(problem, fits, settings, run.method, progress=show)
    folder = Path(run.output) / f"{domain.name}_{clock.compact(time)}"
    folder.mkdir(parents=True, exist_ok=True)
    resolved = config.to_yaml(run)
    write_text(folder / "config.yaml", resolved)
    write_text(folder / "quality.txt", table(summarise(analysis.observations)) + "\n")
    product = write_product(analysis, folder, provenance(resolved, run.observations, run.background + run.ensemble))
    if run.maps:
        draw_maps(analysis, folder / "maps")
    return analysis, product
