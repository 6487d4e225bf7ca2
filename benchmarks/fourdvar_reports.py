"""Claim: does 4D-Var with a forecast emulator beat 3D-Var of the last hour, and 3D-Var of all reports, on real hours?

    mlrtma reanalysis configs/reanalysis/plains.yaml && mlrtma train configs/training/lam_plains.yaml
    python benchmarks/fourdvar_reports.py output/lam/plains/checkpoints/best [--every 8] [--minutes 210] [--whole 100]
    python benchmarks/fourdvar_reports.py CHECKPOINT --cycle configs/cycles/national_forecast.yaml --minutes 150

Hours of metar_plains that the emulator was not trained on, a third of the stations withheld as in its training
(configs/cycles/plains_forecast.yaml), reports until half an hour after the analysis time. Rivals: 3D-Var of the hour;
3D-Var of all reports of the window as if they were of one time; `oi_time`, whose reports count less with their age; and
`fourdvar` on the grid with each correlation, of departures that persist and of the emulator's. Rmse at the withheld
stations at the end of the window and seconds of processor time (of `fourdvar` with those of its quality control, which
is that of `oi_time`), then mean square errors over those of the first rival and over those of the same method with
departures that persist, with the interval of 95 % by resampled hours. Last line: the ratio of temperature of the last
rival.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import yaml
from gridding_scores import Scores, interval, ratios, table

from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.methods.window import WindowCase
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.samples.archive import Archive
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.weights.trained import load_forecast

NAMES = ("t2m", "d2m", "u10", "v10", "psfc")
LATEST = np.timedelta64(30, "m")  # after the analysis time
PLACE = "withheld"


class OfOneTime:
    """3D-Var of all reports of a window, as if all were of the analysis time."""

    def __init__(self, settings: Classical):
        """With the settings of 3D-Var of one hour."""
        self._method = build(("threedvar",), Means(settings=settings))["threedvar"]

    def analyse(self, case: Case, neighbourhood=None):
        """See `methods.method.Method.analyse`."""
        return self._method.analyse(WindowCase.of(case))


class Remembered:
    """A method that keeps its newest answer, which every `fourdvar` of a case begins with."""

    def __init__(self, method: Method):
        """Of an interpolation in time."""
        self._method, self._case, self._answer = method, None, None
        self.settings, self.seconds = method.settings, 0.0

    def analyse(self, case: Case, neighbourhood=None):
        """See `methods.method.Method.analyse`."""
        if case is not self._case:
            began = time.process_time()
            self._case, self._answer = case, self._method.analyse(case)
            self.seconds = time.process_time() - began
        return self._answer


def rivals(options: argparse.Namespace, settings: Classical, cases: ArchiveCases) -> dict[str, Method]:
    """The methods by the words of the table."""
    trained = load_forecast(options.checkpoint, "checkpoint")
    trained.settle(cases.static.domain, "checkpoint")
    base = Remembered(build(("oi_time",), Means(settings=settings))["oi_time"])

    def fourdvar(model: str, correlation: float) -> Method:
        checkpoint = options.checkpoint if model == "lam" else ""
        own = FourDVarSettings(model, checkpoint, correlation, most_whole=options.whole, error_members=0)
        method = build(("fourdvar",), Means(settings=settings, fourdvar=own, forecast=trained.method))["fourdvar"]
        return replace(method, base=base)

    methods = {
        "3D-Var of the hour": build(("threedvar",), Means(settings=settings))["threedvar"],
        "3D-Var of all reports": OfOneTime(settings),
        "oi_time": base,
    }
    for model in ("persistence", "lam"):
        for correlation in getattr(options, model):
            methods[f"fourdvar, {model}, {correlation:g}"] = fourdvar(model, correlation)
    return methods


def open_hours(options: argparse.Namespace, settings: Classical) -> ArchiveCases:
    """The hours as the cycle has them, with windows for methods in time."""
    with open(options.cycle, encoding="utf-8") as stream:
        section = yaml.safe_load(stream)["cases"]
    own = {"start": options.start, "end": options.end, "every_minutes": 60 * options.every}
    folder = {"folder": config.expand(section["archive"]["folder"]), "in_time_minutes": options.minutes}
    archive = config.build(Archive, section["archive"] | own | folder, options.cycle)
    return ArchiveCases.on(section["domain"], archive, assumptions(settings))


def add_options(parser: argparse.ArgumentParser, lam: list[float]) -> None:
    """The checkpoint, hours, window and correlations; ``lam``: correlations with it unless others are chosen."""
    parser.add_argument("checkpoint", help="of method lam, trained on analyses of the Plains")
    parser.add_argument("--cycle", default="configs/cycles/plains_forecast.yaml", help="whose archive has the hours")
    parser.add_argument("--start", default="2026-08-18T03:00")
    parser.add_argument("--end", default="2026-08-19T23:00")
    parser.add_argument("--every", type=int, default=8, help="hours between verified hours")
    parser.add_argument("--minutes", type=float, default=210.0, help="before the analysis time, of the window")
    parser.add_argument(
        "--whole", type=int, default=FourDVarSettings.most_whole, help="points whose covariance is factored as a whole"
    )
    parser.add_argument("--persistence", nargs="*", type=float, default=[0.0, 0.7, 1.0], help="correlations")
    parser.add_argument("--lam", nargs="*", type=float, default=lam, help="correlations")


def case_of(cases: ArchiveCases, number: int) -> Case:
    """A case without reports that come too late."""
    case = cases.case(number, Box.whole(cases.static.domain.shape))
    early = case.observations.time <= case.time + LATEST
    return replace(case, **{name: getattr(case, name)[early] for name in ("observations", "used", "withheld")})


def scored_of(case: Case) -> np.ndarray:
    """Mask of the withheld reports that are scored, shape (n,)."""
    inside = case.domain.contains(case.points.latitude, case.points.longitude)
    return case.withheld & verifiable(case.observations, case.departure) & np.isfinite(case.value) & inside


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, lam=[0.3, 0.7, 1.0])
    options = parser.parse_args()
    settings = load_settings("classical").only(NAMES)
    cases = open_hours(options, settings)
    methods = rivals(options, settings, cases)
    scores: dict[str, Scores] = {name: Scores() for name in methods}
    print(f"{len(cases.time)} hours, {cases.time[0]} to {cases.time[-1]}", flush=True)
    for number in range(len(cases.time)):
        case = case_of(cases, number)
        scored = scored_of(case)
        for name, method in methods.items():
            began = time.process_time()
            answer = method.analyse(case)
            shared = method.base.seconds if name.startswith("fourdvar") else 0.0
            scores[name].seconds.append(time.process_time() - began + shared)
            for kind in NAMES:
                own = scored & (case.observations.variable == kind)
                value, error = answer.at(kind, case.points[own])
                scores[name].put(PLACE, kind, number, value - case.value[own], error)
        print(case.time, *(f"{own.squares[PLACE, 't2m', number]}" for own in scores.values()), flush=True)
    first, last = list(methods)[0], list(methods)[-1]
    print("\n".join([*table(scores), "", *ratios(scores, first)]))
    for name in (each for each in methods if each.startswith("fourdvar, lam")):
        if (same := name.replace("lam", "persistence")) in methods:
            print("", *ratios(scores, same, (name,)), sep="\n")
    print(f"{interval(scores, last, PLACE, 't2m', first)[0]:.3f}")


if __name__ == "__main__":
    main()
