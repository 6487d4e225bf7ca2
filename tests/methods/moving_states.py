"""States of a tiny domain that change evenly in time, as our own products, from which a forecast can begin."""

from pathlib import Path

import numpy as np
from launch import mlrtma
from tiny_domain import DOMAIN

from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.product import write_series
from mlrtma_dist.observations.table import Observations

START = np.datetime64("2024-05-01T00:00:00", "s")
HOUR = np.timedelta64(3600, "s")
CASES = """\
cases:
  domain: tiny.yaml
  states: {{files: [states.nc], time: [{first}/{last}], variables: [u10, t2m]}}
"""


def even_states(shape: tuple[int, int], count: int) -> dict[str, np.ndarray]:
    """Fields that change by the same amount every hour, another one at each point, shape (count, y, x)."""
    y, x = np.indices(shape) / 10.0
    hours = np.arange(count)[:, None, None]
    return {
        "t2m": (285.0 + 3.0 * np.sin(x + y) + hours * np.cos(2.0 * y)).astype(np.float32),
        "u10": (2.0 * np.cos(x) + 0.5 * hours * np.sin(y)).astype(np.float32),
    }


def write_states(path, static: Static, states: dict[str, np.ndarray], start: np.datetime64 = START) -> str:
    """Write fields of consecutive hours from a start on as a product of analyses."""
    count = len(next(iter(states.values())))
    times, nothing = start + HOUR * np.arange(count), np.empty(0)
    analyses = (
        (
            number,
            Analysis(
                static,
                times[number],
                {name: field[number] for name, field in states.items()},
                {},
                {},
                Observations.empty(),
                nothing,
                nothing,
                nothing,
                nothing,
                "test",
                "none",
            ),
        )
        for number in range(count)
    )
    return str(write_series(analyses, times, path, {}))


def write_world(folder: Path, forecast: str, hours: int = 10) -> None:
    """A folder with states of some hours of a tiny domain, a store of them, and the configuration of a forecast.

    ``forecast``: what ``forecast.yaml`` has beside the states of the fourth and the fifth hour.
    """
    (folder / "tiny.yaml").write_text(DOMAIN)
    static = load_static(load_domain(str(folder / "tiny.yaml")))
    write_states(folder / "states.nc", static, even_states((32, 40), hours))
    for name, first, last, own in (("samples", 0, hours - 1, "output: states.h5\n"), ("forecast", 3, 4, forecast)):
        text = CASES.format(first=START + first * HOUR, last=START + last * HOUR)
        (folder / f"{name}.yaml").write_text(text + own)
    mlrtma(folder, "samples", str(folder / "samples.yaml"))
