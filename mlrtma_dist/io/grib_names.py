"""What a GRIB message is: from its code numbers to the names used everywhere else.

GRIB2: WMO code tables 4.2 and 4.5. GRIB1: WMO table 2 (numbers below 128, shared by NCEP's tables 2
and 130, Meteo-France's table 1 and HIRLAM's and AROME's table 253) and ECMWF's table 128.
"""

from typing import NamedTuple

from mlrtma_dist.io.field_codes import NAMES, FieldCode, code_of_message
from mlrtma_dist.io.grib_instant import get, is_instant

SURFACE, SEA_LEVEL, HEIGHT_ABOVE_SEA, HEIGHT_ABOVE_GROUND = 1, 101, 102, 103  # GRIB2 code table 4.5

# (discipline, category, number) -> what it is before its level is known
_GRIB2 = {
    (0, 0, 0): "temperature",
    (0, 0, 6): "dew_point",
    (0, 1, 0): "specific_humidity",
    (0, 1, 1): "relative_humidity",
    (0, 2, 2): "u",
    (0, 2, 3): "v",
    (0, 2, 22): "gust",
    (0, 3, 0): "pressure",
    (0, 3, 1): "sea_level_pressure",
    (0, 3, 4): "geopotential",
    (0, 3, 5): "height",
    (0, 3, 6): "height",
    (2, 0, 7): "height",
    (2, 0, 0): "land",
    (0, 19, 0): "visibility",
    (0, 6, 13): "ceiling",
    (0, 6, 1): "cloud",
}
_GRIB1_WMO = {
    1: "pressure",
    2: "sea_level_pressure",
    6: "geopotential",
    7: "height",
    8: "height",
    11: "temperature",
    17: "dew_point",
    20: "visibility",
    33: "u",
    34: "v",
    51: "specific_humidity",
    52: "relative_humidity",
    71: "cloud",
    81: "land",
}
_GRIB1_TABLES = (1, 2, 3, 130, 253)
_HIRLAM = 253  # whose cloud cover is a fraction, others' per cent
_GRIB1_NCEP_GUST = (2, 180)
_GRIB1_ECMWF = {
    129: "terrain",
    134: "psfc",
    151: "sea_level_pressure",
    164: "sky_cover",
    165: "u10",
    166: "v10",
    167: "t2m",
    168: "d2m",
    172: "land",
}
# GRIB1 code table 3 -> GRIB2 code table 4.5
_GRIB1_LEVELS = {1: SURFACE, 102: SEA_LEVEL, 103: HEIGHT_ABOVE_SEA, 105: HEIGHT_ABOVE_GROUND, 200: 200}
_SCREEN = {
    "temperature": "t2m",
    "dew_point": "d2m",
    "specific_humidity": "specific_humidity",
    "relative_humidity": "relative_humidity",
}
_WIND = {"u": "u10", "v": "v10"}
_GROUND = {
    "pressure": "psfc",
    "geopotential": "terrain",
    "height": "terrain",
    "land": "land",
    "gust": "gust",
    "visibility": "visibility",
    "ceiling": "ceiling",
    "cloud": "sky_cover",
}
_WHOLE_ATMOSPHERE = (8, 10, 200)  # nominal top, entire atmosphere, entire atmosphere as one layer
_ONE_SURFACE = (-1, 255)  # there is no second one
_CONSTANT = ("geopotential", "height", "land")  # DWD gives the height of the surface above a second one, the sea
_CEILING_LEVEL = 215
_NDFD_CENTRE = 8  # the National Digital Forecast Database writes its screen-level fields at "surface"
_PER_CENT = ("relative_humidity", "sky_cover")


class Meaning(NamedTuple):
    """What a message holds.

    Attributes:
        name: see ``GridField.name``.
        unit: of its values, as in ``mlrtma_dist.units``; "": SI.
        certain: the user gave the unit.
        numbers: its code numbers, see ``GridField.grib``.
    """

    name: str
    unit: str
    certain: bool
    numbers: tuple[int, ...]


