"""Claim: at hours without reports an analysis in place and time is better than interpolation between hourly analyses.

    python benchmarks/gridding_in_time.py [--set plains] [--half second] [--every 5] [--methods oi_time]

Hours of a file are withheld whole: every report within half an hour of the time. A tenth of the stations (by the hash
of their names) is withheld from everything. The rivals have the reports of the hours around; a row for each and each
kind of place: stations whose reports of other hours are known, and stations of which nothing is. Columns: rmse of each
variable, in brackets the deviation that the method expects, and seconds of an analysis. Then the ratio of
each rival's mean square error to that of linear interpolation, with the interval of 95 % by resampling hours.

Settings were chosen on the first half of the days; the second half is reported (both are hours that train).
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from time_windows import Hours

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical, load_settings
from mlrtma_dist.names import VARIABLES

NAMES = ("t2m", "d2m", "u10", "v10", "psfc")
PLACES = ("other hours known", "never seen")
MINUTES = 150.0  # half width of the window of methods in time
RESAMPLED = 1000
BASE = "linear between 3D-Var"
Predict = Callable[[str, Points], tuple[np.ndarray, np.ndarray]]


@dataclass
class Scores:
    """Errors of a method.

    Attributes:
        squares: (place, variable, number of the hour) -> sum of squares, sum of expected variances, count.
        seconds: of each analysis.
    """

    squares: dict[tuple[str, str, int], np.ndarray] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, predict: Predict, truth: Case, unseen: np.ndarray, number: int) -> None:
        """Compare with the reports of an hour, of which ``unseen``, a mask (n,), are of withheld stations."""
        inside = truth.used & truth.domain.contains(truth.points.latitude, truth.points.longitude)
        for place, mask in zip(PLACES, (~unseen, unseen), strict=True):
            for name in NAMES:
                rows = inside & mask & (truth.observations.variable == name)
                value, error = predict(name, truth.points[rows])
                own = [np.sum((value - truth.value[rows]) ** 2), np.sum(error**2), np.count_nonzero(rows)]
                self.squares[place, name, number] = np.array(own, dtype=np.float64)

    def sums(self, place: str, name: str) -> np.ndarray:
        """Of each hour, shape (hour, 3)."""
        return np.stack([own for key, own in self.squares.items() if key[:2] == (place, name)])


def interpolated(answers, share: float) -> Predict:
    """Linear interpolation in time of two analyses."""

    def predict(name: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        (before, first), (after, second) = (answer.at(name, points) for answer in answers)
        return (1 - share) * before + share * after, (1 - share) * first + share * second

    return predict


def built(name: str, settings: Classical) -> Method:
    """A method of the registry; "pinn:heat" is the method pinn with the equation of heat alone."""
    name, _, equation = name.partition(":")
    pinn = PinnSettings(equations=(equation,)) if equation else PinnSettings()
    return build((name,), Means(settings=settings, pinn=pinn))[name]


def rivals(hours: Hours, settings: Classical, names: tuple[str, ...], number: int, each: int):
    """Name -> how it predicts and the seconds that it took, at a time ``each`` steps between analyses."""
    result = {}
    methods = {name: built(name, settings) for name in ("threedvar", *names)}
    began = time.perf_counter()
    around = [methods["threedvar"].analyse(hours.case(number + step, stations=True)) for step in (-each, each)]
    took = time.perf_counter() - began
    result["3D-Var of the hour before"] = around[0].at, took / 2
    result[BASE] = interpolated(around, 0.5), took
    began = time.perf_counter()
    wide = methods["threedvar"].analyse(hours.case(number, minutes=90.0, hour=True, stations=True))
    result["3D-Var of the newest reports"] = wide.at, time.perf_counter() - began
    case = hours.case(number, minutes=MINUTES, hour=True, stations=True)
    for name in names:
        began = time.perf_counter()
        answer = methods[name].analyse(case)
        result[name] = answer.at, time.perf_counter() - began
    return result


def run(hours: Hours, names: tuple[str, ...], numbers: np.ndarray) -> dict[str, Scores]:
    """Scores of every rival over the hours."""
    scores: dict[str, Scores] = {}
    for number in map(int, numbers):
        truth = hours.case(number)
        unseen = np.isin(truth.observations.station, hours.whole.verifying)
        for name, (predict, seconds) in rivals(hours, hours.settings, names, number, 1).items():
            own = scores.setdefault(name, Scores())
            own.add(predict, truth, unseen, number)
            own.seconds.append(seconds)
    return scores


def table(scores: dict[str, Scores]) -> list[str]:
    """Lines of Markdown: rmse and expected deviation, and the ratio to linear interpolation with its interval."""
    units = [f"{name}, {VARIABLES[name].unit}" for name in NAMES]
    lines = [f"| stations | method | {' | '.join(units)} | seconds |", "|---" * (len(NAMES) + 3) + "|"]
    for place in PLACES:
        for method, own in scores.items():
            cells = []
            for name in NAMES:
                square, expected, count = own.sums(place, name).sum(axis=0)
                cells.append(f"{np.sqrt(square / count):.3g} ({np.sqrt(expected / count):.2g})")
            lines.append(f"| {place} | {method} | {' | '.join(cells)} | {np.mean(own.seconds):.1f} |")
    return lines + ["", *ratios(scores)]


def ratios(scores: dict[str, Scores], base: str = BASE) -> list[str]:
    """Lines of Markdown: mean square error over that of the base, with the interval of 95 % by resampled hours."""
    lines = [f"| stations | method over {base} | {' | '.join(NAMES)} |", "|---" * (len(NAMES) + 2) + "|"]
    for place in PLACES:
        for method in scores:
            if method != base:
                numbers = (_interval(scores, method, place, name) for name in NAMES)
                cells = [f"{ratio:.2f} ({low:.2f} to {high:.2f})" for ratio, low, high in numbers]
                lines.append(f"| {place} | {method} | {' | '.join(cells)} |")
    return lines


def _interval(scores: dict[str, Scores], method: str, place: str, name: str) -> tuple[float, float, float]:
    """Mean square error over that of the base, and its interval."""
    square, base = (scores[each].sums(place, name)[:, 0] for each in (method, BASE))
    draw = np.random.default_rng(0).integers(len(square), size=(RESAMPLED, len(square)))
    low, high = np.quantile(square[draw].sum(axis=1) / base[draw].sum(axis=1), [0.025, 0.975])
    return float(square.sum() / base.sum()), float(low), float(high)


def draw(scores: dict[str, Scores], path: str) -> None:
    """Draw the mean square errors over those of linear interpolation, with their intervals."""
    from matplotlib.figure import Figure

    names = [name for name in scores if not name.startswith("3D-Var") and name != BASE]
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    for axes, place in zip(figure.subplots(2, 1, sharex=True), PLACES, strict=True):
        for number, method in enumerate(names):
            ratio, low, high = np.array([_interval(scores, method, place, name) for name in NAMES]).T
            at = np.arange(len(NAMES)) + (number - (len(names) - 1) / 2) * 0.8 / len(names)
            axes.errorbar(at, ratio, [ratio - low, high - ratio], fmt="o", capsize=2, label=method)
        axes.axhline(1.0, color="black", linewidth=0.8)
        axes.set(
            title=f"stations: {place}", ylabel="ratio of squared errors", yscale="log", yticks=[0.5, 0.7, 1, 1.5, 2, 3]
        )
        axes.set_yticklabels(["0.5", "0.7", "1", "1.5", "2", "3"])
        axes.minorticks_off()
        axes.set_xticks(np.arange(len(NAMES)), NAMES)
    figure.axes[0].legend(fontsize=7, ncol=3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="plains", choices=["plains", "national"])
    parser.add_argument("--half", default="second", choices=["first", "second"])
    parser.add_argument("--every", type=int, default=5, help="hours between verified hours")
    parser.add_argument("--methods", nargs="+", default=["oi_time"], help="oi_time, pinn, pinn:heat and so on")
    parser.add_argument("--figure", help="file of the figure")
    options = parser.parse_args()
    hours = Hours.of(options.set, load_settings("classical").only(NAMES))
    full = hours.full()
    half = full[: len(full) // 2] if options.half == "first" else full[len(full) // 2 :]
    numbers = half[:: options.every]
    print(f"{len(numbers)} hours, {hours.time[numbers[0]]} to {hours.time[numbers[-1]]}")
    scores = run(hours, tuple(options.methods), numbers)
    print("\n".join(table(scores)))
    if options.figure:
        draw(scores, options.figure)


if __name__ == "__main__":
    main()
