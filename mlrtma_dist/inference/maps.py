"""Maps of an analysis: for each variable the analysis, and its increment with the stations' departures."""

import pathlib

import numpy as np
from matplotlib.patheffects import withStroke

from mlrtma_dist import clock
from mlrtma_dist.grid.domain import rotate
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.map_canvas import INK, Base, Sheet
from mlrtma_dist.inference.map_style import (
    INCREMENT_COLOURS,
    INCREMENT_STYLES,
    STYLES,
    analysis_norm,
    increment_norm,
    ratio_label,
    shown,
    unit_of,
)
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.names import VARIABLES, Variable
from mlrtma_dist.observations.table import Flag

# A report that is late, elsewhere or a copy is not doubted: only these are marked as rejected.
DOUBTED = Flag.PROVIDER | Flag.RANGE | Flag.POSITION | Flag.ELEVATION | Flag.GROSS | Flag.BUDDY | Flag.CONSISTENCY
KNOTS = 3600.0 / 1852.0
BARB_SPACING = 0.36  # inches
BARB_LEGEND = "Barbs: half 5, full 10 knots."


def draw_maps(analysis: Analysis, directory) -> list[pathlib.Path]:
    """Draw PNG maps in the domain's projection.

    ``<domain>_<time>_<variable>_analysis.png`` and, where there is a first guess, ``..._increment.png``; where
    there is wind, ``..._wind_analysis.png`` with its speed and barbs.

    Args:
        analysis: fields of shape (y, x), SI; observations with their departures.
        directory: made where it is missing.

    Returns:
        The paths, in the order drawn.

    Raises:
        CoastlineError: the coastline data is not installed.
        OSError: a file cannot be written.
    """
    base = Base(analysis.static)
    stem = f"{analysis.static.domain.name}_{clock.compact(analysis.time)}"
    paths = []
    for name in (v for v in VARIABLES if v in analysis.values):
        sheets = {"analysis": _analysis_map(analysis, base, VARIABLES[name])}
        if name in analysis.first_guess:
            sheets["increment"] = _increment_map(analysis, base, VARIABLES[name])
        paths += [sheet.save(pathlib.Path(directory) / f"{stem}_{name}_{kind}.png") for kind, sheet in sheets.items()]
    if {"u10", "v10"} <= set(analysis.values):
        paths.append(_wind_map(analysis, base).save(pathlib.Path(directory) / f"{stem}_wind_analysis.png"))
    return paths


def _subtitle(analysis: Analysis, stations: int) -> str:
    time = str(analysis.time.astype("datetime64[m]")).replace("T", " ")
    return f"{analysis.static.domain.title}   |   {time} UTC   |   {analysis.method}   |   {stations} stations used"


def _stations(analysis: Analysis, *names: str) -> int:
    table = analysis.observations
    return len(np.unique(table.station[used_rows(analysis) & np.isin(table.variable, names)]))


def _footnote(analysis: Analysis) -> list[str]:
    notes = [n for n in (analysis.static.note, *analysis.notes) if n]
    return [f"First guess: {analysis.first_guess_name}.", *([f"Note: {'; '.join(notes)}."] if notes else [])]


def _range(values: np.ndarray, unit: str) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return "No value is known."
    low, mean, high = (round(float(f(known)), 2) for f in (np.min, np.mean, np.max))
    missing = f"; not known at {values.size - known.size} grid points (grey)" if known.size < values.size else ""
    return f"Minimum {low:g}, mean {mean:g}, maximum {high:g} {unit}{missing}."


def _analysis_map(analysis: Analysis, base: Base, variable: Variable) -> Sheet:
    style, unit = STYLES[variable.name], unit_of(variable)
    values = shown(variable, analysis.values[variable.name])
    sheet = Sheet(base, _title(variable), _subtitle(analysis, _stations(analysis, variable.name)))
    norm, arrows = analysis_norm(style, values, variable.transform == "log")
    sheet.bar(sheet.field(values, style.colours, norm), unit, arrows, style.ticks)
    sheet.geography()
    facts = _range(values, unit)
    if variable.name in ("u10", "v10") and {"u10", "v10"} <= set(analysis.values):
        _draw_barbs(analysis, base, sheet)
        facts = f"{BARB_LEGEND} {facts}"
    sheet.footnote([facts, *_footnote(analysis)])
    return sheet


def _wind_map(analysis: Analysis, base: Base) -> Sheet:
    speed = np.hypot(analysis.values["u10"], analysis.values["v10"])
    sheet = Sheet(base, "10 m wind", _subtitle(analysis, _stations(analysis, "u10", "v10")))
    norm, arrows = analysis_norm(STYLES["wind"], speed, logarithmic=False)
    sheet.bar(sheet.field(speed, STYLES["wind"].colours, norm), "m s⁻¹", arrows)
    sheet.geography()
    _draw_barbs(analysis, base, sheet)
    sheet.footnote([f"{BARB_LEGEND} {_range(speed, 'm s⁻¹')}", *_footnote(analysis)])
    return sheet


