"""Make a State at one time out of gridded files: choose the grid, interpolate in time, turn the winds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlrtma_dist.fields.moisture_state import MoistureError, complete_dew_point
from mlrtma_dist.fields.state import State
from mlrtma_dist.grid.domain import Domain, rotate
from mlrtma_dist.grid.interpolate import regrid, same_grid
from mlrtma_dist.io.field_codes import FieldCode
from mlrtma_dist.io.grid_field import GriddedFileError, GridField, Window
from mlrtma_dist.io.gridded import member_names, read_gridded
from mlrtma_dist.names import VARIABLES

CONSTANT = "terrain"
MOISTURE = ("specific_humidity", "relative_humidity")
NEEDED = (*VARIABLES, CONSTANT, *MOISTURE)
HOUR = np.timedelta64(3600, "s")
# A straight line over 6 h misses at most a third of the diurnal wave (1 - cos 45 deg = 0.29 of its amplitude)
WIDEST_GAP = 6 * HOUR
NEAREST = 3 * HOUR  # a field this old or early may stand alone
ROWS = 64  # of a grid whose wind is turned at a time
MOST, TOLD = 0.5, 0.01  # shares of values outside a variable's range that are no weather, and that a reader is told of
ROUNDING = 1e-3  # of a variable's range: how far packed numbers may leave it


class BackgroundError(GriddedFileError):
    """Gridded files that make no first guess; says for which time and domain."""


def read_state(
    paths: Sequence[str | Path],
    domain: Domain,
    time: np.datetime64,
    codes: tuple[FieldCode, ...] = (),
    exact: bool = False,
    member: int | None = None,
) -> tuple[State, list[str]]:
    """Read what is known at ``time`` on the files' own grid.

    Args:
        paths: GRIB or CF netCDF files; of several grids the one that covers most of ``domain`` is used.
        domain: the grid that will be analysed.
        time: datetime64[s].
        codes: what the files' own codes mean, by the user.
        exact: use the fields that are valid at ``time`` alone.
        member: index of the member to take of files that hold several; None: such files are no state.

    Returns:
        The state (winds along the earth, elevation None where no file has the terrain), and what a reader
        of the product must know about it, a sentence each.

    Raises:
        BackgroundError: no analysed variable near ``time``, none on the domain, or values that are impossible.
        GriddedFileError: a file cannot be read.
    """
    window = (time, time) if exact else (time - WIDEST_GAP, time + WIDEST_GAP)

    def read(span: Window | None) -> list[GridField]:
        parts = (read_gridded(path, NEEDED, span, codes, member=member, projection=domain.projection) for path in paths)
        return [field for part in parts for field in part]

    fields = read(window)
    weather = [f for f in fields if f.name != CONSTANT]
    if not weather:
        weather = [f for f in read(None) if f.name != CONSTANT]
        raise BackgroundError(_nothing(paths, time, weather, member))
    grid = _choose_grid(weather, domain, paths)
    notes: list[str] = []
    values = {}
    for name in dict.fromkeys(f.name for f in weather):
        there = [f for f in weather if f.name == name and same_grid(f.domain, grid)]
        field = _at_time(name, there, time, notes)
        if field is not None:
            values[name] = field
    if not values:
        times = sorted({str(f.valid_time) for f in weather})
        raise BackgroundError(
            f"{_listed(paths)}: expected a field within {NEAREST // HOUR} h of {time}, or one on either "
            f"side at most {WIDEST_GAP // HOUR} h apart; got {', '.join(times)}"
        )
    _turn_winds(values, weather, grid)
    _complete_speed(values)
    try:
        complete_dew_point(values, notes)
    except MoistureError as error:
        raise BackgroundError(f"{_listed(paths)}: {error}") from error
    elevation = _elevation([f for f in fields if f.name == CONSTANT], grid)
    weather_values = {name: field for name, field in values.items() if name in VARIABLES}
    return State(grid, time, weather_values, elevation, _listed(paths)), list(dict.fromkeys(notes))


def _listed(paths) -> str:
    names = [Path(p).name for p in paths]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _nothing(paths, time, fields: list[GridField], member: int | None) -> str:
    """Why nothing near a time can be read of files that hold these fields of weather at any time."""
    if not fields and member is None and any(member_names(path) for path in paths):
        return f"{_listed(paths)}: holds members of an ensemble, expected one forecast: --ensemble takes its members"
    if not fields:
        return (
            f"{_listed(paths)}: holds none of the variables {', '.join(VARIABLES)} by codes that are known, as values"
            " of an instant: averages, extremes, spreads and probabilities are not used; say what its codes mean"
            " (--set cases.reports.codes={...}, docs/observations.md)"
        )
    times = [f.valid_time for f in fields if not np.isnat(f.valid_time)]
    if not times:
        return f"{_listed(paths)}: tells no valid time, expected one near {time}: give it a time variable (CF 4.4)"
    nearest = min(times, key=lambda t: abs(t - time))
    return (
        f"{_listed(paths)}: expected a field within {NEAREST // HOUR} h of {time}, the nearest is valid {nearest}: "
        f"give the background of that time, or --time"
    )


def _choose_grid(fields: list[GridField], domain: Domain, paths) -> Domain:
    """The grid that covers most of the domain; among equals the one with most fields."""
    grids: list[Domain] = []
    counts: list[int] = []
    for field in fields:
        for i, grid in enumerate(grids):
            if field.domain is grid or same_grid(field.domain, grid):
                counts[i] += 1
                break
        else:
            grids.append(field.domain)
            counts.append(1)
    rows, columns = (np.linspace(0, n - 1, min(n, 21)).round().astype(int) for n in domain.shape)
    latitude, longitude = domain.latitude_longitude(rows, columns)
    covered = [float(g.contains(latitude, longitude, margin=0.5 * g.spacing_metres).mean()) for g in grids]
    best = max(range(len(grids)), key=lambda i: (covered[i], counts[i]))
    if covered[best] == 0.0:
        raise BackgroundError(f"{_listed(paths)}: lies outside the domain {domain.name}")
    return grids[best]


def _at_time(name: str, fields: list[GridField], time, notes: list[str]) -> np.ndarray | None:
    """The field at ``time``, shape (y, x), SI, NaN where outside its valid range; None where no time is near."""
    latest: dict[np.datetime64, GridField] = {}
    for field in fields:  # of several forecasts for one time the one started last
        newer = latest.get(field.valid_time)
        if newer is None or field.reference_time > newer.reference_time:
            latest[field.valid_time] = field
    before = max((t for t in latest if t <= time), default=None)
    after = min((t for t in latest if t >= time), default=None)
    if before is not None and after is not None and after - before <= WIDEST_GAP:
        weight = 0.0 if after == before else (time - before) / (after - before)
        if weight:
            notes.append(f"interpolated in time between {before} and {after}")
        notes += [latest[used].note for used in (before, after) if latest[used].note]
        return _believable(latest[before], _blend(name, latest[before].values, latest[after].values, weight), notes)
    nearest = min((t for t in (before, after) if t is not None), key=lambda t: abs(t - time), default=None)
    if nearest is None or abs(nearest - time) > NEAREST:
        return None
    notes.append(f"valid {nearest}, {abs(nearest - time) / HOUR:.1f} h from {time}, taken as it is")
    notes += [latest[nearest].note] if latest[nearest].note else []
    return _believable(latest[nearest], _blend(name, latest[nearest].values, latest[nearest].values, 0.0), notes)


def _believable(field: GridField, mixed: np.ndarray, notes: list[str]) -> np.ndarray:
    """What was made of a field; where most of its values are impossible, they are of another unit or quantity."""
    lost = (np.isnan(mixed) & np.isfinite(field.values)).sum() / max(1, np.isfinite(field.values).sum())
    if lost > MOST:
        low, high = VARIABLES[field.name].valid
        raise BackgroundError(
            f"{field.source}: expected {field.name} from {low:g} to {high:g} {VARIABLES[field.name].unit}, got"
            f" {lost:.0%} of the values outside, from {np.nanmin(field.values):g} to {np.nanmax(field.values):g}:"
            " correct its unit, or say what it is (--set cases.reports.codes={...}, docs/observations.md)"
        )
    if lost > TOLD:
        notes.append(f"{lost:.0%} of the values of {field.name} are outside its range, and not used")
    return mixed


def _blend(name: str, before: np.ndarray, after: np.ndarray, weight: float) -> np.ndarray:
    """Linear in the variable's analysis space; what lies outside the valid range of the others is not believed."""
    variable = VARIABLES.get(name)
    if variable is not None and variable.transform != "identity":
        mixed = (1 - weight) * variable.to_analysis(before) + weight * variable.to_analysis(after)
        return variable.from_analysis(mixed).astype(np.float32)
    mixed = before.copy() if weight == 0 else np.float32(1 - weight) * before + np.float32(weight) * after
    if variable is not None:
        low, high = variable.valid
        margin = ROUNDING * (high - low)
        with np.errstate(invalid="ignore"):
            mixed[(mixed < low - margin) | (mixed > high + margin)] = np.nan
        np.clip(mixed, low, high, out=mixed)
    return mixed


