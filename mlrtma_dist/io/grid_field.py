"""GridField: one two-dimensional field as a file holds it, whatever the file's format."""

import math
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import EARTH_RADIUS, Corner, Domain, Size

Window = tuple[np.datetime64, np.datetime64]
TIMELESS = ("terrain", "land")  # whose time says nothing


class GriddedFileError(InputError):
    """A gridded file that cannot be used; the message names the file and the place in it."""


@dataclass(frozen=True)
class GridField:
    """One field on one grid at one time.

    Attributes:
        name: a name of ``names.VARIABLES``, or "terrain", "land", "specific_humidity",
            "relative_humidity", "sea_level_pressure" where the file's own code was recognised; else the
            file's own short name.
        values: shape (y, x), float32, SI, NaN where missing; rows northward, columns eastward.
        domain: the grid.
        level_type: kind of level in the file's own words ("heightAboveGround"), "" where it has none.
        level: the level in the file's unit.
        reference_time: start of the forecast or time of the analysis, datetime64[s].
        valid_time: when the field holds, datetime64[s].
        grid_relative: a wind component along the grid's axes, not the earth's.
        grib: GRIB2 discipline, category and number; GRIB1 table, parameter and level type; () otherwise.
        source: file and message or variable, for provenance and errors.
        note: what a reader of a product made of it must know, "" where nothing.
    """

    name: str
    values: np.ndarray
    domain: Domain
    level_type: str
    level: float
    reference_time: np.datetime64
    valid_time: np.datetime64
    grid_relative: bool
    grib: tuple[int, ...]
    source: str
    note: str = ""


def in_window(name: str, time: np.datetime64, window: Window | None) -> bool:
    """Whether a field is wanted: its valid time lies in the window, or it does not change with time."""
    return window is None or name in TIMELESS or bool(window[0] <= time <= window[1])


def oblong_domain(title: str, size: Size, corner: Corner, steps: tuple[float, float]) -> Domain:
    """The grid of points at even steps of longitude and finer ones of latitude.

    On an equidistant cylindrical map, true where the two steps are equally long, it is a square grid.

    Args:
        title: for people.
        size: number of points.
        corner: the south-west point.
        steps: degrees of longitude and of latitude.

    Raises:
        ValueError: the step in latitude is not the finer one.
    """
    if not 0 < steps[1] < steps[0]:
        raise ValueError(f"expected equal spacing, or a finer one in latitude, got {steps} degrees")
    true, middle = math.degrees(math.acos(steps[1] / steps[0])), corner.longitude + 0.5 * steps[0] * (size.x - 1)
    projection = f"+proj=eqc +lat_ts={true!r} +lon_0={middle!r} +R={EARTH_RADIUS!r}"
    return Domain("message", title, projection, size, math.radians(steps[1]) * EARTH_RADIUS, corner)
