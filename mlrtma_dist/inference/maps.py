"""Maps of an analysis: which there are, and how ranks share the drawing."""

import itertools
import pathlib
from collections.abc import Callable, Iterator
from functools import partial

from mlrtma_dist import clock
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import derived_fields
from mlrtma_dist.inference.map_analysis import analysis_map, category_map, surface_map, wind_map
from mlrtma_dist.inference.map_atlas import Atlas
from mlrtma_dist.inference.map_canvas import Base, Sheet
from mlrtma_dist.inference.map_error import error_map
from mlrtma_dist.inference.map_increment import increment_map
from mlrtma_dist.inference.map_picture import Tiles
from mlrtma_dist.inference.map_settings import MapSettings
from mlrtma_dist.names import VARIABLES

OWN_MAPS = {"sea_level_pressure": surface_map, "flight_category": category_map}  # derived fields drawn differently


def draw_maps(
    analysis: Analysis, directory, communicator=None, settings: MapSettings | None = None
) -> list[pathlib.Path]:
    """Draw PNG maps in the domain's projection. Collective.

    ``<domain>_<time>_<variable>_analysis.png`` of every variable and derived field and, where there is a first guess,
    ``..._increment.png`` of every variable; ``..._error.png`` of those of ``settings.errors``; where there is wind,
    ``..._wind_analysis.png`` with its speed and barbs.
    Variables that are not in ``names.VARIABLES`` have no map. Ranks draw one map each at a time, of a picture that is
    brought together from all tiles.

    Args:
        analysis: fields of this rank's box, SI; observations with their departures.
        directory: made where it is missing.
        communicator: mpi4py's, None alone.
        settings: units and colour scales; None: those of ``MapSettings``, each field on a scale of its own.

    Returns:
        The paths of all maps, in the order of the variables.

    Raises:
        CoastlineError: the coastline data is not installed.
        OSError: a file cannot be written.
    """
    atlas, folder = Atlas(analysis, Base(analysis.static), settings or MapSettings()), pathlib.Path(directory)
    stem = f"{analysis.static.domain.name}_{clock.compact(analysis.time)}"
    maps = {folder / f"{stem}_{name}.png": draw for name, draw in _maps(atlas)}
    ranks = 1 if communicator is None else communicator.size
    remaining = iter(maps.items())
    while batch := list(itertools.islice(remaining, ranks)):
        mine: tuple[pathlib.Path, Sheet] | None = None
        for root, (path, draw) in enumerate(batch):
            tiles = Tiles(analysis.static.domain.shape, analysis.box, atlas.base.thin, communicator, root)
            if (sheet := draw(tiles)) is not None:
                mine = path, sheet
        if mine is not None:
            mine[1].save(mine[0])
    if communicator is not None:
        communicator.Barrier()  # when a rank returns, all maps are there
    return list(maps)


def _maps(atlas: Atlas) -> Iterator[tuple[str, Callable[[Tiles], Sheet | None]]]:
    """What names each map, and the function that draws it."""
    analysis = atlas.analysis
    windy = {"u10", "v10"} <= set(analysis.values)
    for name in (name for name in VARIABLES if name in analysis.values):
        if not (windy and name == "wind_speed"):  # the map of the wind shows it
            yield f"{name}_analysis", partial(analysis_map, atlas, VARIABLES[name])
        if name in analysis.first_guess:
            yield f"{name}_increment", partial(increment_map, atlas, VARIABLES[name])
        if name in analysis.error and name in atlas.settings.errors:
            yield f"{name}_error", partial(error_map, atlas, VARIABLES[name])
    if windy:
        yield "wind_analysis", partial(wind_map, atlas)
    for entry in derived_fields(analysis):
        draw = OWN_MAPS.get(entry.name)
        yield f"{entry.name}_analysis", partial(draw, atlas) if draw else partial(analysis_map, atlas, entry)
