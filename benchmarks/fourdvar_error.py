"""Claim: is the error of `fourdvar`'s analyses that of its departures from stations it does not see, and what it costs.

    python benchmarks/fourdvar_error.py CHECKPOINT [--every 8] [--persistence 0.7 --lam 0.7] [--members 4]
    python benchmarks/fourdvar_error.py CHECKPOINT --cycle configs/cycles/national_forecast.yaml --minutes 150 [...]

Hours, withheld stations and rivals are those of `fourdvar_reports.py`. Of each method and variable at the withheld
stations: the root mean of the expected variances (of the analysis and of the report, whose error is that of
`configs/methods`) over the rmse, which is 1 where errors are as large as expected; and the mean continuous ranked
probability score of the Gaussian of analysis and expected deviation, with its ratio to that of 3D-Var of the hour and
the interval of 95 % by resampled hours. Then of each `fourdvar`: seconds of processor time of the analysis (with its
quality control) and of its error, iterations of the conjugate gradients, the difference of the increment of the first
hour from that with a tolerance of 1e-6, and the rms error of the expected deviation on the first hour's grid: where
departures persist beside that from all reports, with a network its sampling error, by leaving out each of its draws.
Last line: the ratio of the score of temperature of the last.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
from fourdvar_reports import NAMES, add_options, case_of, open_hours, rivals, scored_of
from gridding_scores import RESAMPLED

from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.fourdvar_answer import FourDVarAnswer
from mlrtma_dist.methods.fourdvar_error import window_variance
from mlrtma_dist.methods.fourdvar_reports import ReportsFourDVar
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.verification.crps import crps_gaussian

FIRST = "3D-Var of the hour"
EXACT = 1e-6
OF_ONE_TIME = "3D-Var of all reports"  # which knows too little of the window for its error to be of use


@dataclass
class Cost:
    """What the analyses of one `fourdvar` took, of each hour."""

    analysis: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    iterations: list[int] = field(default_factory=list)


def of_hour(case: Case, methods: dict, settings, costs: dict[str, Cost]) -> dict[tuple[str, str], np.ndarray]:
    """Sums at the withheld stations by method and variable: squares, expected variances, scores, number."""
    scored, sums = scored_of(case), {}
    for name, method in methods.items():
        began = time.process_time()
        answer = method.analyse(case)
        analysed = time.process_time()
        if isinstance(answer, FourDVarAnswer):
            answer.fields()
            costs[name].error.append(time.process_time() - analysed)
            costs[name].analysis.append(analysed - began + method.base.seconds)
            costs[name].iterations.append(answer.iterations)
        for kind in NAMES:
            own = scored & (case.observations.variable == kind)
            value, error = answer.at(kind, case.points[own])
            deviation = np.hypot(error, settings.variables[kind].observation_error)
            score = crps_gaussian(value, deviation, case.value[own])
            sums[name, kind] = np.array(
                [np.sum((value - case.value[own]) ** 2), np.sum(deviation**2), score.sum(), own.sum()]
            )
    return sums


def rows(sums: dict[tuple[str, str], np.ndarray], methods) -> list[str]:
    """Lines of Markdown, from sums (hour, 4)."""
    lines = [f"| method | {' | '.join(NAMES)} |", "|---" * (len(NAMES) + 1) + "|"]
    hours = len(sums[FIRST, NAMES[0]])
    draw = np.random.default_rng(0).integers(hours, size=(RESAMPLED, hours))
    for name in methods:
        cells = []
        for kind in NAMES:
            square, expected, score, count = sums[name, kind].sum(0)
            base = sums[FIRST, kind][:, 2]
            low, high = np.quantile(sums[name, kind][draw, 2].sum(1) / base[draw].sum(1), [0.025, 0.975])
            ratio = f" ({score / base.sum():.3f}, {low:.3f} to {high:.3f})" if name != FIRST else ""
            cells.append(f"{np.sqrt(expected / square):.2f}; {score / count:.3g}{ratio}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def from_exact(method: ReportsFourDVar, case: Case) -> float:
    """Rms of the difference of the increment from that with a tolerance of 1e-6 over its rms, mean of the variables."""
    exact = replace(method, settings=replace(method.settings, tolerance=EXACT, most_iterations=5000))
    one, other = (each.analyse(case).around for each in (method, exact))
    pairs = [(one[kind].astype(np.float64), other[kind].astype(np.float64)) for kind in other]
    return float(np.mean([np.sqrt(np.mean((own - best) ** 2) / np.mean(best**2)) for own, best in pairs]))


def error_of_deviation(method: ReportsFourDVar, case: Case) -> float:
    """That of the expected deviation as a share of it, rms over grid and variables."""
    problem = method.problem(method.base.analyse(case))
    if method.forecast is None:
        logs = []
        for name, reports in problem.reports.items():
            own = problem.points, problem.covariances[name], reports, method.settings.correlation
            logs.append(0.5 * np.log(window_variance(*own) / window_variance(*own, len(reports))))
        return float(np.sqrt(np.mean(np.square(logs))))
    squares = method.smoothed_draws(problem, method.minimised(problem).control)
    numbers = np.arange(len(squares[0]))
    without = [[each[numbers != left_out].sum(0) for each in squares] for left_out in numbers]
    logs = 0.5 * np.log(np.stack([drawn / persistent for drawn, persistent in without]))
    return float(np.sqrt(np.mean((len(numbers) - 1) * np.var(logs, 0))))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, lam=[0.7, 1.0])
    parser.add_argument("--members", type=int, default=FourDVarSettings.error_members, help="see error_members")
    parser.add_argument("--without-exact", action="store_true", help="not the last two columns: for large grids")
    options = parser.parse_args()
    settings = load_settings("classical").only(NAMES)
    cases = open_hours(options, settings)
    methods = rivals(options, settings, cases)
    methods = {name: with_members(each, options.members) for name, each in methods.items() if name != OF_ONE_TIME}
    costs, sums = defaultdict(Cost), defaultdict(list)
    for number in range(len(cases.time)):
        case = case_of(cases, number)
        for key, own in of_hour(case, methods, settings, costs).items():
            sums[key].append(own)
        print(case.time, flush=True)
    stacked = {key: np.stack(own) for key, own in sums.items()}
    print("\n".join(["", *rows(stacked, methods), ""]))
    print("| method | seconds, analysis | error | iterations | from tolerance 1e-6 | error of deviations |")
    print("|---" * 6 + "|")
    for name, cost in costs.items():
        method, inexact, exact = methods[name], "", ""
        if not options.without_exact:
            exact = f"{100 * from_exact(method, case_of(cases, 0)):.1f} %"
            if method.forecast is None or options.members > 1:
                inexact = f"{100 * error_of_deviation(method, case_of(cases, 0)):.1f} %"
        seconds = f"{np.mean(cost.analysis):.1f} | {np.mean(cost.error):.1f}"
        span = f"{min(cost.iterations)} to {max(cost.iterations)}"
        print(f"| {name} | {seconds} | {span} | {exact} | {inexact} |", flush=True)
    last, base = (stacked[name, "t2m"].sum(0) for name in (list(methods)[-1], FIRST))
    print(f"{last[2] / base[2]:.3f}")


def with_members(method, members: int):
    """The method with a number of draws for its error, where it has them."""
    if not isinstance(method, ReportsFourDVar):
        return method
    return replace(method, settings=replace(method.settings, error_members=members))


if __name__ == "__main__":
    main()
