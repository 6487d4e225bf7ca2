"""What `mlrtma analyse` writes: one product per time of report files, or one of all cases of a source."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jobs.inputs import Prepared
from jobs.progress import progress, silent
from jobs.provenance import provenance
from mlrtma_dist import clock, config
from mlrtma_dist.inference.analyse import analyse
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.map_settings import load_map_settings
from mlrtma_dist.inference.maps import draw_maps
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.inference.parts import Analyst, Part
from mlrtma_dist.inference.product import write_product, write_series
from mlrtma_dist.inference.product_grib import write_product_grib
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.observations.quality_summary import summarise, table, total

log = logging.getLogger(__name__)
COUNTED = """\
read: values of the files, and the speed and the gust of a wind that came without. used: those of which the analysis was
made, as on its maps: the good ones and those that only the buddy check doubts, but no wind of which one component is
missing or rejected. Every value that is not good is counted once, under the first check that mistrusts it."""


def write_times(run, prepared: Prepared, analyst: Analyst) -> tuple[list[Analysis], list[Path]]:
    """Write one product per time; the analyses on every rank, and the products. Collective."""
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


def _write(run, prepared: Prepared, analysis: Analysis, folder: Path, part: Part) -> list[Path]:
    """Write the product of one time, its maps and what it was made of. Collective."""
    resolved, products = config.to_yaml(run), []
    if part.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", resolved)
        counts = table(summarise(analysis.observations, used_rows(analysis)))
        write_text(folder / "quality.txt", f"{counts}\n\n{COUNTED}\n")
    if "netcdf" in run.formats:
        attributes = provenance(resolved, run.cases, prepared.trained)
        products.append(write_product(analysis, folder, attributes, part.communicator))
    if "grib2" in run.formats:
        products.append(write_product_grib(analysis, folder, part.communicator))
    if run.maps:
        draw_maps(analysis, folder / "maps", part.communicator, load_map_settings(run.map_style))
    return products


def write_file(run, prepared: Prepared, analyst: Analyst) -> list[Path]:
    """Write one product of all cases, which the data axis of the ranks divides. Collective."""
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
