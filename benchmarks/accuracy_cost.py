"""What the methods cost beside the kriging library: the same stations, the same grid points, one thread, one run.

2 m temperature of the RAP hour over CONUS, every 34th point of the grid both ways: 69 x 47 points of 86 km. Each
method fits the same departures and gives increment and error at every point, in blocks of neighbours as an analysis
does; the library is given all points at once, which is what it is fastest with. The same at the
8,188 points of the grid of mm5_pnw, with its stations.
"""

import time
from dataclasses import dataclass, fields

import numpy as np
from accuracy_data import HOURS, conus
from accuracy_tables import NAMES
from known_members import members_at
from kriging import Kriging
from mm5_pnw import VERIFYING, read_days, read_grid, remove_bias
from threadpoolctl import threadpool_limits

from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.departure_kind import Prior
from mlrtma_dist.methods.departure_method import DepartureMethod
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.methods.settings import load_settings

EVERY, BLOCK = 34, 24  # grid points; points of a block's edge


@dataclass(frozen=True)
class Cost:
    """Seconds of one run.

    Attributes:
        stations, points: how many.
        fit, ask: method -> seconds to fit, and to give increment and error.
    """

    stations: int
    points: int
    fit: dict[str, float]
    ask: dict[str, float]

    def total(self, method: str) -> float:
        """Seconds of a method."""
        return self.fit[method] + self.ask[method]


def measure_conus(every: int = EVERY) -> Cost:
    """Every method on a coarse grid over CONUS, with the stations of the RAP hour."""
    settings, (hour,) = load_settings("classical", ("t2m",)), HOURS["rap"]
    case = hour.cases(hour.read(), settings).whole()
    rows, hour = case.used, HourSettings(settings).of(case, ("t2m",))["t2m"]
    methods = {
        m: METHODS[m].kind.method(Prior("t2m", settings, Covariance(hour.covariance))) for m in ("oi", "threedvar")
    }
    grid = grid_points(conus(), slice(None, None, every), slice(None, None, every))
    error = settings.variables["t2m"].observation_error
    return _measure(
        {"kriging": Kriging()} | methods, case.points[rows], case.departure[rows], error, grid, _blocks(every)
    )


def measure_mm5() -> Cost:
    """Every method on the grid of mm5_pnw, with its stations and members."""
    settings = load_settings("mm5_pnw")
    day, (grid, deviations) = remove_bias(read_days(conus()))[0][VERIFYING], read_grid(conus())
    everywhere = Points(*(np.concatenate([getattr(p, f.name) for p in (day.points, grid)]) for f in fields(Points)))
    members = members_at(everywhere, np.concatenate([day.deviations, deviations], axis=1))
    assumed = settings.variables["t2m"]
    methods = {
        m: METHODS[m].kind.method(Prior("t2m", settings, Covariance(assumed.covariance), members))
        for m in ("oi", "threedvar", "letkf", "envar", "hybrid")
    }
    return _measure(
        {"kriging": Kriging()} | methods,
        day.points,
        day.departure,
        assumed.observation_error,
        grid,
        [np.arange(len(grid))],
    )


def _measure(
    methods: dict[str, DepartureMethod], points: Points, departure, error: float, grid: Points, blocks
) -> Cost:
    """Time every method on one thread."""
    fitted, asked = {}, {}
    with threadpool_limits(1):
        for name, method in methods.items():
            begun = time.process_time()
            fit = method.fit(points, departure, np.full(len(departure), error))
            fitted[name] = time.process_time() - begun
            for block in [slice(None)] if name == "kriging" else blocks:
                fit.increment(there := grid[block])
                fit.error(there)
            asked[name] = time.process_time() - begun - fitted[name]
            print(f"cost: {NAMES[name]:<16}{fitted[name]:8.2f} s fit{asked[name]:8.2f} s grid", flush=True)
    return Cost(len(departure), len(grid), fitted, asked)


def _blocks(every: int) -> list[np.ndarray]:
    """Rows of the coarse grid's points that lie in a block together."""
    shape = tuple(-(-size // every) for size in conus().domain.shape)
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    return [
        number[i : i + BLOCK, j : j + BLOCK].ravel()
        for i in range(0, shape[0], BLOCK)
        for j in range(0, shape[1], BLOCK)
    ]


def cost_table(cost: Cost, where: str) -> str:
    """The cost as Markdown."""
    lines = [
        f"{where}: {cost.stations:,} stations, {cost.points:,} grid points, increment and error, "
        "processor seconds on one thread.",
        "",
        "| method | fit | grid | together | of the library's |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {NAMES[m]} | {cost.fit[m]:.2f} | {cost.ask[m]:.2f} | {cost.total(m):.2f} | "
        f"{cost.total(m) / cost.total('kriging'):.3f} |"
        for m in cost.fit
    ]
    return "\n".join(lines)


def costs() -> tuple[str, float]:
    """Both tables as Markdown; geometric mean of 3D-Var's seconds over the library's."""
    measured = {"CONUS": measure_conus(), "Pacific Northwest": measure_mm5()}
    ratios = [cost.total("threedvar") / cost.total("kriging") for cost in measured.values()]
    tables = "\n\n".join(cost_table(cost, where) for where, cost in measured.items())
    return tables, float(np.exp(np.mean(np.log(ratios))))
