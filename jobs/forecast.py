"""Forecast hours ahead from analyses by a trained network, step by step: gridded states in, one CF netCDF file out.

    mlrtma forecast --domain hrrr_swidaho --states HOUR05.grib2 HOUR06.grib2 --time 2018-07-23T05:00 2018-07-23T06:00 \\
        --checkpoint output/lam/hrrr_swidaho/checkpoints/best --hours 6 --output output/forecast
    mlrtma forecast run.yaml --boundary LARGER_MODEL.grib2         # the outer cells follow another model's forecast
    mlrtma forecast run.yaml --members 20                          # mean and spread, by a network that draws members
    mpiexec -n 4 mlrtma forecast run.yaml                          # the same file, sooner: ranks are tiles

The states are those of two consecutive times, such as products of `mlrtma analyse`; the forecast begins at the later
one. Writes output/<domain>_<start>/<domain>_<start>_forecast.nc, whose times are every step ahead, and config.yaml.
"""

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jobs.command_line import parse
from jobs.forecast_input import check_boundary, forecaster_of, starts_of
from jobs.progress import progress, silent
from jobs.provenance import names_of, provenance
from mlrtma_dist import clock, config
from mlrtma_dist.inference.distribution import check_limits
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.inference.forecast import forecast
from mlrtma_dist.inference.parts import Part, part_of
from mlrtma_dist.inference.product import write_series
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.lam_drawing import Drawing
from mlrtma_dist.parallel.meeting import check_device
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.states import States
from mlrtma_dist.weights.release import folder_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        cases: where the states are: a domain and a source of cases with truth (``samples.sources.CasesSection``).
        output: folder to write to.
        checkpoint: folder of a trained network that forecasts; null: the weights that come with method lam.
        start: times at which forecasts begin, UTC; empty: the last one of the cases.
        hours: how far ahead, in hours, a multiple of the network's step.
        boundary: gridded files of the coming states, of which the outer cells are used; null: these stay as they are.
        drawing: how members are drawn, of a network that draws them; null: ten, as is usual.
        ensemble: what the product has of their distribution beside mean and spread.
        mesh: the ranks as (data, y, x), of which data is 1; null: tiles in y.
        device: "auto", "cpu" or "cuda".
    """

    cases: CasesSection
    output: str
    checkpoint: str | None = None
    start: tuple[str, ...] = ()
    hours: float = 6.0
    boundary: States | None = None
    drawing: Drawing | None = None
    ensemble: EnsembleSection = EnsembleSection()
    mesh: Mesh | None = None
    device: str = "auto"

    def __post_init__(self):
        check_device(self.device)
        if not 0.0 < self.hours < math.inf:
            raise ValueError(f"hours: expected more than 0 and finite, got {self.hours:g}")
        if self.mesh is not None and self.mesh.data != 1:
            raise ValueError(f"mesh: expected data: 1, as all ranks share each forecast, got data: {self.mesh.data}")
        check_limits(self.ensemble)
        clock.parse_times(self.start)


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "forecast", __doc__, arguments)
    for product in make(run) if run is not None else ():
        print(product, flush=True)


def make(run: Run) -> list[Path]:
    """Forecast and write; returns the products on rank 0. Collective."""
    from mlrtma_dist.parallel.ranks import Ranks  # here: it needs torch, whose import takes seconds
    from mlrtma_dist.weights.trained import load_trained

    trained = load_trained(folder_of(run.checkpoint, "lam", "checkpoint"))
    method, steps = forecaster_of(trained, run.hours, run.drawing, run.ensemble)
    with Ranks.start(run.mesh, device=run.device, in_tiles=True) as ranks:
        section = run.cases
        if section.states is not None:
            section = replace(section, states=replace(section.states, variables=method.variables))
        cases = open_cases(section)
        trained.settle(cases.contents.domain, "checkpoint")
        method.check(cases.contents)
        method.network.to(ranks.device)
        part = part_of(ranks, cases, {trained.name: trained.method}, one_case=True)
        coming = replace(run.boundary, variables=method.variables).on(cases.contents.domain) if run.boundary else None
        if coming is None and method.settings.rim and part.is_first:
            log.warning("no boundary: %s", method.without_boundary)
        numbers = starts_of(cases, run.start, method.step, part.is_first)
        if coming is not None:
            check_boundary(coming, cases.time[numbers][:, None] + method.step * np.arange(1, steps + 1))
        products = [_write(run, trained, cases.case(n, part.box), coming, steps, part) for n in numbers]
    return products if part.is_first else []


def _write(run: Run, trained, case: Case, coming, steps: int, part: Part) -> Path:
    """Write one forecast. Collective."""
    from mlrtma_dist.methods.lam import nothing_known  # here: it needs torch

    domain, method, resolved = case.domain, trained.method, config.to_yaml(run)
    name = f"{domain.name}_{clock.compact(case.time)}"
    times = case.time + method.step * np.arange(1, steps + 1)
    attributes = provenance(resolved, run.cases, {trained.name: trained}) | {
        "title": f"Surface weather forecast, {domain.title}, {clock.compact(case.time)} and {run.hours:g} h ahead",
        "source": f"{steps} steps of {method.settings.step_minutes} min by {trained.name}"
        + (f", {method.count} members" if method.count > 1 else ""),
        "boundary_files": names_of(run.boundary.files) if run.boundary else f"none: {method.without_boundary}",
    }
    boundary = (lambda time: coming.state(time, case.box)) if coming is not None else nothing_known
    with progress(f"forecast {domain.name}") if part.is_first else silent() as show:
        here = part.neighbourhood
        ahead = forecast(
            case, method, trained.name, steps, boundary, here, lambda share: show("states", share), run.ensemble
        )
        path = write_series(
            ahead, times, Path(run.output) / name / f"{name}_forecast.nc", attributes, part.communicator
        )
    if part.is_first:
        write_text(path.parent / "config.yaml", resolved)
    return path
