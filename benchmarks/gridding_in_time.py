"""Claim: at times without reports an analysis in place and time is better than interpolation between hourly analyses.

    python benchmarks/gridding_in_time.py [--set plains] [--half second] [--every 5] [--methods oi_time]
    python benchmarks/gridding_in_time.py --set quarters --half all --minutes 90        every 15 minutes of a day
    python benchmarks/gridding_in_time.py --set "japan choose" --half all --every 24    temperature of Japan
    python benchmarks/gridding_in_time.py --every 8 --methods pinn pinn-heat pinn-momentum --base pinn

Times of a file are withheld whole: every report within half an hour of an hour, or within 7.5 minutes of a quarter. A
tenth of the stations (by the hash of their names) is withheld from everything. The rivals have the reports around; a
row for each and each kind of place: stations whose reports of other times are known, and stations of which nothing is.
Columns: rmse of each variable, in brackets the deviation that the method expects, and seconds of one core for an
analysis. Then the ratio of each rival's mean square error to that of the base, with the interval of 95 % by resampling
times. "pinn:heat" is the method pinn with that equation alone, "pinn-heat" without it.

Settings were chosen on the first half of the days of metar_plains; the second half is reported. All are hours that
train, but for "japan choose".
"""

import argparse
import time

import numpy as np
from gridding_scores import Predict, Scores, built, interval, ratios, table
from time_windows import Hours

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.settings import Classical, load_settings

NAMES = ("t2m", "d2m", "u10", "v10", "psfc")
PLACES = ("other times known", "never seen")
MINUTES = 150.0  # half width of the window of methods in time
BASE = "linear between 3D-Var"


def interpolated(answers, share: float) -> Predict:
    """Linear interpolation in time of two analyses."""

    def predict(name: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        (before, first), (after, second) = (answer.at(name, points) for answer in answers)
        return (1 - share) * before + share * after, (1 - share) * first + share * second

    return predict


def rivals(hours: Hours, settings: Classical, names: tuple[str, ...], number: int, minutes: float):
    """Name -> how it predicts and the seconds that it took, at a time whose reports are withheld."""
    result, now = {}, hours.time[number]
    methods = {name: built(name, settings) for name in ("threedvar", *names)}
    before, after, share = hours.around(number)
    began = time.process_time()
    around = [methods["threedvar"].analyse(hours.case(n, without=now, stations=True)) for n in (before, after)]
    took = time.process_time() - began
    result["3D-Var of the nearest hour"] = around[int(share > 0.5)].at, took / 2
    result[BASE] = interpolated(around, share), took
    began = time.process_time()
    wide = 90.0 if hours.minutes == 60 else 30.0
    newest = methods["threedvar"].analyse(hours.case(number, minutes=wide, without=now, stations=True))
    result["3D-Var of the newest reports"] = newest.at, time.process_time() - began
    case = hours.case(number, minutes=minutes, without=now, stations=True)
    for name in names:
        began = time.process_time()
        answer = methods[name].analyse(case)
        result[name] = answer.at, time.process_time() - began
    return result


def run(hours: Hours, names: tuple[str, ...], numbers: np.ndarray, minutes: float) -> dict[str, Scores]:
    """Scores of every rival over the times."""
    scores: dict[str, Scores] = {}
    variables = tuple(hours.settings.variables)
    for number in map(int, numbers):
        truth = hours.case(number, minutes=hours.minutes / 2)
        unseen = np.isin(truth.observations.station, hours.whole.verifying)
        for name, (predict, seconds) in rivals(hours, hours.settings, names, number, minutes).items():
            own = scores.setdefault(name, Scores())
            own.add(predict, truth, variables, dict(zip(PLACES, (~unseen, unseen), strict=True)), number)
            own.seconds.append(seconds)
    return scores


def draw(scores: dict[str, Scores], path: str, base: str) -> None:
    """Draw the mean square errors over those of the base, with their intervals."""
    from matplotlib.figure import Figure

    names = [name for name in scores if not name.startswith("3D-Var") and name != base]
    variables = scores[base].kinds(1)
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    for axes, place in zip(figure.subplots(2, 1, sharex=True), PLACES, strict=True):
        for number, method in enumerate(names):
            ratio, low, high = np.array([interval(scores, method, place, name, base) for name in variables]).T
            at = np.arange(len(variables)) + (number - (len(names) - 1) / 2) * 0.8 / len(names)
            axes.errorbar(at, ratio, [ratio - low, high - ratio], fmt="o", capsize=2, label=method)
        axes.axhline(1.0, color="black", linewidth=0.8)
        axes.set(
            title=f"stations: {place}", ylabel="ratio of squared errors", yscale="log", yticks=[0.5, 0.7, 1, 1.5, 2, 3]
        )
        axes.set_yticklabels(["0.5", "0.7", "1", "1.5", "2", "3"])
        axes.minorticks_off()
        axes.set_xticks(np.arange(len(variables)), variables)
    figure.axes[0].legend(fontsize=7, ncol=3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sets = ["plains", "national", "quarters", "japan train", "japan choose"]
    parser.add_argument("--set", default="plains", choices=sets)
    parser.add_argument("--half", default="second", choices=["first", "second", "all"])
    parser.add_argument("--every", type=int, default=5, help="times between verified times")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="half width of the window of methods in time")
    parser.add_argument("--methods", nargs="+", default=["oi_time"], help="oi_time, pinn, pinn:heat, pinn-heat ...")
    parser.add_argument("--base", nargs="+", default=[BASE], help="over whose mean square errors those of others are")
    parser.add_argument("--figure", help="file of the figure")
    options = parser.parse_args()
    names = ("t2m",) if options.set.startswith("japan") else NAMES
    hours = Hours.of(options.set, load_settings("classical").only(names))
    full = hours.full()
    if hours.minutes < 60:
        full = full[full % (60 // hours.minutes) > 0]  # the quarters between the hours
    half = {"first": full[: len(full) // 2], "second": full[len(full) // 2 :], "all": full}[options.half]
    numbers = half[:: options.every]
    print(f"{len(numbers)} times, {hours.time[numbers[0]]} to {hours.time[numbers[-1]]}", flush=True)
    scores = run(hours, tuple(options.methods), numbers, options.minutes)
    print("\n".join(table(scores)))
    for base in options.base:
        print("", *ratios(scores, base), sep="\n")
    if options.figure:
        draw(scores, options.figure, options.base[0])


if __name__ == "__main__":
    main()
