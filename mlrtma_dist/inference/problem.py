"""Problem: one hour on one domain, ready to be analysed -- reports judged, first guess made, departures known.

    reports -> flags (by themselves) -> first guess -> flags (against it, against neighbours) -> departures

Withheld stations take no part in any of this; they get flags and departures of their own, that is all.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from mlrtma_dist.fields.ensemble import Ensemble, load_ensemble
from mlrtma_dist.fields.fallback import Fallback
from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.regression import fit_regression
from mlrtma_dist.fields.static import Static, grid_points, station_points
from mlrtma_dist.grid.points import Points
from mlrtma_dist.io.field_codes import FieldCode
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.amplitude import scale_to_hour
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.methods.wind import MEASURED, WIND, in_space
from mlrtma_dist.names import variable
from mlrtma_dist.observations.buddies import check_buddies
from mlrtma_dist.observations.departures import check_departures
from mlrtma_dist.observations.error_table import fill_errors
from mlrtma_dist.observations.quality import check_elevation, check_reports
from mlrtma_dist.observations.reports import measurements, wind_partner
from mlrtma_dist.observations.station_lists import NO_LISTS, StationLists
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.twins import twin_numbers

TERRAIN_BOXES = 5  # grid boxes across, in which the terrain's range around a station is taken


@dataclass(frozen=True)
class Problem:
    """What an analysis needs.

    Attributes:
        static: the domain.
        time: analysis time.
        observations: every report, with its flags; n rows.
        points: the reports' places, n of them; (0, 0) where a report has none.
        value: reports in analysis space, shape (n,).
        departure: observation minus first guess in analysis space, shape (n,).
        spread: of the first guess at the reports, analysis space, shape (n,).
        used: mask of the reports that the analysis may use, shape (n,).
        withheld: mask of the reports that it may not, shape (n,).
        first_guess: what is believed before.
        covariance: variable -> background error covariance, scaled to the hour.
        notes: what a reader of the product must know.
        ensemble: the members, for methods that use them; None: there are none.
    """

    static: Static
    time: np.datetime64
    observations: Observations
    points: Points
    value: np.ndarray
    departure: np.ndarray
    spread: np.ndarray
    used: np.ndarray
    withheld: np.ndarray
    first_guess: FirstGuess
    covariance: dict[str, Covariance]
    notes: tuple[str, ...]
    ensemble: Ensemble | None = None


def pose(
    static: Static,
    observations: Observations,
    settings: Classical,
    *,
    time: np.datetime64,
    window: np.timedelta64,
    background: tuple[str, ...] = (),
    codes: tuple[FieldCode, ...] = (),
    ensemble: tuple[str, ...] = (),
    withheld: np.ndarray | None = None,
    twins_tell: bool = False,
    lists: StationLists = NO_LISTS,
) -> Problem:
    """Judge the reports, make the first guess, take the departures.

    Args:
        static: domain and terrain.
        observations: as read.
        settings: of the classical methods; its ``variables`` are analysed.
        time: analysis time.
        window: half width of the observation window.
        background: gridded files; none: the mean of the ensemble, without one a regression on the reports.
        codes: what the gridded files' own codes mean, by the user.
        ensemble: gridded files, one a member.
        withheld: mask (n,) of the reports that take no part; None: no report is withheld.
        twins_tell: whether the other names of a withheld station take part; they tell what it measured.
        lists: operational station lists and observation errors, of which quality control alone makes use.

    Raises:
        InputError: a background or an ensemble that cannot be used.
    """
    held = np.zeros(len(observations), dtype=bool) if withheld is None else withheld
    apart = held if twins_tell else held | _twins_of(observations, held)
    judged, points = _judge(static, observations, time, window, held, lists)
    # Only now: which names are one station, and which reports contradict themselves, all that was measured tells,
    # whatever is analysed of it.
    wanted = np.isin(observations.variable, list(settings.variables))
    observations, points, held, apart = (each[wanted] for each in (judged, points, held, apart))
    value = _analysis_space(observations)
    error = np.array([settings.variables[str(name)].observation_error for name in observations.variable])
    used = observations.usable & ~apart
    members = load_ensemble(ensemble, static, time, codes) if ensemble else None
    gridded = load_gridded(list(background), static, time, codes) if background else members
    reports = partial(_reports, settings.variables, observations.variable, (points, value, error))
    guess, notes = _first_guess(static, time, reports(used), gridded)
    departure, spread = _departures(guess, observations, points, value)
    natural = {name: Covariance(v.covariance) for name, v in settings.variables.items()}
    deviation = np.array([natural[str(name)].variance ** 0.5 for name in observations.variable])
    observations = check_departures(observations, departure, np.hypot(spread, deviation), withheld=apart)
    observations = check_buddies(observations, departure, points.position, points.elevation, withheld=apart)
    used = _whole_winds(observations, observations.usable & ~apart & np.isfinite(departure))
    if gridded is None or not set(settings.variables) <= set(gridded.variables):
        # the rejected reports helped to make the regression: make it again without them
        guess, notes = _first_guess(static, time, reports(used), gridded)
        departure, spread = _departures(guess, observations, points, value)
    covariance = _scaled(natural, observations, points, departure, error, used) if settings.amplitude else natural
    return Problem(
        static,
        time,
        observations,
        points,
        value,
        departure,
        spread,
        used,
        held,
        guess,
        covariance,
        tuple(notes),
        members,
    )


def _judge(static, observations, time, window, held, lists) -> tuple[Observations, Points]:
    """The reports with every flag that needs no first guess, and where they were made."""
    observations = check_reports(
        observations, time=time, window=window, domain=static.domain, withheld=held, lists=lists
    )
    if lists.errors is not None:
        observations = fill_errors(observations, lists.errors)
    points = _places(static, observations)
    return _check_heights(static, observations, points), points


def _scaled(natural, observations, points, departure, error, used) -> dict[str, Covariance]:
    """The covariances, scaled to the hour's departures."""
    scaled = {}
    winds = wind_rows(observations, used)
    for name, full in natural.items():
        rows = used & (observations.variable == name)
        if name in WIND and len(winds):
            rows = winds[:, 0]
            vector = in_space(points[rows], departure[winds])
            scaled[name] = scaled.get(WIND[0]) or scale_to_hour(full, points[rows], vector, error[rows], MEASURED)
        else:
            scaled[name] = scale_to_hour(full, points[rows], departure[rows], error[rows])
    return scaled


