"""Accuracy: 2 m temperature at withheld stations from a real ensemble: 8 members of MM5, 2004-01-27 00 UTC.

    python benchmarks/accuracy_mm5.py [--blocks KM ...]     the tables; then the cost, whose ratio is printed last
    python benchmarks/accuracy_mm5.py --estimate FILE       estimate the parameters on other days and write them

All methods start from the mean of the members without its bias, which other days tell. Parameters are those of
configs/methods/mm5_pnw.yaml, estimated on other days. Stations are withheld in 10 parts by the hash of their names,
or by boxes. CRPS is that of a Gaussian with the error a method expects of itself and the observation's; where a method
expects none, with the deviation its own errors had on other days; of the raw ensemble that of its 8 members.
"""

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import mm5_estimate
import numpy as np
from mm5_pnw import VERIFYING, Day, known, read_days, read_grid, remove_bias
from pykrige.uk import UniversalKriging

from jobs.inputs import load_settings
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.settings import Classical, build_method
from mlrtma_dist.observations.withhold import boxes, folds
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian

MADE = ("kriging", "oi", "threedvar", "letkf", "envar", "hybrid")  # that cost enough to be timed
METHODS = ("first_guess", "nearest", "gaussian_weights", *MADE)
NAMES = {"first_guess": "members' mean, no bias", "gaussian_weights": "Gaussian weights",
         "kriging": "kriging (PyKrige)", "oi": "OI", "threedvar": "3D-Var", "letkf": "LETKF", "envar": "EnVar"}
FOLDS = 10
DRESSING_DAYS = 4  # other days that tell the deviation of methods without an error of their own
STATION_KM = 111.2  # of a degree of latitude


