"""A window of reports on a small grid, and 4D-Var of it: by the method, and written out as matrices."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from lam_cases import DOMAIN, SHAPE, STATIC, WHOLE

from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalMethod
from mlrtma_dist.methods.fourdvar_reports import ReportsFourDVar
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.levels_root import ADDED
from mlrtma_dist.methods.oi_time import OI_TIME
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.wind import in_space
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.judgement import Judge

TIME, HOUR = np.datetime64("2026-08-18T12:00:00"), np.timedelta64(3600, "s")
EXACT = {"tolerance": 1e-12}
BY_LEVELS = {"most_whole": 60}  # the root of a grid that is too large to be factored as a whole
NAMES = ("t2m", "u10", "v10")
UNITS = Statistics(
    tuple(f"truth_{name}" for name in NAMES), (285.0, 1.0, 0.0), (4.0, 3.0, 3.0), 9, "", "", change_deviation=(1, 1, 1)
)


def shipped_settings() -> Classical:
    """The shipped settings, without quality control and without scaling to the hour."""
    own = load_settings("classical", NAMES)
    return replace(own, amplitude=False, variables={n: replace(each, huber=None) for n, each in own.variables.items()})


def window_case(settings: Classical, names: Sequence[str] = NAMES) -> Case:
    """Reports of some variables by 25 stations at three hours, the last that of the analysis."""
    random = np.random.default_rng(5)
    count, hours = 25, (-2, -1, 0)
    latitude, longitude = random.uniform(40.0, 42.2, count), random.uniform(-99.9, -97.0, count)
    place = np.tile(np.arange(count), len(hours) * len(NAMES))
    kind, hour = (each.ravel() for each in np.meshgrid(np.arange(len(NAMES)), hours, indexing="ij"))
    kind, hour = np.repeat(kind, count), np.repeat(hour, count)
    value = np.array([285.0, 1.0, 0.0])[kind] + random.normal(size=kind.size) + random.normal(0, 2, count)[place]
    table = Observations.build(
        station=np.array([f"S{n:02d}" for n in range(count)])[place],
        latitude=latitude[place],
        longitude=longitude[place],
        elevation=np.full(kind.size, 400.0),
        time=TIME + hour * HOUR,
        variable=np.array(NAMES)[kind],
        value=value,
    )
    table = table[np.isin(table.variable, names)]
    judge = Judge(assumptions(settings), np.timedelta64(30, "m"), in_time=np.timedelta64(150, "m"))
    return judge.case(STATIC, TIME, table, None, WHOLE)


def fourdvar(settings, correlation: float, forecast: LamMethod | None = None, **more) -> ReportsFourDVar:
    base = ClassicalMethod(OI_TIME, settings, HourSettings(settings))
    model = "persistence" if forecast is None else "lam"
    return ReportsFourDVar(base, FourDVarSettings(model, correlation=correlation, **EXACT | more), forecast)


def emulator(seed: int = 1) -> LamMethod:
    method = LamMethod(LamSettings(variables=3, widths=(8, 8), rim=0), UNITS)
    randomise(method.network, seed)
    method.settle(DOMAIN)
    return method


def dense(answer, settings, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Departures at the analysis time and variances of their errors, (variable, y, x), written out.

    They are B H' (H B H' + R)^-1 d and the diagonal of B - B H' (H B H' + R)^-1 H B.
    """
    case, points = answer.case, grid_points(STATIC, slice(0, SHAPE[0]), slice(0, SHAPE[1]))
    parts = []
    for name in NAMES:
        covariance = Covariance(settings.in_window.variables[name].covariance)
        parts.append(covariance.matrix(points, points) + ADDED * covariance.variance * np.eye(len(points)))
    ones = np.ones(len(points))
    east, north = (in_space(points, np.stack(each, 1)) for each in ((ones, 0 * ones), (0 * ones, ones)))
    b = np.zeros((3, len(points), 3, len(points)))
    b[0, :, 0] = parts[0]
    for i, one in enumerate((east, north)):
        for j, other in enumerate((east, north)):
            b[1 + i, :, 1 + j] = parts[1] * (one @ other.T)
    rows = np.flatnonzero(np.isfinite(answer.weight))
    h, place = np.zeros((len(rows), 3, len(points))), case.grid_place[rows]
    number = np.array([NAMES.index(name) for name in case.observations.variable[rows]])
    for point in range(len(points)):
        unit = np.zeros(len(points))
        unit[point] = 1.0
        h[np.arange(len(rows)), number, point] = bilinear(unit.reshape(SHAPE), *place.T)
    hour = np.rint(case.hours[rows])
    flat, h = b.reshape(3 * len(points), -1), h.reshape(len(rows), -1)
    system = (h @ flat @ h.T) * correlation ** np.abs(hour[:, None] - hour)
    system += np.diag(answer.observation_error[rows] ** 2)
    towards = (flat @ h.T) * correlation ** np.abs(hour)
    departures = towards @ np.linalg.solve(system, case.departure[rows])
    variances = np.diag(flat) - np.einsum("nm,mn->n", towards, np.linalg.solve(system, towards.T))
    return departures.reshape(3, *SHAPE), variances.reshape(3, *SHAPE)