def _turn_winds(values: dict, fields: list[GridField], grid: Domain) -> None:
    """Turn wind along the grid to wind along the earth, in place."""
    along = {f.name: f.grid_relative for f in fields if same_grid(f.domain, grid)}
    if grid.is_geographic or not (along.get("u10") or along.get("v10")):
        return
    if "u10" not in values or "v10" not in values:  # half a vector along a grid says nothing
        values.pop("u10", None)
        values.pop("v10", None)
        return
    for start in range(0, grid.size.y, ROWS):
        part = slice(start, start + ROWS)
        angle = grid.convergence(*grid.latitude_longitude(part)).astype(np.float32)
        values["u10"][part], values["v10"][part] = rotate(values["u10"][part], values["v10"][part], angle)


def _complete_speed(values: dict) -> None:
    """Wind speed from both components where a file has none of its own, in place."""
    if "wind_speed" not in values and {"u10", "v10"} <= set(values):
        values["wind_speed"] = np.hypot(values["u10"], values["v10"])


def _elevation(fields: list[GridField], grid: Domain) -> np.ndarray | None:
    for field in fields:
        if same_grid(field.domain, grid):
            return field.values
    for field in fields:  # a terrain file of its own, on another grid
        values = regrid(field.values, field.domain, grid)
        if not np.isnan(values).any():
            return values
    return None
