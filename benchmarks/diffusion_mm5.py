"""Claim: members about 3D-Var and the hybrid at withheld stations of mm5_pnw, by the weights that ship.

    python benchmarks/diffusion_mm5.py

Eight members of MM5 and the stations of 2004-01-27 00 UTC, ten parts by the hash of their names, as in accuracy_mm5.py:
first guess, parameters and observation error of all methods are those of configs/methods/mm5_pnw.yaml, which come from
other days. The denoiser draws departures of four variables from an analysis in units of the error that it expects;
of this day there is temperature alone. The dew point is taken 3 K below it, the wind as calm, and their errors as
those of the denoiser's training on the average; their members are not used.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np
from accuracy_data import conus
from accuracy_mm5 import FOLDS, predict
from ensemble_rows import header, row, with_members
from known_members import MembersAt
from mm5_pnw import MEMBERS, VERIFYING, Day, bias_terms, grid_members, read_days, remove_bias
from scipy.interpolate import griddata
from scipy.spatial import cKDTree

from mlrtma_dist.fields.static import Static, grid_points, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Size, load_domain
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods import registry
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.departure_kind import Prior
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.weights.trained import load_released, load_trained

BARS = {
    "oi": "OI",
    "threedvar": "3D-Var",
    "letkf": "LETKF",
    "envar": "EnVar",
    "hybrid": "hybrid",
}
ABOUT = ("threedvar", "hybrid")
REFERENCE, T2M, D2M = "3D-Var", "t2m", "d2m"
TIME = np.datetime64("2004-01-27T00:00", "s")
DEPRESSION = 3.0  # K, of a dew point that is not measured
SOUTH_WEST, NORTH_EAST = (40.5, -132.5), (52.0, -114.5)  # latitude, longitude around the members' grid


@dataclass(frozen=True)
class Region:
    """The grid of 20 km on which members are drawn.

    Attributes:
        static: its terrain; points: of it, row by row.
        first_guess: of the day there, K, shape (n,); deviations: of the members from their mean, K, shape (8, n).
    """

    static: Static
    points: Points
    first_guess: np.ndarray
    deviations: np.ndarray

    @classmethod
    def of(cls, bias: np.ndarray) -> "Region":
        """Part of ``conus_20km`` around the members' grid; ``bias``: coefficients of that of the members' mean."""
        whole = load_domain("conus_20km")
        latitude, longitude = whole.latitude_longitude(slice(None), slice(None))
        inside = (latitude > SOUTH_WEST[0]) & (latitude < NORTH_EAST[0])
        inside &= (longitude > SOUTH_WEST[1]) & (longitude < NORTH_EAST[1])
        (y, x), (y_end, x_end) = (end(np.nonzero(inside), axis=1) for end in (np.min, np.max))
        corner = replace(whole.corner, latitude=float(latitude[y, x]), longitude=float(longitude[y, x]))
        size = Size(int(x_end - x) + 1, int(y_end - y) + 1)
        static = load_static(replace(whole, name="mm5_pnw", corner=corner, size=size))
        places, members = grid_members(static)
        points = grid_points(static)
        targets = points.longitude, points.latitude
        linear, nearest = (
            griddata((places.longitude, places.latitude), members.T, targets, method=each).T
            for each in ("linear", "nearest")
        )
        members = np.where(np.isfinite(linear), linear, nearest)
        mean = members.mean(0)
        return cls(static, points, mean - bias_terms(points) @ bias, members - mean)

    def deviations_with(self, day: Day) -> MembersAt:
        """The members' deviations on the grid and at the stations of a day."""
        places = [np.column_stack([each.position, each.elevation]) for each in (self.points, day.points)]
        return MembersAt(cKDTree(np.concatenate(places)), np.concatenate([self.deviations, day.deviations], axis=1))


class InFields:
    """The first guess of a case whose fields hold it; there are no reports at which it could be evaluated."""

    name = "3D-Var"

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """Unknown beside the fields, shape (n,)."""
        return np.full(len(points), np.nan)

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """See `mean`."""
        return self.mean(variable, points)