def recognise(handle, codes: tuple[FieldCode, ...] = ()) -> Meaning:
    """Tell what a message holds.

    Args:
        handle: of eccodes.
        codes: what the user says that code numbers mean; they go before our own tables, but no code number makes a
            statistic or a probability a value at an instant (``grib_instant``).
    """
    if get(handle, "edition", 0, int) == 1:
        kind, level_type, numbers = _grib1(handle)
    else:
        kind, level_type, numbers = _grib2(handle)
    level = get(handle, "level", 0.0, float)
    own = numbers[:2] if get(handle, "edition", 0, int) == 1 else numbers
    code = code_of_message(codes, own, numbers[2] if len(own) == 2 else level_type, level)
    if not is_instant(handle, code.name if code else kind):
        return Meaning(_foreign_name(handle), "", False, numbers)
    if code:
        return Meaning(code.name, code.unit or ("%" if code.name in _PER_CENT else ""), bool(code.unit), numbers)
    if kind in _SCREEN | _WIND and level_type == SURFACE and get(handle, "centre", -1, int) == _NDFD_CENTRE:
        level_type, level = HEIGHT_ABOVE_GROUND, 10.0 if kind in _WIND else 2.0
    name = _at_level(kind, level_type, level) if kind and _at_one_level(handle, kind) else ""
    return Meaning(name or _foreign_name(handle), _unit(kind, name, handle), False, numbers)


def _foreign_name(handle) -> str:
    """The name of what is none of ours: eccodes' own, unless it is like one of ours, as that of an average gust is."""
    name = get(handle, "shortName", "unknown")
    return "unknown" if name in NAMES else name


def _grib2(handle):
    numbers = tuple(get(handle, k, -1, int) for k in ("discipline", "parameterCategory", "parameterNumber"))
    return _GRIB2.get(numbers, ""), get(handle, "typeOfFirstFixedSurface", -1, int), numbers


def _at_one_level(handle, kind: str) -> bool:
    """Whether a message is of one surface, or of cloud in the whole atmosphere, and not of a layer."""
    second = get(handle, "typeOfSecondFixedSurface", -1, int)
    if kind == "cloud":
        return second in (*_ONE_SURFACE, SURFACE, *_WHOLE_ATMOSPHERE)
    return second in _ONE_SURFACE or kind in _CONSTANT


def _grib1(handle):
    table, number, level = (
        get(handle, k, -1, int) for k in ("table2Version", "indicatorOfParameter", "indicatorOfTypeOfLevel")
    )
    if table == 128 and level in (1, 105):
        kind = _GRIB1_ECMWF.get(number, "")
    elif (table, number) == _GRIB1_NCEP_GUST:
        kind = "gust"
    else:
        kind = _GRIB1_WMO.get(number, "") if table in _GRIB1_TABLES else ""
    return kind, _GRIB1_LEVELS.get(level, -1), (table, number, level)


def _at_level(kind: str, level_type: int, level: float) -> str:
    """The name of a quantity at a level; "" where that pair is none of ours."""
    if kind in _GRIB1_ECMWF.values() and kind not in _GROUND:  # ECMWF's numbers carry the level
        return kind
    if kind == "sea_level_pressure" or (
        kind == "pressure" and level == 0 and level_type in (SEA_LEVEL, HEIGHT_ABOVE_SEA)
    ):
        return "sea_level_pressure"
    on_ground = level_type == SURFACE or (level_type == HEIGHT_ABOVE_GROUND and level == 0)
    above = level if level_type == HEIGHT_ABOVE_GROUND else None
    if kind in _SCREEN and above in (1.5, 2.0):
        return _SCREEN[kind]
    if kind in _WIND and above == 10.0:
        return _WIND[kind]
    if kind == "gust" and above == 10.0:
        return kind
    if kind == "cloud" and level_type in _WHOLE_ATMOSPHERE:
        return "sky_cover"
    if kind == "ceiling" and level_type == _CEILING_LEVEL:
        return "ceiling"
    return _GROUND.get(kind, "") if on_ground else ""


def _unit(kind: str, name: str, handle) -> str:
    """The unit that the tables give to a quantity, "" for SI."""
    if name == "terrain" and kind in ("geopotential", "terrain"):  # "terrain" comes from ECMWF's table of geopotential
        return "m2/s2"
    if name == "relative_humidity" or (kind == "cloud" and get(handle, "table2Version", -1, int) != _HIRLAM):
        return "%"
    return ""
