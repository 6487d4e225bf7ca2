"""2 m temperature at withheld stations from a real ensemble: 8 members of MM5, 2004-01-27 00 UTC.

All methods start from the mean of the members without its bias, which other days tell. Parameters are those of
configs/methods/mm5_pnw.yaml, estimated on other days (mm5_estimate.py). Stations are withheld in ten parts by the hash
of their names, or by boxes. CRPS is that of a Gaussian with the error a method expects of itself and the observation's;
where a method expects none, with the deviation its own errors had on other days; of the raw ensemble that of its
8 members.
"""

from concurrent.futures import Executor
from functools import partial

import mm5_estimate
import numpy as np
from accuracy_data import conus
from accuracy_tables import Row, how, rows_of
from known_members import members_at
from kriging import Kriging
from mm5_pnw import VERIFYING, Day, read_days, remove_bias

from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods import registry
from mlrtma_dist.methods.departure_kind import Prior
from mlrtma_dist.methods.settings import Classical, load_settings
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import box_of

DATA = "mm5_pnw"
RAW, VARIABLE = "raw ensemble", "t2m"
METHODS = ("first_guess", "nearest", "gaussian_weights", "kriging", "oi", "threedvar", "letkf", "envar", "hybrid")
FOLDS = 10
DRESSING_DAYS = 4  # other days that tell the deviation of methods without an error of their own


def mm5_rows(pool: Executor, blocks: list[float | None]) -> list[Row]:
    """The rmse and CRPS of every method for each way of withholding."""
    days, bias = remove_bias(read_days(conus()))
    print(
        f"{DATA}: bias of the mean on {len(days) - 1} other days: {bias[0]:+.2f} K, elevation {bias[1]:+.2f} and "
        f"relief {bias[2]:+.2f} K/km, land {bias[3]:+.2f} K; {len(days[VERIFYING].station)} stations",
        flush=True,
    )
    few = {date: days[date] for date in (VERIFYING, *mm5_estimate.chosen(days, DRESSING_DAYS))}
    members, rows = days[VERIFYING].members, []
    for km in blocks:
        work = partial(_matches, few, load_settings("mm5_pnw"), km)
        tables = list(pool.map(work, (RAW, *METHODS)))
        rows += rows_of(DATA, how(km), Matches.concatenate(tables), km)
        for m in tables:
            crps = crps_gaussian(m.prediction, m.spread, m.observation)
            rows.append(_crps_row(m, crps_ensemble(members, m.observation) if m.methods == [RAW] else crps, km))
    return rows


def predict(method: str, day: Day, settings: Classical, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Analyse without each part in turn.

    Returns:
        Value and deviation expected of an observation from it, K, shape (n,) each; the deviation NaN where the method
        expects none.
    """
    value, deviation = np.empty(len(day.station)), np.empty(len(day.station))
    r, covariance = settings.variables["t2m"].observation_error, Covariance(settings.variables["t2m"].covariance)
    prior = Prior("t2m", settings, covariance, members_at(day.points, day.deviations))
    fitted = Kriging() if method == "kriging" else registry.METHODS[method].kind.method(prior)
    for part in np.unique(parts):
        out, kept = parts == part, parts != part
        fit = fitted.fit(day.points[kept], day.departure[kept], np.full(kept.sum(), r))
        value[out] = fit.increment(points := day.points[out])
        observed = np.sqrt(fit.nugget) if method == "kriging" else r * getattr(fitted, "error_factor", 1.0)
        deviation[out] = np.hypot(fit.error(points), observed)
    return day.first_guess + value, deviation


def _matches(days: dict[str, Day], settings: Classical, km: float | None, method: str) -> Matches:
    """One method at every station; its spread is the deviation expected of an observation."""
    day = days[VERIFYING]
    if method == RAW:
        value, deviation = day.members.mean(axis=0), np.nan
    else:
        value, deviation = predict(method, day, settings, _parts(day, km))
        if np.isnan(deviation).any():
            wrong = [
                predict(method, d, settings, _parts(d, km))[0] - d.observation
                for date, d in days.items()
                if date != VERIFYING
            ]
            deviation = np.sqrt(np.mean(np.concatenate(wrong) ** 2))
    return Matches.build(
        method=method,
        variable=VARIABLE,
        station=day.station,
        latitude=day.points.latitude,
        longitude=day.points.longitude,
        elevation=day.points.elevation,
        fold=_parts(day, km),
        observation=day.observation,
        prediction=value,
        spread=deviation,
    )


def _crps_row(matches: Matches, crps: np.ndarray, km: float | None) -> Row:
    number, size = cluster_numbers(matches.station if km is None else box_of(matches, km))
    drawn = resampled_sums(cluster_sums(number, size, crps, np.ones(len(crps))), seed=0)
    return Row(
        DATA,
        how(km),
        VARIABLE,
        "CRPS",
        matches.methods[0],
        len(crps),
        float(crps.mean()),
        *interval(ratio_of_sums(drawn, 0, 1), size),
        float("nan"),
        float("nan"),
    )


def _parts(day: Day, km: float | None) -> np.ndarray:
    return folds(
        day.station, count=FOLDS, seed=0, block_km=km, latitude=day.points.latitude, longitude=day.points.longitude
    )
