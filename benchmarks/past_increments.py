"""Members where no forecast gives any: what 3D-Var added to the first guess at other hours.

    python benchmarks/past_increments.py        choose the parameters on training hours and print the choice

The first guess of every hour is the same regression, so its errors at other hours are a sample of its errors now: the
increments of 3D-Var, d x_k = x_a - x_b at hour k, are members of

    P_e = 1/N sum_k d x_k d x_k'

about zero, not about their mean: what the regression misses at every hour (a basin, a coast) is the best that other
hours can add. The members are evaluated at stations only. They come from another year (accuracy_data.past_hours).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from accuracy_data import TRAINING, Hour, conus, past_hours
from known_members import MembersAt, members_at
from threadpoolctl import threadpool_limits

from mlrtma_dist.fields.static import station_points
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer, ClassicalMethod
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.methods.settings import Classical, EnsembleSettings, Members, load_settings
from mlrtma_dist.methods.threedvar import THREEDVAR
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds

# Chosen by `main` on the training hours of METAR, with members of 1995. Deviation of the errors over that of 3D-Var's,
# geometric mean over SEARCHED: EnVar 1.281, the hybrid 1.008 and the nearer to 1 the less the members weigh, down to
# the least tried.
ENVAR = Members(Localisation(800e3, 2500.0), weight=2.0, static=0.0, error_factor=2.0)
HYBRID = Members(Localisation(1600e3, 5000.0), weight=0.25, static=0.65, error_factor=1.0)
START = {
    "envar": Members(Localisation(800e3, 2500.0), 1.0, 0.0, 1.4),
    "hybrid": Members(Localisation(800e3, 2500.0), 0.5, 0.65, 1.0),
}
TRIED = {
    "radius": (400e3, 1600e3),
    "height": (1200.0, 5000.0),
    "weight": (0.25, 0.5, 1.0, 2.0, 4.0),
    "static": (0.5, 0.8, 1.0),
    "error_factor": (1.0, 1.4, 2.0),
}
SEARCHED = ("t2m", "d2m", "u10", "psfc")
SEARCH_FOLDS = 3


@dataclass(frozen=True)
class PastIncrements:
    """Members at the places of one table of reports; stands for ``fields.ensemble.Ensemble``."""

    by_variable: dict[str, MembersAt]

    def perturbations(self, variable: str, points: Points) -> np.ndarray:
        """The members in analysis space, shape (members, n)."""
        return self.by_variable[variable](points)


def solve_hour(hour: Hour, settings: Classical) -> dict[str, Fit]:
    """3D-Var of an hour, with all its stations: variable -> fit."""
    case = hour.cases(hour.read(), settings).whole()
    return ClassicalMethod(THREEDVAR, settings, HourSettings(settings)).analyse(case).fits


def past_increments(fits: list[dict[str, Fit]], observations: Observations) -> PastIncrements:
    """The increments of solved hours at the places of reports, of every variable at those of all.

    A dew point is held below the temperature at its own place, where no thermometer may be.
    """
    places = np.column_stack([observations.latitude, observations.longitude, observations.elevation])
    latitude, longitude, elevation = np.unique(places[np.isfinite(places[:, :2]).all(axis=1)], axis=0).T
    points = station_points(conus(), np.clip(latitude, -90, 90), longitude, elevation)
    inside = conus().domain.contains(points.latitude, points.longitude, 400e3)  # further ones take no part
    members = {}
    for name in fits[0]:
        increments = np.array([fit[name].increment(points[inside]) for fit in fits])
        # the covariance divides by N - 1, which suits deviations from a mean
        members[name] = members_at(points[inside], increments * np.sqrt((len(fits) - 1) / len(fits)))
    return PastIncrements(members)


def with_members(settings: Classical, envar: Members = ENVAR, hybrid: Members = HYBRID) -> Classical:
    """The settings with another use of members by EnVar and the hybrid; there is no filter."""
    idle = Members(envar.localisation, 1.0)
    return replace(settings, ensemble=EnsembleSettings(letkf=idle, envar=envar, hybrid=hybrid))


@dataclass(frozen=True)
class Trial:
    """A case of a training hour with members, a part of its stations withheld.

    Attributes:
        case: the hour; hours: the settings scaled to the case.
        errors: of 3D-Var, variable -> departures from the analysis at the withheld stations.
    """

    case: Case
    hours: HourSettings
    errors: dict[str, np.ndarray]


def main() -> None:
    """Try one parameter after the other, once; print every trial."""
    settings = load_settings("classical", SEARCHED)
    with threadpool_limits(1):
        fits = [solve_hour(hour, settings) for hour in past_hours("")]
        trials = [trial for hour in TRAINING for trial in _trials(hour, settings, fits)]
        for method, best in START.items():
            least = _score(trials, method, best, settings)
            for name, values in TRIED.items():
                for tried in [_changed(best, name, value) for value in values]:
                    reached = _score(trials, method, tried, settings) if tried else np.inf
                    print(f"{method}: {tried}: deviation over 3D-Var's {reached:.4f}", flush=True)
                    if reached < least:
                        least, best = reached, tried
            print(f"{method}: chosen {best}: {least:.4f}", flush=True)


def _changed(members: Members, name: str, value: float) -> Members | None:
    """The settings with another value; None where that is no method (EnVar has no modelled covariance)."""
    if name in ("radius", "height"):
        return replace(members, localisation=replace(members.localisation, **{name: value}))
    return None if name == "static" and not members.static else replace(members, **{name: value})


def _trials(hour: Hour, settings: Classical, fits) -> Iterator[Trial]:
    """The trials of a training hour, a part of its stations withheld in each."""
    observations = hour.read()
    members, parts = past_increments(fits, observations), folds(observations, count=SEARCH_FOLDS, seed=1)
    cases = hour.cases(observations, settings, members=members)
    for part in range(SEARCH_FOLDS):
        case, hours = cases.whole(parts == part), HourSettings(settings)
        yield Trial(case, hours, _errors(ClassicalMethod(THREEDVAR, settings, hours).analyse(case)))


def _score(trials: list[Trial], method: str, tried: Members, settings: Classical) -> float:
    """Geometric mean over variables of the errors' standard deviation over that of 3D-Var's, at withheld stations."""
    own = with_members(settings, tried, tried)
    errors = [_errors(ClassicalMethod(METHODS[method].kind, own, trial.hours).analyse(trial.case)) for trial in trials]
    ratios = [
        np.concatenate([each[name] for each in errors]).std()
        / np.concatenate([trial.errors[name] for trial in trials]).std()
        for name in settings.variables
    ]
    return float(np.exp(np.mean(np.log(ratios))))


def _errors(answer: ClassicalAnswer) -> dict[str, np.ndarray]:
    """Departures from the analysis at the withheld stations of its case."""
    case = answer.case
    scored = case.withheld & np.isfinite(case.departure) & verifiable(case.observations, case.departure)
    scored &= case.domain.contains(case.points.latitude, case.points.longitude)
    errors = {}
    for name, fit in answer.fits.items():
        rows = scored & (case.observations.variable == name)
        errors[name] = case.departure[rows] - fit.increment(case.points[rows])
    return errors


if __name__ == "__main__":
    main()