def wind_rows(observations: Observations, used: np.ndarray) -> np.ndarray:
    """Rows of the u10 and v10 of the winds that are used, shape (m, 2), m 0 where there is none."""
    rows = measurements(observations).get("wind", np.empty((0, 2), np.int64))
    return rows[used[rows].all(axis=1)]


def _whole_winds(observations: Observations, used: np.ndarray) -> np.ndarray:
    """``used`` without the components of winds whose other component is not used, where winds are used at all.

    A table of eastward components alone is analysed as it is.
    """
    wind, partner = np.isin(observations.variable, WIND), wind_partner(observations)
    whole = wind & (partner >= 0) & used & used[partner]
    return used & (~wind | whole) if whole.any() else used


def _twins_of(observations: Observations, held: np.ndarray) -> np.ndarray:
    """Mask of the rows of a station that is withheld under this or another name, shape (n,)."""
    if not held.any():
        return held
    number = twin_numbers(observations)
    return np.isin(number, number[held])


def _places(static: Static, observations: Observations) -> Points:
    latitude = np.where(np.isfinite(observations.latitude), observations.latitude, 0.0)
    longitude = np.where(np.isfinite(observations.longitude), observations.longitude, 0.0)
    return station_points(static, np.clip(latitude, -90.0, 90.0), longitude, observations.elevation)


def _check_heights(static: Static, observations: Observations, points: Points) -> Observations:
    """Stations inside the grid only: beyond its edge the terrain is not known."""
    domain = static.domain
    row, column = domain.index(points.latitude, points.longitude)
    inside = domain.contains(points.latitude, points.longitude)
    row = np.clip(np.rint(row), 0, domain.size.y - 1).astype(np.int64)
    column = np.clip(np.rint(column), 0, domain.size.x - 1).astype(np.int64)
    span = maximum_filter(static.terrain, TERRAIN_BOXES) - minimum_filter(static.terrain, TERRAIN_BOXES)
    terrain = np.where(inside, static.terrain[row, column], np.nan)
    return check_elevation(observations, terrain=terrain, terrain_range=np.where(inside, span[row, column], np.nan))


def _analysis_space(observations: Observations) -> np.ndarray:
    value = np.full(len(observations), np.nan)
    for name in np.unique(observations.variable):
        rows = observations.variable == name
        value[rows] = variable(str(name)).to_analysis(observations.value[rows])
    return value


def _reports(names, variable: np.ndarray, columns: tuple, rows: np.ndarray) -> dict[str, tuple]:
    """For each name the chosen rows of the columns: places, values and errors."""
    return {name: tuple(column[rows & (variable == name)] for column in columns) for name in names}


def _first_guess(static: Static, time: np.datetime64, reports: dict[str, tuple], gridded):
    """The first guess and what is to be said of it."""
    middle = (slice(size // 2, size // 2 + 1) for size in static.domain.shape)
    regression = fit_regression(grid_points(static, *middle), time, reports)
    without = [name for name, (place, _, _) in reports.items() if len(place) == 0]
    if gridded is None:
        return regression, [f"no usable report of {name}: first guess and analysis are climatology" for name in without]
    notes = [gridded.note] if gridded.note else []
    for name in reports:
        if name not in gridded.variables:
            instead = "climatology, as no report is usable" if name in without else "a regression on its reports"
            notes.append(f"the background has no {name}: its first guess is {instead}")
    return Fallback(gridded, regression), notes


def _departures(guess: FirstGuess, observations: Observations, points: Points, value: np.ndarray):
    departure, spread = np.full(len(observations), np.nan), np.zeros(len(observations))
    for name in np.unique(observations.variable):
        rows = observations.variable == name
        departure[rows] = value[rows] - guess.mean(str(name), points[rows])
        spread[rows] = guess.spread(str(name), points[rows])
    return departure, spread
