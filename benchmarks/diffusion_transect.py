"""Claim: what diffusion assimilation adds to 30 members of MEPS on a transect, at withheld observations of 16 hours.

    python benchmarks/diffusion_transect.py

Observations of 2 m temperature on a line of 501 points through Scandinavia, 2023-08-07 00 to 15 UTC, are withheld in
five parts, each point in the same part at all hours. The members' mean is the background. Two denoisers are trained on
members alone (transect_denoiser.py): one of 00 to 07 UTC, which works on the later hours, and one of these for the
earlier ones. 3D-Var, EnVar, LETKF and the hybrid have the shipped settings; LETKF and EnVar also those that have the
least CRPS at observations of the other half of the hours. The observation error is the shipped one throughout. Printed
are the scores over all hours; of intervals for which points and for which hours are drawn the wider ends count.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch
from ensemble_rows import header, row, with_members
from known_members import members_at
from transect import Hour, read_hours
from transect_denoiser import Line

from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods import registry
from mlrtma_dist.methods.amplitude import scale_to_hour
from mlrtma_dist.methods.background_error import fit_to_hour
from mlrtma_dist.methods.departure_kind import Prior
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.settings import Classical, Members, load_settings
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.crps import crps_gaussian
from mlrtma_dist.verification.match import Matches

VARIABLE, PARTS, REFERENCE = "t2m", 5, "3D-Var"
TRIED = {
    "radius": (100e3, 200e3, 400e3, 800e3),
    "weight": (0.5, 1.0, 2.0, 4.0, 8.0),
    "error_factor": (1.0, 1.4, 2.0),
}
CHOSEN = 2  # hours of the other half by which LETKF and EnVar are tuned
BARS = {"oi": "OI", "threedvar": REFERENCE, "letkf": "LETKF", "envar": "EnVar", "hybrid": "hybrid"}
WAYS = {
    "diffusion, `steps: 0`": Sampling(steps=0),
    "diffusion, the default: jfps, 4 steps": Sampling(),
}


def predict(name: str, settings: Classical, hour: Hour, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A classical method at every station without its part: value and error expected of it, K, shape (n,) each."""
    members, own = hour.at_stations(), settings.variables[VARIABLE]
    mean, ensemble = members.mean(0), registry.METHODS[name].kind.members
    deviations = members_at(hour.stations, members - mean)
    value, error = np.empty((2, len(mean)))
    for part in np.unique(parts):
        out, kept = parts == part, parts != part
        points, departure = hour.stations[kept], (hour.observation - mean)[kept]
        r = np.full(len(points), own.observation_error)
        if ensemble:  # as `methods.hour_settings`: of these the variances alone are scaled
            covariance = scale_to_hour(Covariance(own.covariance), points, departure, r)
        else:
            fitted = fit_to_hour(own, points, departure)
            covariance, r = Covariance(fitted.covariance), np.full(len(points), fitted.observation_error)
        fit = (
            registry.METHODS[name]
            .kind.method(Prior(VARIABLE, settings, covariance, deviations))
            .fit(points, departure, r)
        )
        value[out], error[out] = mean[out] + fit.increment(hour.stations[out]), fit.error(hour.stations[out])
    return value, error


def tuned_to(name: str, settings: Classical, hours: list[Hour]) -> Classical:
    """The settings with the use of members by LETKF or EnVar that has the least CRPS at withheld stations of hours."""

    def crps(tried: Classical) -> float:
        scores = []
        for hour in hours:
            value, error = predict(name, tried, hour, folds(hour.names, count=2, seed=1))
            total = np.hypot(error, settings.variables[VARIABLE].observation_error)
            scores.append(crps_gaussian(value, total, hour.observation))
        return float(np.concatenate(scores).mean())

    best = getattr(settings.ensemble, name)
    best = replace(best, weight=1.0, error_factor=1.0, localisation=Localisation(400e3, best.localisation.height))
    least = crps(_with(settings, name, best))
    for key, values in TRIED.items():
        for value in values:
            changed = {"localisation": replace(best.localisation, radius=value)} if key == "radius" else {key: value}
            tried = replace(best, **changed)
            score = crps(_with(settings, name, tried))
            if score < least:
                least, best = score, tried
    print(f"{name}: {best}: CRPS {least:.3f} K on other hours", flush=True)
    return _with(settings, name, best)


def _with(settings: Classical, name: str, members: Members) -> Classical:
    return replace(settings, ensemble=replace(settings.ensemble, **{name: members}))


def matches_of(hour: Hour, name: str, error: float, prediction=0.0, spread=np.nan) -> Matches:
    """Matches of a method at all stations of an hour."""
    return Matches.build(
        method=name,
        variable=VARIABLE,
        station=hour.names,
        time=hour.time,
        observation=hour.observation,
        prediction=prediction,
        spread=spread,
        observation_error=error,
    )


def match_half(hours: list[Hour], others: list[Hour], settings: Classical, options) -> list[Matches]:
    """All methods at all hours of a half; what is learnt or tuned is so on the other half."""
    error = settings.variables[VARIABLE].observation_error
    line = Line.trained(others, options.steps, error)
    few = [others[number] for number in np.linspace(0, len(others) - 1, CHOSEN + 2).round().astype(int)[1:-1]]
    classical = [(words, name, settings) for name, words in BARS.items()]
    classical += [(f"{BARS[name]}, tuned", name, tuned_to(name, settings, few)) for name in ("letkf", "envar")]
    tables = []
    for hour in hours:
        parts = folds(hour.names, count=PARTS, seed=0)
        tables.append(with_members(matches_of(hour, "30 members", error), hour.at_stations()))
        tables += [matches_of(hour, words, error, *predict(name, at, hour, parts)) for words, name, at in classical]
        for words, sampling in WAYS.items():
            members = np.empty((options.members, len(parts)))
            for part in range(PARTS):
                drawn = line.members(hour, parts != part, replace(sampling, members=options.members))
                members[:, parts == part] = drawn[:, parts == part]
            tables.append(with_members(matches_of(hour, words, error), members))
        print(f"{hour.time}: {len(parts)} observations", flush=True)
    return tables


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--steps", type=int, default=500, help="of each training")
    parser.add_argument("--hours", type=int, default=16, help="of the day, an even number")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings, hours = load_settings("classical", (VARIABLE,)), read_hours()
    early, late = hours[: len(hours) // 2], hours[len(hours) // 2 :]
    count = options.hours // 2
    tables = match_half(early[:count], late, settings, options) + match_half(late[:count], early, settings, options)
    whole = Matches.concatenate(tables)
    reference = whole.select(method=REFERENCE)
    print(header(REFERENCE, "K"))
    for name in whole.methods:
        own = reference if name == REFERENCE else whole.select(method=name)
        print(row(own, reference, [own.station, own.time]), flush=True)


if __name__ == "__main__":
    main()
