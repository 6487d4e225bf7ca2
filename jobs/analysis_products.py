"""What `mlrtma analyse` writes: one product per time of report files, or one of all cases of a source."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.inputs import Prepared
from jobs.progress import progress, silent
from jobs.provenance import provenance
from mlrtma_dist import clock, config
from mlrtma_dist.errors import InputError
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
from mlrtma_dist.verification.match import FIRST_GUESS
from mlrtma_dist.verification.trend import Errors

log = logging.getLogger(__name__)
COUNTED = """\
read: values of the files, and the speed and the gust of a wind that came without. used: those of which the analysis was
made, as on its maps: the good ones and those that only the buddy check doubts, but no wind of which one component is
missing or rejected. Every value that is not good is counted once, under the first check that mistrusts it."""


@dataclass(frozen=True)
class Outcome:
    """What was written of one time, or of all cases of a source.

    Attributes:
        analysis: of the time, on this rank's box; None: there are several, or the time was left out.
        products: their files.
        shortfalls: what falls short of the requirement, a sentence each.
    """

    analysis: Analysis | None
    products: tuple[Path, ...]
    shortfalls: tuple[str, ...]


def write_times(run, prepared: Prepared, analyst: Analyst) -> Iterator[Outcome]:
    """Write one product per time. Collective.

    Of several times one whose input cannot be used, such as an hour without its background, is left out.

    Raises:
        InputError: the input of the only time cannot be used.
    """
    domain, part, times = prepared.cases.contents.domain, analyst.part, prepared.cases.time
    for number, time in enumerate(times):
        try:
            which = f", {number + 1} of {len(times)}" if len(times) > 1 else ""
            with progress(f"analyse {domain.name}{which}") if part.is_first else silent() as show:
                analysis, shortfalls = _analysis(run, analyst, number, show)
        except InputError as error:  # the same on all ranks
            if len(times) == 1:
                raise
            yield Outcome(None, (), (f"{domain.name} {str(time)[:16]} is left out: {error}",))
            continue
        if part.is_first:
            _warn(analysis)
        folder = Path(run.output) / f"{domain.name}_{clock.compact(time)}"
        yield Outcome(analysis, tuple(_write(run, prepared, analysis, folder, part)), tuple(shortfalls))


def departures_of(analysis: Analysis) -> Errors:
    """First guess and analysis minus the reports that the analysis used, of each variable, analysis space."""
    used = np.isfinite(analysis.weight) & np.isfinite(analysis.analysis_departure)
    departures = {FIRST_GUESS: analysis.background_departure, analysis.method: analysis.analysis_departure}
    domain = analysis.static.domain.name
    return {
        (domain, analysis.time, method, str(name)): -departure[used & (analysis.observations.variable == name)]
        for method, departure in departures.items()
        for name in np.unique(analysis.observations.variable[used])
    }


def _analysis(run, analyst: Analyst, number: int, show) -> tuple[Analysis, list[str]]:
    """The analysis of a case on this rank's box, and what it lacks. Collective among the ranks that share the case."""
    ((name, case, answer),) = analyst.answers(number)
    analysis = analyst.cut(analyse(case, answer, name, share=analyst.part.share, progress=show, ensemble=run.ensemble))
    return analysis, run.require.shortfalls_of(case, answer.variables)


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


def write_file(run, prepared: Prepared, analyst: Analyst) -> Iterator[Outcome]:
    """Write one product of all cases, which the data axis of the ranks divides. Collective."""
    cases, part = prepared.cases, analyst.part
    name, resolved = f"{cases.contents.domain.name}_{run.method}", config.to_yaml(run)
    folder, count = Path(run.output) / name, len(cases.time)
    shortfalls: list[str] = []
    with progress(f"analyse {cases.contents.domain.name}") if part.is_first else silent() as show:

        def analyses() -> Iterator[tuple[int, Analysis]]:
            for block in part.blocks(count):
                for number in block:
                    analysis, lacks = _analysis(run, analyst, number, lambda variable, share: None)
                    shortfalls.extend(lacks)
                    yield number, analysis
                show(run.method, block.stop / count)

        attributes = provenance(resolved, run.cases, prepared.trained)
        product = write_series(analyses(), cases.time, folder / f"{name}.nc", attributes, part.communicator)
    if part.is_first:
        write_text(folder / "config.yaml", resolved)
    if part.communicator is not None:
        shortfalls = [line for share in part.communicator.allgather(shortfalls) for line in share]
    yield Outcome(None, (product,), tuple(dict.fromkeys(shortfalls)))


def _warn(analysis: Analysis) -> None:
    """Log what the product will hold as notes, and why no report counts where none does."""
    reports = analysis.observations
    if len(reports) and not np.isfinite(analysis.weight).any():
        first = total(summarise(reports)).first.items()
        reasons = ", ".join(f"{count} {flag}" for flag, count in first if count)
        log.warning("none of %d values is used: %s", len(reports), reasons)
    for note in analysis.notes:
        log.warning("%s", note)
