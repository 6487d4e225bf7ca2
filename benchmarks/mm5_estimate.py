"""Estimate what the methods assume of mm5_pnw, on days other than the verifying one.

    python benchmarks/mm5_estimate.py FILE

Writes a file of the form of configs/methods/mm5_pnw.yaml, whose rounded values that is.
The modelled covariance by leave-one-out prediction (methods.estimate); localisation, inflation, weights and the factor
on the observation error by the CRPS at withheld stations, one parameter after the other, once.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from accuracy_data import conus
from known_members import members_at
from mm5_pnw import VERIFYING, Day, read_days, remove_bias

from mlrtma_dist import config
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.departure_kind import Prior
from mlrtma_dist.methods.estimate import Departures, estimate
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.methods.settings import Classical, EnsembleSettings, Members, load_settings
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.crps import crps_gaussian

log = logging.getLogger(__name__)

COVARIANCE_DAYS, COVARIANCE_STATIONS, STEPS = 10, 350, 40
SCORE_DAYS, SCORE_FOLDS = 4, 3
GRID = {
    "radius": (100e3, 150e3, 250e3, 400e3, 600e3),
    "height": (500.0, 1200.0, 2500.0, None),
    "weight": (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0),
    "static": (0.3, 0.5, 0.65, 0.8, 1.0),
    "error_factor": (0.8, 1.0, 1.4, 2.0, 2.8, 4.0),
    "relaxation": (0.0, 0.5),
}
START = {"radius": 250e3, "height": 1200.0, "weight": 8.0, "static": 0.0, "error_factor": 2.0, "relaxation": 0.0}
TUNED = {
    "letkf": ("radius", "height", "weight", "error_factor", "relaxation"),
    "envar": ("radius", "height", "weight", "error_factor"),
    "hybrid": ("weight", "static", "radius", "height", "error_factor"),
}


def chosen(days: dict[str, Day], count: int) -> list[str]:
    """Names of ``count`` days spread over all but the verifying one."""
    others = [date for date in sorted(days) if date != VERIFYING]
    return [others[i] for i in np.linspace(0, len(others) - 1, count).round().astype(int)]


def write(path: Path, days: dict[str, Day]) -> None:
    """Estimate and write a file of the form of ``configs/methods/classical.yaml``."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    classical = load_settings("classical", ("t2m",))
    hours = [Departures(days[d].points, days[d].departure) for d in chosen(days, COVARIANCE_DAYS)]
    start = classical.variables["t2m"]
    estimated, score = estimate(start, hours, steps=STEPS, most_reports=COVARIANCE_STATIONS)
    log.info("covariance: score %.4f, %s", score, estimated)
    settings = replace(classical, amplitude=False, variables={"t2m": estimated})
    few = [days[d] for d in chosen(days, SCORE_DAYS)]
    values = {method: tune(method, settings, few) for method in TUNED}
    ensemble = EnsembleSettings(**{m: _members(v) for m, v in values.items()}, relaxation=values["letkf"]["relaxation"])
    write_text(path, config.to_yaml(replace(settings, ensemble=ensemble)))


def tune(method: str, settings: Classical, days: list[Day]) -> dict:
    """Values of the method's parameters with the least mean CRPS at withheld stations of these days."""
    best = dict(START) | ({"static": 0.65, "weight": 1.0, "error_factor": 1.0} if method == "hybrid" else {})
    least = score(method, settings, best, days)
    for name in TUNED[method]:
        for tried in [best | {name: value} for value in GRID[name] if value != best[name]]:
            reached = score(method, settings, tried, days)
            if reached < least:
                least, best = reached, tried
        log.info("%s: CRPS %.4f K after %s, with %s", method, least, name, best)
    return best


def score(method: str, settings: Classical, values: dict, days: list[Day]) -> float:
    """Mean CRPS in K at withheld stations."""
    if values["weight"] + values["static"] == 0:
        return np.inf
    members = _members(values)
    idle = Members(members.localisation, 1.0)
    full = EnsembleSettings(
        **({"letkf": idle, "envar": idle, "hybrid": idle} | {method: members}), relaxation=values["relaxation"]
    )
    settings, total = replace(settings, ensemble=full), []
    r, covariance = settings.variables["t2m"].observation_error, Covariance(settings.variables["t2m"].covariance)
    for day in days:
        prior = Prior("t2m", settings, covariance, members_at(day.points, day.deviations))
        fitted = METHODS[method].kind.method(prior)
        parts = folds(day.station, count=SCORE_FOLDS, seed=1)
        for part in range(SCORE_FOLDS):
            out, kept = parts == part, parts != part
            fit = fitted.fit(day.points[kept], day.departure[kept], np.full(kept.sum(), r))
            deviation = np.hypot(fit.error(day.points[out]), r * values["error_factor"])
            total.append(crps_gaussian(fit.increment(day.points[out]), deviation, day.departure[out]))
    return float(np.concatenate(total).mean())


def _members(values: dict) -> Members:
    return Members(
        Localisation(values["radius"], values["height"]), values["weight"], values["static"], values["error_factor"]
    )


def main() -> None:
    """Estimate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="YAML file to write")
    days, _ = remove_bias(read_days(conus()))
    write(parser.parse_args().file, days)


if __name__ == "__main__":
    main()
