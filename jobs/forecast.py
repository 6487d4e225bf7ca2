"""Forecast hours ahead from analyses by a trained network, step by step: gridded states in, one CF netCDF file out.

    mlrtma forecast --domain hrrr_swidaho --states HOUR05.grib2 HOUR06.grib2 --time 2018-07-23T05:00 2018-07-23T06:00 \\
        --checkpoint output/lam/hrrr_swidaho/checkpoints/best --hours 6 --output output/forecast
    mlrtma forecast run.yaml --boundary LARGER_MODEL.grib2         # the outer cells follow another model's forecast
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
from jobs.progress import progress, silent
from jobs.provenance import names_of, provenance
from mlrtma_dist import clock, config
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.forecast import forecast
from mlrtma_dist.inference.parts import Part, part_of
from mlrtma_dist.inference.product import write_series
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.case import Case, Cases
from mlrtma_dist.parallel.meeting import check_device
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.states import StateCases, States

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        cases: where the states are: a domain and a source of cases with truth (``samples.sources.CasesSection``).
        output: folder to write to.
        checkpoint: folder of a trained network that forecasts.
        start: times at which forecasts begin, UTC; empty: the last one of the cases.
        hours: how far ahead, in hours, a multiple of the network's step.
        boundary: gridded files of the coming states, of which the outer cells are used; null: these stay as they are.
        mesh: the ranks as (data, y, x), of which data is 1; null: tiles in y.
        device: "auto", "cpu" or "cuda".
    """

    cases: CasesSection
    output: str
    checkpoint: str
    start: tuple[str, ...] = ()
    hours: float = 6.0
    boundary: States | None = None
    mesh: Mesh | None = None
    device: str = "auto"

    def __post_init__(self):
        check_device(self.device)
        if not 0.0 < self.hours < math.inf:
            raise ValueError(f"hours: expected more than 0 and finite, got {self.hours:g}")
        if self.mesh is not None and self.mesh.data != 1:
            raise ValueError(f"mesh: expected data: 1, as all ranks share each forecast, got data: {self.mesh.data}")
        clock.parse_times(self.start)


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "forecast", __doc__, arguments)
    for product in make(run) if run is not None else ():
        print(product, flush=True)


def make(run: Run) -> list[Path]:
    """Forecast and write; returns the products on rank 0. Collective."""
    from mlrtma_dist.methods.lam import LamMethod
    from mlrtma_dist.parallel.ranks import Ranks  # here: it needs torch, whose import takes seconds
    from mlrtma_dist.weights.trained import load_trained

    trained = load_trained(run.checkpoint)
    method = trained.method
    if not isinstance(method, LamMethod):
        raise InputError(f"checkpoint: expected one of method lam, which forecasts, got one of {trained.name}")
    steps = run.hours * 60 / method.settings.step_minutes
    if steps != round(steps):
        step = method.settings.step_minutes
        raise config.ConfigError(f"hours: expected a multiple of the network's step of {step} min, got {run.hours:g}")
    with Ranks.start(run.mesh, device=run.device, in_tiles=True) as ranks:
        section = run.cases
        if section.states is not None:
            section = replace(section, states=replace(section.states, variables=method.variables))
        cases = open_cases(section)
        method.settle(cases.contents.domain)
        method.check(cases.contents)
        method.network.to(ranks.device)
        part = part_of(ranks, cases, {trained.name: method}, one_case=True)
        coming = replace(run.boundary, variables=method.variables).on(cases.contents.domain) if run.boundary else None
        if coming is None and method.settings.rim and part.is_first:
            log.warning("no boundary: %s", method.without_boundary)
        numbers = _numbers(run, cases)
        if coming is not None:
            _check_boundary(coming, cases.time[numbers][:, None] + method.step * np.arange(1, round(steps) + 1))
        products = [_write(run, trained, cases.case(n, part.box), coming, round(steps), part) for n in numbers]
    return products if part.is_first else []


def _numbers(run: Run, cases: Cases) -> list[int]:
    """Numbers of the cases that forecasts begin with."""
    starts = clock.parse_times(run.start) if run.start else cases.time[-1:]
    missing = [str(start) for start in starts if start not in cases.time]
    if missing:
        raise InputError(f"start: expected times of the cases, {cases.time[0]} to {cases.time[-1]}, got {missing[0]}")
    return [int(np.flatnonzero(cases.time == start)[-1]) for start in starts]


def _check_boundary(coming: StateCases, times: np.ndarray) -> None:
    """Raise InputError unless the boundary has a state of every time."""
    missing = times[~np.isin(times, coming.time)]
    if missing.size:
        raise InputError(f"boundary: expected states of every step, found none of {missing[0]}: add to --boundary-time")


def _write(run: Run, trained, case: Case, coming, steps: int, part: Part) -> Path:
    """Write one forecast. Collective."""
    from mlrtma_dist.methods.lam import nothing_known  # here: it needs torch

    domain, method, resolved = case.domain, trained.method, config.to_yaml(run)
    name = f"{domain.name}_{clock.compact(case.time)}"
    times = case.time + method.step * np.arange(1, steps + 1)
    attributes = provenance(resolved, run.cases, {trained.name: trained}) | {
        "title": f"Surface weather forecast, {domain.title}, {clock.compact(case.time)} and {run.hours:g} h ahead",
        "source": f"{steps} steps of {method.settings.step_minutes} min by {trained.name}",
        "boundary_files": names_of(run.boundary.files) if run.boundary else f"none: {method.without_boundary}",
    }
    boundary = (lambda time: coming.state(time, case.box)) if coming is not None else nothing_known
    with progress(f"forecast {domain.name}") if part.is_first else silent() as show:
        ahead = forecast(
            case, method, trained.name, steps, boundary, part.neighbourhood, lambda share: show("states", share)
        )
        path = write_series(
            ahead, times, Path(run.output) / name / f"{name}_forecast.nc", attributes, part.communicator
        )
    if part.is_first:
        write_text(path.parent / "config.yaml", resolved)
    return path
