"""What the methods cost beside the kriging library: the same stations, the same grid points, one thread, one run.

2 m temperature of the RAP hour over CONUS, every 17th point of the grid both ways: 138 x 94 points of 43 km. Each
method fits the same departures and gives increment and error at every point, in blocks of neighbours as an analysis
does; the library is given all points at once, which is what it is fastest with.
"""

import time
from dataclasses import dataclass

import numpy as np
from accuracy_data import HOURS, conus
from accuracy_tables import NAMES
from kriging import Kriging
from threadpoolctl import threadpool_limits

from jobs.inputs import load_settings
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.inference.problem import pose
from mlrtma_dist.methods.settings import build_method

EVERY, BLOCK = 17, 24  # grid points; points of a block's edge
METHODS = ("kriging", "oi", "threedvar")


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


def measure(every: int = EVERY) -> Cost:
    """Time every method on one thread."""
    settings, (hour,) = load_settings("classical", ("t2m",)), HOURS["rap"]
    problem = pose(conus(), hour.read(("t2m",)), settings, **hour.asked)
    rows, assumed = problem.used, settings.variables["t2m"]
    points, departure = problem.points[rows], problem.departure[rows]
    error = np.full(len(departure), assumed.observation_error)
    grid = grid_points(conus(), slice(None, None, every), slice(None, None, every))
    fitted, asked = {}, {}
    with threadpool_limits(1):
        for method in METHODS:
            made = Kriging() if method == "kriging" else build_method(
                method, settings, "t2m", problem.covariance["t2m"])
            begun = time.perf_counter()
            fit = made.fit(points, departure, error)
            fitted[method] = time.perf_counter() - begun
            for block in ([slice(None)] if method == "kriging" else _blocks(every)):
                fit.increment(there := grid[block])
                fit.error(there)
            asked[method] = time.perf_counter() - begun - fitted[method]
            print(f"cost: {NAMES[method]:<16}{fitted[method]:8.2f} s fit{asked[method]:8.2f} s grid", flush=True)
    return Cost(len(departure), len(grid), fitted, asked)


def _blocks(every: int) -> list[np.ndarray]:
    """Rows of the coarse grid's points that lie in a block together."""
    shape = tuple(-(-size // every) for size in conus().domain.shape)
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    return [number[i : i + BLOCK, j : j + BLOCK].ravel() for i in range(0, shape[0], BLOCK)
            for j in range(0, shape[1], BLOCK)]


def cost_table(cost: Cost) -> str:
    """The cost as Markdown."""
    lines = [f"{cost.stations:,} stations, {cost.points:,} grid points, increment and error, seconds on one thread:",
             "", "| method | fit | grid | together | of the library's |", "|---|---|---|---|---|"]
    lines += [f"| {NAMES[m]} | {cost.fit[m]:.2f} | {cost.ask[m]:.2f} | {cost.total(m):.2f} | "
              f"{cost.total(m) / cost.total('kriging'):.3f} |" for m in METHODS]
    return "\n".join(lines)
