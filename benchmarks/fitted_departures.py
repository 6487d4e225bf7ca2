"""Claim: what the deviation of the departures is fitted to, where reports are few: MEPS, one hour, by random subsets.

    python benchmarks/fitted_departures.py

The diffusion assimilation multiplies the deviation that its training's departures have by a factor which makes the
reports of the hour most likely (methods/diffusion_reports.py). Of the official stations of 2018-03-26 07 UTC so many
are drawn at random, a hundred times; printed are the median and the 5 % and 95 % quantiles of the fitted deviation, K,
"before" without a prior and with the factors of both fits multiplied, "now" as the method fits it; and how far the
members' mean is off at all of them, without the error of the reports.
"""

import numpy as np
from meps_norway import open_hour

from mlrtma_dist import config
from mlrtma_dist.diffusion.gaussian_sum import GaussianSum, gaussian_power
from mlrtma_dist.methods.diffusion_reports import Departures, fitted_deviations, robust_deviations, tempered
from mlrtma_dist.methods.settings import load_settings

VARIABLES = ("t2m", "d2m")
TRAINED = np.array([0.51, 0.58])  # K, of the departures of configs/samples/members_meps.yaml
COUNTS, DRAWS = (1, 2, 5, 10, 20, 30), 100


def deviations_without_prior(covariance: GaussianSum, reports: Departures) -> np.ndarray:
    """The factors without a prior, the second fit's on top of the first one's, shape (variable,)."""
    first = fitted_deviations(covariance, reports, np.inf)
    return first * fitted_deviations(covariance, tempered(covariance, reports.scaled(first)), np.inf)


WAYS = {"before": deviations_without_prior, "now": robust_deviations}


def main() -> None:
    """Print the table."""
    settings = load_settings("classical", VARIABLES)
    case = open_hour(settings).whole()
    scales = config.load_yaml(config.find("training", "diffusion_meps"))["settings"]["scales"]
    power = gaussian_power(*np.transpose(scales))
    longest = max(length for _, length in scales)
    covariance = GaussianSum(np.tile(power, (2, 1)), longest, case.domain.shape, (False, False))
    errors = np.full(len(case.observations), np.nan)
    for name in VARIABLES:
        rows = case.used & (case.observations.variable == name)
        errors[rows] = settings.variables[name].observation_error
    print(f"| reports | {' | '.join(f'{name}, {way}' for name in VARIABLES for way in WAYS)} |")
    print("|---" * (1 + len(VARIABLES) * len(WAYS)) + "|")
    generator = np.random.default_rng(0)
    for count in COUNTS:
        cells = []
        for number, name in enumerate(VARIABLES):
            rows = np.flatnonzero(np.isfinite(errors) & (case.observations.variable == name))
            fitted = {way: [] for way in WAYS}
            for _ in range(DRAWS):
                few = np.full(len(errors), np.nan)
                chosen = generator.choice(rows, count, replace=False)
                few[chosen] = errors[chosen]
                reports = Departures.of(case, VARIABLES, TRAINED, few)
                for way, factors in WAYS.items():
                    fitted[way].append((TRAINED * factors(covariance, reports))[number])
            for own in fitted.values():
                low, middle, high = np.quantile(own, (0.05, 0.5, 0.95))
                cells.append(f"{middle:.2f} ({low:.2f}, {high:.2f})")
        print(f"| {count} | {' | '.join(cells)} |", flush=True)
    for number, name in enumerate(VARIABLES):
        rows = np.isfinite(errors) & (case.observations.variable == name)
        size = np.sqrt(max(np.mean(case.departure[rows] ** 2) - settings.variables[name].observation_error ** 2, 0.0))
        print(
            f"{name}: {rows.sum()} reports, background errs by {size:.2f} K, departures in training {TRAINED[number]} K"
        )


if __name__ == "__main__":
    main()