@dataclass(frozen=True)
class Kriging:
    """Universal kriging of PyKrige with elevation as drift; variogram fitted by the package to the stations given."""

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "Kriging":
        """Fit the variogram; see ``methods.method.Method.fit``."""
        made = UniversalKriging(
            *_plane(points), departure, variogram_model="exponential", drift_terms=["specified"],
            specified_drift=[points.elevation / 1e3],
        )  # fmt: skip
        object.__setattr__(self, "_made", made)
        return self

    def both(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Increment and the deviation of an observation from it, shape (m,) each."""
        value, variance = self._made.execute("points", *_plane(points), specified_drift_arrays=[points.elevation / 1e3])
        return np.asarray(value), np.sqrt(np.maximum(np.asarray(variance), 0.0))


def _plane(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in km; a millidegree apart where stations share a place, which kriging cannot solve."""
    shift = 1e-3 * np.arange(len(points)) / max(len(points), 1)
    x = STATION_KM * np.cos(np.deg2rad(46.0)) * points.longitude + shift
    return x, STATION_KM * points.latitude


def predict(method: str, day: Day, settings: Classical, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Analyse without each part in turn.

    Returns:
        Value and deviation expected of an observation from it, K, shape (n,) each; the deviation NaN where the method
        expects none.
    """
    value, deviation = np.empty(len(day.station)), np.empty(len(day.station))
    members, r = known(day.points.position, day.members), settings.variables["t2m"].observation_error
    made = Kriging() if method == "kriging" else build_method(
        method, settings, "t2m", Covariance(settings.variables["t2m"].covariance), members)
    for part in np.unique(parts):
        out, kept = parts == part, parts != part
        fit = made.fit(day.points[kept], day.departure[kept], np.full(kept.sum(), r))
        if method == "kriging":
            value[out], deviation[out] = fit.both(day.points[out])
        else:
            value[out] = fit.increment(day.points[out])
            deviation[out] = np.hypot(fit.error(day.points[out]), r * getattr(made, "error_factor", 1.0))
    return day.first_guess + value, deviation


def table(days: dict[str, Day], settings: Classical, km: float | None) -> dict[str, np.ndarray]:
    """Print the scores of all methods with stations, or boxes, withheld; returns squared errors by method."""
    day, labels = days[VERIFYING], lambda d: folds(d.station, count=FOLDS, seed=0, block_km=km,
                                                   latitude=d.points.latitude, longitude=d.points.longitude)
    others = [days[date] for date in mm5_estimate.chosen(days, DRESSING_DAYS)]
    clusters = day.station if km is None else np.char.add(*(
        np.char.add(a.astype(str), " ") for a in boxes(day.points.latitude, day.points.longitude, km)))
    squares = {}

    def score(name: str, value: np.ndarray, crps: np.ndarray) -> None:
        squares[name] = (value - day.observation) ** 2
        _print(km, name, squares[name], crps, clusters)

    score("raw ensemble", day.members.mean(axis=0), crps_ensemble(day.members, day.observation))
    for method in METHODS:
        value, deviation = predict(method, day, settings, labels(day))
        if np.isnan(deviation).any():
            wrong = [predict(method, d, settings, labels(d))[0] - d.observation for d in others]
            deviation = np.sqrt(np.mean(np.concatenate(wrong) ** 2))
        score(NAMES.get(method, method), value, crps_gaussian(value, deviation, day.observation))
    _compare(squares, clusters)
    return squares


def _print(km, name, squares, crps, clusters) -> None:
    number, size = cluster_numbers(clusters)
    drawn = resampled_sums(cluster_sums(number, size, squares, crps, np.ones(len(crps))), seed=0)
    low, high = interval(np.sqrt(ratio_of_sums(drawn, 0, 2)), size)
    crps_low, crps_high = interval(ratio_of_sums(drawn, 1, 2), size)
    print(f"{'by name' if km is None else f'{km:g} km':<9}{name:<24}{np.sqrt(squares.mean()):6.3f}"
          f"{low:9.3f} to {high:.3f}{crps.mean():9.3f}{crps_low:9.3f} to {crps_high:.3f}"
          f"{np.sqrt(np.median(squares)):8.3f}", flush=True)


def _compare(squares: dict[str, np.ndarray], clusters: np.ndarray) -> None:
    """Differences of rmse with their intervals, both drawn by the same stations."""
    number, size = cluster_numbers(clusters)
    for a, b in (("hybrid", "3D-Var"), ("3D-Var", "kriging (PyKrige)"), ("LETKF", "OI"), ("EnVar", "OI")):
        drawn = resampled_sums(cluster_sums(number, size, squares[a], squares[b], np.ones(len(number))), seed=0)
        low, high = interval(np.sqrt(ratio_of_sums(drawn, 0, 2)) - np.sqrt(ratio_of_sums(drawn, 1, 2)), size)
        difference = np.sqrt(squares[a].mean()) - np.sqrt(squares[b].mean())
        print(f"  rmse {a} - {b}: {difference:+.3f} K ({low:+.3f} to {high:+.3f})", flush=True)


def cost(static, day: Day, settings: Classical) -> None:
    """Print the seconds of each method for the same grid points and stations; its last line is the ratio."""
    points, members = read_grid(static)
    everything = np.concatenate([day.points.position, points.position])
    members, assumed = known(everything, np.concatenate([day.members, members], axis=1)), settings.variables["t2m"]
    error, covariance = np.full(len(day.station), assumed.observation_error), Covariance(assumed.covariance)
    seconds = {}
    print(f"{len(day.station)} stations, {len(points)} grid points, increment and error, seconds of one run")
    for method in MADE:
        begun = time.perf_counter()
        made = Kriging() if method == "kriging" else build_method(method, settings, "t2m", covariance, members)
        fit = made.fit(day.points, day.departure, error)
        fit.both(points) if method == "kriging" else (fit.increment(points), fit.error(points))
        seconds[method] = time.perf_counter() - begun
        print(f"{NAMES.get(method, method):<24}{seconds[method]:8.2f}", flush=True)
    print(f"hybrid over kriging library, seconds: ratio {seconds['hybrid'] / seconds['kriging']:.3f}")


def main() -> None:
    """Print the tables and the cost, or estimate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=float, nargs="*", default=[100.0], help="side of the boxes withheld, km")
    parser.add_argument("--estimate", type=Path, help="estimate on other days and write the settings here")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", module="pykrige")
    static = load_static(load_domain("conus"))
    days, bias = remove_bias(read_days(static))
    print(f"bias of the mean on {len(days) - 1} other days: {bias[0]:+.2f} K, elevation {bias[1]:+.2f} and relief "
          f"{bias[2]:+.2f} K/km, land {bias[3]:+.2f} K")
    if asked.estimate:
        mm5_estimate.write(asked.estimate, days)
        return
    settings = load_settings("mm5_pnw")
    print(f"{len(days[VERIFYING].station)} stations")
    print(f"{'withheld':<9}{'method':<24}{'rmse K':>6}{'95 % interval':>18}{'CRPS K':>9}{'95 % interval':>18}"
          f"{'median':>8}")
    for km in [None, *asked.blocks]:
        table(days, settings, km)
    cost(static, days[VERIFYING], settings)


if __name__ == "__main__":
    main()
