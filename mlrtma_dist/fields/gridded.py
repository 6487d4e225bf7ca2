"""The first guess of gridded files: a model's forecast, or the previous analysis.

Values are interpolated bilinearly from the model's own grid, so that nothing is smoothed twice. Temperature,
dew point and pressure are then carried from the model's terrain at the place to the place's own
elevation (``adjustment``); the other variables are taken as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.fields import adjustment
from mlrtma_dist.fields.gridded_state import BackgroundError, read_state
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.interpolate import bilinear, closes, same_grid
from mlrtma_dist.grid.points import Points
from mlrtma_dist.io.field_codes import FieldCode

PRESSURE = "psfc"
ADJUSTED = ("t2m", "d2m", PRESSURE)


@dataclass(frozen=True)
class GriddedFirstGuess:
    """A State as first guess (``first_guess.FirstGuess``).

    Attributes:
        state: values on the model's own grid; winds along the earth. Its elevation None: no adjustment.
        name: for provenance, e.g. "gridded: hrrr.grib2".
        note: what a reader of the product must know, sentences joined by "; "; "" where nothing.
        last: the points asked last and where they lie on the grid; members on one grid share it.
    """

    state: State
    name: str
    note: str = ""
    last: list = field(default_factory=list, repr=False, compare=False)
    _carried: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the file has."""
        return frozenset(self.state.values)

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The first guess of a variable in analysis space, shape (n,); NaN outside the file's grid, or
        where the file has no such variable."""
        properties = names.variable(variable)
        if variable not in self.state.values:
            return np.full(len(points), np.nan)
        place = self._index(points)
        rise = self._rise(place, points) if variable in ADJUSTED else None
        if variable == PRESSURE:
            return np.exp(self._log_pressure(place, rise))
        value = self._at(variable, place)
        if rise is not None and variable == "t2m":
            value = adjustment.adjust_temperature(value, rise)
        if rise is not None and variable == "d2m":
            value = adjustment.adjust_dew_point(value, rise)
            if "t2m" in self.state.values:  # a dew point above the temperature does not exist
                value = np.fmin(value, adjustment.adjust_temperature(self._at("t2m", place), rise))
        return value if properties.transform != "identity" else np.clip(value, *properties.valid)

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """Zero: the error of a gridded background is what the background covariance describes, shape (n,)."""
        names.variable(variable)
        return np.zeros(len(points))

    def _index(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Where points lie on the model's grid; kept for the next variable: projecting costs most.

        Points and place are kept as one pair and returned from here, not from there: the threads that walk
        the grid ask at the same time.
        """
        for last_points, place in self.last:
            if last_points is points:
                return place
        grid = self.state.domain
        if grid.is_plane:
            place = points.position[:, 1] / grid.spacing, points.position[:, 0] / grid.spacing
        else:
            place = grid.index(points.latitude, points.longitude)
        self.last[:] = [(points, place)]
        return place

    def _at(self, name: str, place) -> np.ndarray:
        """A field at fractional indices, in the space in which it is interpolated."""
        if name not in self._carried:
            values = self.state.values[name]
            self._carried[name] = np.log(values) if name == PRESSURE else names.VARIABLES[name].to_analysis(values)
        return bilinear(self._carried[name], *place, periodic=closes(self.state.domain))

    def _rise(self, place, points: Points) -> np.ndarray | None:
        """Height of the points above the model's terrain there, m; None where that is not known."""
        if self.state.elevation is None:
            return None
        return points.elevation - self._terrain(place)

    def _terrain(self, place) -> np.ndarray:
        """The model's terrain at fractional indices, m."""
        assert self.state.elevation is not None, "only a height that is there is adjusted for"
        return bilinear(self.state.elevation, *place, periodic=closes(self.state.domain))

    def _log_pressure(self, place, rise) -> np.ndarray:
        log_pressure = self._at(PRESSURE, place)
        if rise is None:
            return log_pressure
        if "t2m" in self.state.values:
            temperature = self._at("t2m", place)
        else:
            temperature = adjustment.adjust_temperature(names.STANDARD_TEMPERATURE, self._terrain(place))
        if "d2m" in self.state.values:
            moist = adjustment.virtual_temperature(temperature, self._at("d2m", place), np.exp(log_pressure))
            temperature = np.where(np.isnan(moist), temperature, moist)
        return adjustment.adjust_log_pressure(log_pressure, rise, temperature)


def load_gridded(
    paths: str | Path | Sequence[str | Path],
    static: Static,
    time: np.datetime64,
    codes: tuple[FieldCode, ...] = (),
    *,
    exact: bool = False,
    member: int | None = None,
) -> GriddedFirstGuess:
    """Read a background.

    Two valid times at most 6 h apart around ``time`` are interpolated linearly; one time alone is used within 3 h.
    With ``exact`` the fields valid at ``time`` alone are used: a label is not interpolated in time.

    Args:
        paths: a file or several: GRIB 1 or 2, CF netCDF, our own product among them.
        static: the domain to be analysed and its terrain.
        time: the analysis time, datetime64[s].
        codes: what the files' own codes mean, by the user.
        exact: see above.
        member: index of the member to take of files that hold several (`fields.ensemble`).

    Raises:
        BackgroundError: nothing near the time, or nothing on the domain; names both times.
        GriddedFileError: a file cannot be read.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not paths:
        raise BackgroundError("expected at least one background file, got none")
    if static.domain.is_plane:
        raise BackgroundError(f"domain {static.domain.name} is a plane: a gridded file cannot be laid on it")
    state, notes = read_state(paths, static.domain, time.astype("datetime64[s]"), codes, exact, member)
    if state.elevation is None and static.has_terrain.all() and same_grid(state.domain, static.domain):
        state = State(state.domain, state.time, state.values, static.terrain, state.origin)
        notes.append("its terrain is taken to be that of the domain, whose grid it has")
    elif state.elevation is None:
        notes.append("its terrain is not in the file: temperature, dew point and pressure are not adjusted in height")
    return GriddedFirstGuess(state, f"gridded: {state.origin}", "; ".join(notes))
