"""2 m temperature at withheld stations from a real ensemble: 8 members of MM5, 2004-01-27 00 UTC.

All methods start from the mean of the members without its bias, which other days tell. Parameters are those of
configs/methods/mm5_pnw.yaml, estimated on other days (mm5_estimate.py). Stations are withheld in parts by the hash of
their names, or by boxes. CRPS is that of a Gaussian with the error a method expects of itself and the observation's;
where a method expects none, with the deviation its own errors had on other days; of the raw ensemble that of its
8 members.
"""

from concurrent.futures import Executor
from functools import partial

import mm5_estimate
import numpy as np
from accuracy_data import conus
from accuracy_tables import RMSE, Row, how
from known_members import known
from kriging import Kriging
from mm5_pnw import VERIFYING, Day, read_days, remove_bias

from jobs.inputs import load_settings
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.settings import Classical, build_method
from mlrtma_dist.observations.withhold import boxes, folds
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian
from mlrtma_dist.verification.scores import rmse98

DATA = "mm5_pnw"
RAW = "raw ensemble"
METHODS = ("first_guess", "nearest", "gaussian_weights", "kriging", "oi", "threedvar", "letkf", "envar", "hybrid")
DRESSING_DAYS = 4  # other days that tell the deviation of methods without an error of their own


def mm5_rows(pool: Executor, count: int, blocks: list[float | None]) -> list[Row]:
    """The rmse and CRPS of every method for each way of withholding, in ``count`` parts."""
    days, bias = remove_bias(read_days(conus()))
    print(f"{DATA}: bias of the mean on {len(days) - 1} other days: {bias[0]:+.2f} K, elevation {bias[1]:+.2f} and "
          f"relief {bias[2]:+.2f} K/km, land {bias[3]:+.2f} K; {len(days[VERIFYING].station)} stations", flush=True)
    few = {date: days[date] for date in (VERIFYING, *mm5_estimate.chosen(days, DRESSING_DAYS))}
    asked = [(method, km) for km in blocks for method in (RAW, *METHODS)]
    return [row for rows in pool.map(partial(_rows, few, load_settings("mm5_pnw"), count), asked) for row in rows]


def predict(method: str, day: Day, settings: Classical, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Analyse without each part in turn.

    Returns:
        Value and deviation expected of an observation from it, K, shape (n,) each; the deviation NaN where the method
        expects none.
    """
    value, deviation = np.empty(len(day.station)), np.empty(len(day.station))
    r, covariance = settings.variables["t2m"].observation_error, Covariance(settings.variables["t2m"].covariance)
    made = Kriging() if method == "kriging" else build_method(
        method, settings, "t2m", covariance, known(day.points, day.deviations))
    for part in np.unique(parts):
        out, kept = parts == part, parts != part
        fit = made.fit(day.points[kept], day.departure[kept], np.full(kept.sum(), r))
        value[out] = fit.increment(points := day.points[out])
        observed = np.sqrt(fit.nugget) if method == "kriging" else r * getattr(made, "error_factor", 1.0)
        deviation[out] = np.hypot(fit.error(points), observed)
    return day.first_guess + value, deviation


def _rows(days: dict[str, Day], settings: Classical, count: int, asked: tuple[str, float | None]) -> list[Row]:
    """The rmse and CRPS of one method and way of withholding."""
    (method, km), day = asked, days[VERIFYING]
    if method == RAW:
        value, crps = day.members.mean(axis=0), crps_ensemble(day.members, day.observation)
    else:
        value, deviation = predict(method, day, settings, _parts(day, count, km))
        if np.isnan(deviation).any():
            wrong = [predict(method, d, settings, _parts(d, count, km))[0] - d.observation
                     for date, d in days.items() if date != VERIFYING]
            deviation = np.sqrt(np.mean(np.concatenate(wrong) ** 2))
        crps = crps_gaussian(value, deviation, day.observation)
    error, number, size = value - day.observation, *cluster_numbers(_clusters(day, km))
    drawn = resampled_sums(cluster_sums(number, size, error**2, crps, np.ones(len(crps))), seed=0)
    labels, nothing = (DATA, how(km), "t2m"), (float("nan"), float("nan"))
    return [
        Row(*labels, RMSE, method, len(error), float(np.sqrt(np.mean(error**2))),
            *interval(np.sqrt(ratio_of_sums(drawn, 0, 2)), size), rmse98(error), float(np.median(np.abs(error)))),
        Row(*labels, "CRPS", method, len(error), float(crps.mean()), *interval(ratio_of_sums(drawn, 1, 2), size),
            *nothing),
    ]


def _parts(day: Day, count: int, km: float | None) -> np.ndarray:
    return folds(day.station, count=count, seed=0, block_km=km, latitude=day.points.latitude,
                 longitude=day.points.longitude)


def _clusters(day: Day, km: float | None) -> np.ndarray:
    if km is None:
        return day.station
    row, column = boxes(day.points.latitude, day.points.longitude, km)
    return np.char.add(np.char.add(row.astype(str), " "), column.astype(str))