def members_about(fit: Fit, day: Day, region: Region, method, rows: np.ndarray) -> np.ndarray:
    """Members about an analysis at some stations, K, shape (member, n).

    Args:
        fit: the analysis of the day's departures; method: that draws; rows: of the stations.
    """
    domain = region.static.domain
    errors = dict(zip(method.variables, method.statistics.mean[4:8], strict=True))
    value = region.first_guess + fit.increment(region.points)
    calm = np.zeros(domain.shape, np.float32)
    background = dict.fromkeys(errors, calm) | {
        T2M: value.reshape(domain.shape).astype(np.float32),
        D2M: (value - DEPRESSION).reshape(domain.shape).astype(np.float32),
    }
    error = {name: np.full(domain.shape, each, np.float32) for name, each in errors.items()}
    error[T2M] = fit.error(region.points).reshape(domain.shape).astype(np.float32)
    nothing = np.zeros(0, dtype=bool)
    case = Case(
        region.static,
        Box.whole(domain.shape),
        TIME,
        Observations.empty(),
        nothing,
        nothing,
        first_guess=InFields(),
        background=background,
        background_error=error,
        variables=tuple(errors),
    )
    drawn = (method.analyse(case).members[T2M] - background[T2M]) / error[T2M]
    points = day.points[rows]
    y, x = domain.index(points.latitude, points.longitude)
    at_stations = np.stack([bilinear(each, y, x) for each in drawn])
    return (day.first_guess[rows] + fit.increment(points)) + fit.error(points) * at_stations


def analysed(day: Day, region: Region, about: str, method, settings, parts: np.ndarray) -> np.ndarray:
    """Members at every station without its own part of the reports, K, shape (member, n).

    Args:
        about: name of the method about whose analysis they are drawn; method: that draws; parts: of the stations.
    """
    r, covariance = settings.variables[T2M].observation_error, Covariance(settings.variables[T2M].covariance)
    members = np.empty((method.sampling.members, len(day.station)))
    for part in np.unique(parts):
        out, kept = parts == part, parts != part
        own = registry.METHODS[about].kind.method(Prior(T2M, settings, covariance, region.deviations_with(day)))
        fit = own.fit(day.points[kept], day.departure[kept], np.full(kept.sum(), r))
        members[:, out] = members_about(fit, day, region, method, np.flatnonzero(out))
    return members


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", metavar="FOLDER", help="of the denoiser; without: the weights that ship")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--settings", default="mm5_pnw", help="of configs/methods")
    options = parser.parse_args()
    settings = replace(load_settings(options.settings, (T2M,)), amplitude=False)
    days, bias = remove_bias(read_days(conus()))
    day, region = days[VERIFYING], Region.of(bias)
    if options.checkpoint:
        method = load_trained(options.checkpoint).method
    else:
        method = load_released(["diffusion"], region.static.domain)["diffusion"]
    method.settle(region.static.domain)
    method = method.drawing(Sampling(members=options.members))
    parts = folds(day.station, count=FOLDS, seed=0)
    r = settings.variables[T2M].observation_error
    common = {
        "variable": T2M,
        "station": day.station,
        "time": TIME,
        "fold": parts,
        "observation": day.observation,
    }
    raw = Matches.build(method=f"{len(MEMBERS)} members", prediction=0.0 * parts, observation_error=0.0, **common)
    tables = [with_members(raw, day.members)]
    for name, words in BARS.items():
        value, deviation = predict(name, day, settings, parts)
        tables.append(Matches.build(method=words, prediction=value, spread=deviation, observation_error=0.0, **common))
    for about in ABOUT:
        name, factor = f"members about {BARS[about]}", getattr(settings.ensemble, about, None)
        own = r * (factor.error_factor if factor else 1.0)
        plain = Matches.build(method=name, prediction=0.0 * parts, observation_error=own, **common)
        tables.append(with_members(plain, analysed(day, region, about, method, settings, parts)))
    (reference,) = [each for each in tables if each.methods == [REFERENCE]]
    print(header(REFERENCE, "K"))
    for each in tables:
        print(row(each, reference, [day.station]), flush=True)


if __name__ == "__main__":
    main()
