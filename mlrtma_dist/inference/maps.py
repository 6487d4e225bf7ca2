"""Maps of an analysis: for each variable the analysis, and its increment with the stations' departures."""

import itertools
import pathlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.field_range import FieldRange
from mlrtma_dist.inference.map_canvas import Base, Sheet
from mlrtma_dist.inference.map_marks import Barbs, draw_barbs, draw_stations
from mlrtma_dist.inference.map_picture import Tiles
from mlrtma_dist.inference.map_style import (
    INCREMENT_COLOURS,
    INCREMENT_STYLES,
    INCREMENTS_SHOWN,
    ROBUST,
    STYLES,
    analysis_norm,
    display_values,
    increment_norm,
    ratio_label,
    unit_of,
)
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.names import VARIABLES, Variable

BARB_LEGEND = "Barbs: half 5, full 10 knots."


def draw_maps(analysis: Analysis, directory, communicator=None) -> list[pathlib.Path]:
    """Draw PNG maps in the domain's projection. Collective.

    ``<domain>_<time>_<variable>_analysis.png`` and, where there is a first guess, ``..._increment.png``; where
    there is wind, ``..._wind_analysis.png`` with its speed and barbs. Variables that are not in ``names.VARIABLES``
    have no map. Ranks draw one map each at a time, of a picture that is brought together from all tiles.

    Args:
        analysis: fields of this rank's box, SI; observations with their departures.
        directory: made where it is missing.
        communicator: mpi4py's, None alone.

    Returns:
        The paths of all maps, in the order of the variables.

    Raises:
        CoastlineError: the coastline data is not installed.
        OSError: a file cannot be written.
    """
    base, folder = Base(analysis.static), pathlib.Path(directory)
    stem = f"{analysis.static.domain.name}_{clock.compact(analysis.time)}"
    maps = {folder / f"{stem}_{name}.png": draw for name, draw in _maps(analysis, base)}
    ranks = 1 if communicator is None else communicator.size
    remaining = iter(maps.items())
    while batch := list(itertools.islice(remaining, ranks)):
        mine: tuple[pathlib.Path, Sheet] | None = None
        for root, (path, draw) in enumerate(batch):
            tiles = Tiles(analysis.static.domain.shape, analysis.box, base.thin, communicator, root)
            if (sheet := draw(tiles)) is not None:
                mine = path, sheet
        if mine is not None:
            mine[1].save(mine[0])
    if communicator is not None:
        communicator.Barrier()  # when a rank returns, all maps are there
    return list(maps)


def _maps(analysis: Analysis, base: Base) -> Iterator[tuple[str, Callable[[Tiles], Sheet | None]]]:
    """What names each map, and the function that draws it."""
    for name in (name for name in VARIABLES if name in analysis.values):
        yield f"{name}_analysis", partial(_analysis_map, analysis, base, VARIABLES[name])
        if name in analysis.first_guess:
            yield f"{name}_increment", partial(_increment_map, analysis, base, VARIABLES[name])
    if {"u10", "v10"} <= set(analysis.values):
        yield "wind_analysis", partial(_wind_map, analysis, base)


def _subtitle(analysis: Analysis, stations: int) -> str:
    time = str(analysis.time.astype("datetime64[m]")).replace("T", " ")
    return f"{analysis.static.domain.title}   |   {time} UTC   |   {analysis.method}   |   {stations} stations used"


def _stations(analysis: Analysis, *names: str) -> int:
    table = analysis.observations
    return len(np.unique(table.station[used_rows(analysis) & np.isin(table.variable, names)]))


def _footnote(analysis: Analysis) -> list[str]:
    notes = [n for n in (analysis.static.note, *analysis.notes) if n]
    return [f"First guess: {analysis.first_guess_name}.", *([f"Note: {'; '.join(notes)}."] if notes else [])]


def _range(values: FieldRange, unit: str) -> str:
    if not values.finite:
        return "No value is known."
    low, mean, high = (round(number, 2) for number in (values.low, values.mean, values.high))
    unknown = values.points - values.finite
    missing = f"; not known at {unknown} grid points (grey)" if unknown else ""
    return f"Minimum {low:g}, mean {mean:g}, maximum {high:g} {unit}{missing}."