def _draw_barbs(analysis: Analysis, base: Base, sheet: Sheet) -> None:
    """Wind barbs at every n-th grid point, turned from the earth's axes to the map's."""
    domain = analysis.static.domain
    step = int(np.ceil(domain.size.x * BARB_SPACING / base.size[0]))
    rows, columns = (np.arange(step // 2, n, step) for n in domain.shape)
    u, v = (analysis.values[name][np.ix_(rows, columns)] * KNOTS for name in ("u10", "v10"))
    south = False
    if not domain.is_plane:
        latitude, longitude = domain.latitude_longitude(rows, columns)
        u, v = rotate(u, v, -domain.convergence(latitude, longitude))
        south = latitude < 0  # there barbs point to the other side
    halo = [withStroke(linewidth=1.9, foreground="white", alpha=0.75)]
    sheet.axes.barbs(
        domain.x[columns],
        domain.y[rows],
        u,
        v,
        length=5.4,
        linewidth=0.6,
        color=INK,
        flip_barb=south,
        zorder=4,
        path_effects=halo,
        sizes={"emptybarb": 0.08, "spacing": 0.16, "height": 0.45},
    )


def _increment_map(analysis: Analysis, base: Base, variable: Variable) -> Sheet:
    """Increment, and on the same colours the departures from the first guess of the stations used."""
    ratio = variable.transform == "log"
    scale = 1.0 / np.log(2.0) if ratio else variable.display[1]  # ratios are shown as powers of two
    after, before = (variable.to_analysis(fields[variable.name]) for fields in (analysis.values, analysis.first_guess))
    increment = (after - before) * scale
    mine = analysis.observations.variable == variable.name
    used = mine & used_rows(analysis)
    norm, arrows = increment_norm(variable, increment, analysis.background_departure[used] * scale)
    colours = INCREMENT_STYLES.get(variable.name, INCREMENT_COLOURS)
    title = f"{_title(variable)}: analysis {'over' if ratio else 'minus'} first guess"
    sheet = Sheet(base, title, _subtitle(analysis, _stations(analysis, variable.name)))
    ticks = [(p, ratio_label(p)) for p in np.arange(norm.vmin, norm.vmax + 1)] if ratio else ()
    unit = unit_of(variable).replace("°C", "K")
    sheet.bar(sheet.field(increment, colours, norm), "ratio" if ratio else unit, arrows, ticks)
    sheet.geography()
    drawn = not base.static.domain.is_plane and bool(mine.any())
    if drawn:
        _draw_stations(analysis, sheet, variable, scale=scale, colours=colours, norm=norm)
    facts = _departures(analysis, used, ratio=ratio, factor=variable.display[1], unit=unit)
    if base.static.domain.is_plane:
        facts += " Stations have no place on this plane and are not drawn."
    sheet.footnote([facts, *_footnote(analysis)], legend=drawn)
    return sheet


def _draw_stations(analysis: Analysis, sheet: Sheet, variable: Variable, *, scale: float, colours: str, norm) -> None:
    """Used stations coloured by their departure from the first guess; what was not used by its shape."""
    table, departure = analysis.observations, analysis.background_departure * scale
    x, y = sheet.base.place(table.latitude, table.longitude)
    seen = np.isfinite(x) & (table.variable == variable.name)
    used = seen & used_rows(analysis)
    unused = seen & table.good & ~used
    rejected = seen & ~used & ((table.flags & np.uint32(DOUBTED)) != 0)
    area = float(np.clip(6.0e3 / max(1, used.sum()), 9.0, 36.0))  # points^2: thousands of stations still leave gaps
    order = np.flatnonzero(used)[np.argsort(np.nan_to_num(np.abs(departure[used])))]  # the largest on top
    if len(order):
        word = "over" if variable.transform == "log" else "minus"
        sheet.axes.scatter(
            x[order],
            y[order],
            s=area,
            c=departure[order],
            cmap=colours,
            norm=norm,
            edgecolors=INK,
            linewidths=0.35,
            zorder=5,
            label=f"used ({len(order)}), coloured by observation {word} first guess",
        )
    if unused.any():
        sheet.axes.scatter(
            x[unused],
            y[unused],
            s=area + 4,
            marker="^",
            facecolors="none",
            edgecolors=INK,
            linewidths=0.7,
            zorder=5,
            label=f"withheld or unused ({unused.sum()})",
        )
    if rejected.any():
        sheet.axes.scatter(
            x[rejected],
            y[rejected],
            s=0.9 * area + 4,
            marker="x",
            c="#c000c0",
            linewidths=0.9,
            zorder=6,
            label=f"rejected by quality control ({rejected.sum()})",
        )


def _departures(analysis: Analysis, used: np.ndarray, *, ratio: bool, factor: float, unit: str) -> str:
    """Bias and rms of the departures at the stations used, before and after; of logarithms as they are."""
    factor, unit, word = (1.0, "", "over") if ratio else (factor, f" {unit}", "minus")
    texts = []
    for name, departure in (("first guess", analysis.background_departure), ("analysis", analysis.analysis_departure)):
        known = departure[used & np.isfinite(departure)] * factor
        if known.size:
            texts.append(f"{word} {name}: mean {known.mean():+.2f}, rms {np.sqrt(np.mean(known**2)):.2f}{unit}")
    if not texts:
        return "No station was used."
    what = "Natural logarithm of observation" if ratio else "Observation"
    return f"{what} {'; '.join(texts)} (at the stations used: not a measure of skill)."


def _title(variable: Variable) -> str:
    name = variable.long_name.split(";")[0]
    return name[:1].upper() + name[1:]
