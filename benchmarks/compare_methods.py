"""Two methods at the same withheld reports: rmse, CRPS and Brier scores of one over the other's, with intervals.

    python benchmarks/compare_methods.py --method vit --reference threedvar output/vit/choose/matches.csv ...

Reads the matches of one or several verifications. The CRPS is that of the method's own distribution, of a variable with
limits by its probabilities below them. The reference's is taken as Gaussian, too, with a spread that is scaled for each
variable so that it is neither too wide nor too narrow on these very reports, and the better of both counts. Brier
scores are of the events of `names.EVENTS`, in their order. Whole stations are drawn for the intervals. The pooled
ratios are last, with an interval for which whole dates are drawn.
"""

import argparse

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.methods.events import gaussian_below
from mlrtma_dist.methods.predictands import has_limits, limits, values
from mlrtma_dist.verification.bootstrap import DRAWS
from mlrtma_dist.verification.crps import crps_at_limits, crps_gaussian, crps_of_matches
from mlrtma_dist.verification.match import BELOW, Matches, read_matches
from mlrtma_dist.verification.paired import RMSE, STATIONS, PairedErrors, spread_over_error
from mlrtma_dist.verification.scores import common_reports

POOLED = ("t2m", "d2m", "u10", "v10")


def common(tables: list[Matches], method: str, reference: str) -> tuple[Matches, Matches]:
    """The rows that both methods predict, in one order."""
    whole = Matches.concatenate(tables)
    one, two = (whole.select(rows) for rows in common_reports(whole, method, reference))
    return one, two


def compare(one: Matches, two: Matches) -> dict[str, tuple[float, ...]]:
    """Variable -> number, rmse of both, ratio and its interval, ratio of the CRPS, spread over error of the first."""
    scores = {}
    for name in one.variables:
        own, other = one.select(variable=name), two.select(variable=name)
        rmse = [float(np.sqrt(np.mean(each.error**2))) for each in (own, other)]
        crps = crps_of_matches(own).mean(), best_crps(other, other.deviation / spread_over_error(other))
        ratio = PairedErrors(own, other, draw=(STATIONS,)).ratio(RMSE, [name])
        skill = spread_over_error(own)
        scores[name] = (len(own), *rmse, ratio.value, ratio.lower, ratio.upper, float(crps[0]) / crps[1], skill)
    return scores


def best_crps(own: Matches, deviation: np.ndarray) -> float:
    """The mean CRPS of one variable's matches as they are, or as Gaussians of a deviation (n,), whichever is less."""
    name = own.variables[0]
    if has_limits(name):
        at = limits(name)
        gaussian = crps_at_limits(gaussian_below(own.prediction, deviation, at), at, values(name), own.observation)
    else:
        gaussian = crps_gaussian(own.prediction, deviation, own.observation)
    return float(min(gaussian.mean(), crps_of_matches(own).mean()))


def pooled_over_dates(one: Matches, two: Matches) -> tuple[float, float, float]:
    """Ratio of the rmse of the pooled variables, geometric mean, and its middle 95 % where dates are drawn anew."""
    dates = np.unique(one.time.astype("datetime64[D]"))
    squares = np.zeros((2, len(dates), len(POOLED)))  # sums by method, date and variable
    for number, table in enumerate((one, two)):
        for column, name in enumerate(POOLED):
            own = table.select(variable=name)
            squares[number, :, column] = np.bincount(
                np.searchsorted(dates, own.time.astype(dates.dtype)), own.error**2, len(dates)
            )

    def ratio(rows) -> float:
        sums = squares[:, rows].sum(1)
        return float(np.exp(0.5 * np.log(sums[0] / sums[1]).mean()))

    random = np.random.default_rng(0)
    ratios = [ratio(random.integers(0, len(dates), len(dates))) for _ in range(DRAWS)]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return ratio(slice(None)), float(low), float(high)


def brier_ratios(one: Matches, two: Matches) -> list[float]:
    """Ratio of the Brier scores of every event of a variable (`names.EVENTS`)."""
    name = one.variables[0]
    event_limits = names.to_analysis(name, np.array(names.EVENTS.get(name, ())))
    ratios = []
    for column, limit in zip(BELOW, event_limits, strict=False):
        is_below = one.observation < limit
        scores = [np.mean((getattr(each, column) - is_below) ** 2) for each in (one, two)]
        ratios.append(float(scores[0] / scores[1]) if scores[1] else np.nan)
    return ratios


def main() -> None:
    """Print a table and the pooled ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="matches.csv of verifications")
    parser.add_argument("--method", default="vit")
    parser.add_argument("--reference", default="threedvar")
    options = parser.parse_args()
    one, two = common([read_matches(file) for file in options.files], options.method, options.reference)
    scores = compare(one, two)
    heads = "variable", "reports", f"rmse of {options.method}", f"of {options.reference}", "ratio", "CRPS ratio"
    print("|", " | ".join([*heads, "spread / error", "Brier ratios"]), "|")
    print("|---" * (len(heads) + 2) + "|")
    for name, (count, own, other, ratio, low, high, crps, skill) in scores.items():
        brier = ", ".join(f"{each:.2f}" for each in brier_ratios(one.select(variable=name), two.select(variable=name)))
        numbers = [f"{own:.4g}", f"{other:.4g}", f"{ratio:.3f} ({low:.3f}-{high:.3f})", f"{crps:.3f}", f"{skill:.2f}"]
        print("|", " | ".join([name, str(count), *numbers, brier]), "|")
    crps = np.exp(np.mean([np.log(scores[name][6]) for name in POOLED]))
    ratio, low, high = pooled_over_dates(one, two)
    dates = len(np.unique(one.time.astype("datetime64[D]")))
    print(
        f"{', '.join(POOLED)} together: rmse ratio {ratio:.3f} (dates drawn anew, {dates}: {low:.3f} to {high:.3f}),"
        f" CRPS ratio {crps:.3f}"
    )


if __name__ == "__main__":
    main()