def _analysis_map(analysis: Analysis, base: Base, variable: Variable, tiles: Tiles) -> Sheet | None:
    """The map of an analysis on the rank that draws it; on the others None."""
    style, unit = STYLES[variable.name], unit_of(variable)
    values = display_values(variable, analysis.values[variable.name])
    limits, picture = tiles.range(values, ROBUST), tiles.picture(values)
    windy = variable.name in ("u10", "v10") and {"u10", "v10"} <= set(analysis.values)
    barbs = Barbs.sampled(analysis, base, tiles) if windy else None
    if picture is None:
        return None
    sheet = Sheet(base, _title(variable), _subtitle(analysis, _stations(analysis, variable.name)))
    norm, arrows = analysis_norm(style, limits, variable.transform == "log")
    sheet.bar(sheet.field(picture, style.colours, norm), unit, arrows, style.ticks)
    sheet.geography()
    facts = _range(limits, unit)
    if barbs is not None:
        draw_barbs(barbs, sheet)
        facts = f"{BARB_LEGEND} {facts}"
    sheet.footnote([facts, *_footnote(analysis)])
    return sheet


def _wind_map(analysis: Analysis, base: Base, tiles: Tiles) -> Sheet | None:
    """The map of the wind on the rank that draws it; on the others None."""
    speed = np.hypot(analysis.values["u10"], analysis.values["v10"])
    limits, picture = tiles.range(speed, ROBUST), tiles.picture(speed)
    barbs = Barbs.sampled(analysis, base, tiles)
    if picture is None or barbs is None:
        return None
    sheet = Sheet(base, "10 m wind", _subtitle(analysis, _stations(analysis, "u10", "v10")))
    norm, arrows = analysis_norm(STYLES["wind"], limits, logarithmic=False)
    sheet.bar(sheet.field(picture, STYLES["wind"].colours, norm), "m s⁻¹", arrows)
    sheet.geography()
    draw_barbs(barbs, sheet)
    sheet.footnote([f"{BARB_LEGEND} {_range(limits, 'm s⁻¹')}", *_footnote(analysis)])
    return sheet


def _increment_map(analysis: Analysis, base: Base, variable: Variable, tiles: Tiles) -> Sheet | None:
    """Increment, and on the same colours the departures of the stations used; None on ranks that do not draw it."""
    ratio = variable.transform == "log"
    scale = 1.0 / np.log(2.0) if ratio else variable.display[1]  # ratios are shown as powers of two
    after, before = (variable.to_analysis(fields[variable.name]) for fields in (analysis.values, analysis.first_guess))
    increment = (after - before) * scale
    limits, size = tiles.range(increment), tiles.range(np.abs(increment), (INCREMENTS_SHOWN,))
    picture = tiles.picture(increment)
    if picture is None:
        return None
    mine = analysis.observations.variable == variable.name
    used = mine & used_rows(analysis)
    norm, arrows = increment_norm(variable, limits, size, analysis.background_departure[used] * scale)
    colours = INCREMENT_STYLES.get(variable.name, INCREMENT_COLOURS)
    title = f"{_title(variable)}: analysis {'over' if ratio else 'minus'} first guess"
    sheet = Sheet(base, title, _subtitle(analysis, _stations(analysis, variable.name)))
    highest = round(norm.vmax or 0.0) if ratio else -1
    ticks = [(power, ratio_label(power)) for power in range(-highest, highest + 1)] if ratio else ()
    unit = unit_of(variable).replace("°C", "K")
    sheet.bar(sheet.field(picture, colours, norm), "ratio" if ratio else unit, arrows, ticks)
    sheet.geography()
    drawn = not base.static.domain.is_plane and bool(mine.any())
    if drawn:
        draw_stations(analysis, sheet, variable, scale=scale, colours=colours, norm=norm)
    facts = _departures(analysis, used, ratio=ratio, factor=variable.display[1], unit=unit)
    if base.static.domain.is_plane:
        facts += " Stations have no place on this plane and are not drawn."
    sheet.footnote([facts, *_footnote(analysis)], legend=drawn)
    return sheet


def _departures(analysis: Analysis, used: np.ndarray, *, ratio: bool, factor: float, unit: str) -> str:
    """Bias and rms of the departures at the stations used, before and after; of logarithms as they are."""
    factor, unit, word = (1.0, "", "over") if ratio else (factor, f" {unit}", "minus")
    texts = []
    for name, departure in (("first guess", analysis.background_departure), ("analysis", analysis.analysis_departure)):
        finite = departure[used & np.isfinite(departure)] * factor
        if finite.size:
            texts.append(f"{word} {name}: mean {finite.mean():+.2f}, rms {np.sqrt(np.mean(finite**2)):.2f}{unit}")
    if not texts:
        return "No station was used."
    what = "Natural logarithm of observation" if ratio else "Observation"
    return f"{what} {'; '.join(texts)} (at the stations used: not a measure of skill)."


def _title(variable: Variable) -> str:
    name = variable.long_name.split(";")[0]
    return name[:1].upper() + name[1:]
