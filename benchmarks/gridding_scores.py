"""Errors of analyses in time: sums of squares of each method, place, variable and time; tables with intervals."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.pinn_settings import EQUATIONS, PinnSettings
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.names import VARIABLES

RESAMPLED = 1000
Predict = Callable[[str, Points], tuple[np.ndarray, np.ndarray]]


@dataclass
class Scores:
    """Errors of a method.

    Attributes:
        squares: (place, variable, number of the time) -> sum of squares, sum of expected variances, count.
        seconds: of one core for each analysis.
    """

    squares: dict[tuple[str, str, int], np.ndarray] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, predict: Predict, truth: Case, names: tuple[str, ...], places: dict[str, np.ndarray], number: int):
        """Compare with the used reports of a case.

        Args:
            names: of variables; places: name -> mask (n,) of the reports there; number: of the time.
        """
        inside = truth.used & truth.domain.contains(truth.points.latitude, truth.points.longitude)
        for place, mask in places.items():
            for name in names:
                rows = inside & mask & (truth.observations.variable == name)
                value, error = predict(name, truth.points[rows])
                self.put(place, name, number, value - truth.value[rows], error)

    def put(self, place: str, name: str, number: int, difference: np.ndarray, error: np.ndarray) -> None:
        """Add the differences from the truth at n points, and the deviations that a method expects of them."""
        own = [np.sum(difference**2, dtype=np.float64), np.sum(error**2, dtype=np.float64), difference.size]
        self.squares[place, name, number] = np.array(own, dtype=np.float64)

    def sums(self, place: str, name: str) -> np.ndarray:
        """Of each time, shape (time, 3)."""
        return np.stack([own for key, own in self.squares.items() if key[:2] == (place, name)])

    def kinds(self, number: int) -> list[str]:
        """The places (0) or the variables (1), in their order."""
        return list(dict.fromkeys(key[number] for key in self.squares))


def built(name: str, settings: Classical) -> Method:
    """A method of the registry; "pinn:heat": with that equation alone, "pinn-heat": without it, "pinn@400": in km.

    The last is pinn with a network for every 400 km; "pinn@400+2" has two rounds beside the neighbours.
    """
    whole, _, side = name.partition("@")
    side, _, rounds = side.partition("+")
    own, _, alone = whole.partition(":")
    own, _, removed = own.partition("-")
    pinn = PinnSettings()
    if alone or removed:
        pinn = PinnSettings(equations=(alone,) if alone else tuple(each for each in EQUATIONS if each != removed))
    if side:
        overlap = min(pinn.overlap_km, float(side) / 2)
        pinn = replace(pinn, subdomain_km=float(side), overlap_km=overlap, rounds=int(rounds or pinn.rounds))
    return build((own,), Means(settings=settings, pinn=pinn))[own]


def table(scores: dict[str, Scores]) -> list[str]:
    """Lines of Markdown: rmse, the expected deviation in brackets, and seconds."""
    first = next(iter(scores.values()))
    units = [f"{name}, {VARIABLES[name].unit}" for name in first.kinds(1)]
    lines = [f"| stations | method | {' | '.join(units)} | seconds |", "|---" * (len(units) + 3) + "|"]
    for place in first.kinds(0):
        for method, own in scores.items():
            cells = []
            for name in own.kinds(1):
                square, expected, count = own.sums(place, name).sum(axis=0)
                cells.append(f"{np.sqrt(square / count):.3g} ({np.sqrt(expected / count):.2g})")
            lines.append(f"| {place} | {method} | {' | '.join(cells)} | {np.mean(own.seconds):.1f} |")
    return lines


def ratios(scores: dict[str, Scores], base: str, methods: tuple[str, ...] = ()) -> list[str]:
    """Lines of Markdown: mean square error over that of the base, with the interval of 95 % by resampled times.

    Args:
        methods: that are compared; empty: all but the base.
    """
    first = scores[base]
    lines = [
        f"| stations | method over {base} | {' | '.join(first.kinds(1))} |",
        "|---" * (len(first.kinds(1)) + 2) + "|",
    ]
    for place in first.kinds(0):
        for method in methods or [each for each in scores if each != base]:
            numbers = (interval(scores, method, place, name, base) for name in first.kinds(1))
            cells = [f"{ratio:.2f} ({low:.2f} to {high:.2f})" for ratio, low, high in numbers]
            lines.append(f"| {place} | {method} | {' | '.join(cells)} |")
    return lines


def interval(scores: dict[str, Scores], method: str, place: str, name: str, base: str) -> tuple[float, float, float]:
    """Mean square error over that of the base, and its interval."""
    square, own = (scores[each].sums(place, name)[:, 0] for each in (method, base))
    draw = np.random.default_rng(0).integers(len(square), size=(RESAMPLED, len(square)))
    low, high = np.quantile(square[draw].sum(axis=1) / own[draw].sum(axis=1), [0.025, 0.975])
    return float(square.sum() / own.sum()), float(low), float(high)
