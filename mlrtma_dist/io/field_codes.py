"""What the user says that a file's own codes mean: local tables, unusual levels, levels of a netCDF variable.

A mapping from code to name; it goes before what this project recognises by itself. The codes:

    "0.3.6@2:0"           GRIB2: discipline.category.number @ type of level : level (code tables 4.2, 4.5)
    "253.11@105:2"        GRIB1: table.parameter @ type of level : level (code table 3)
    "temperature@height=2"  netCDF: variable @ dimension = its coordinate's value; or the variable alone

A level may be left out, and the type of level, too: then any fits. The name is one of ``NAMES``, and after it may stand
the unit: "visibility in km". Without one netCDF's values are in the unit that the file states, GRIB's in SI, relative
humidity and sky cover in per cent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.quantities import QUANTITIES, UnitError, stated_unit

NAMES = tuple(QUANTITIES)
PER_CENT = ("relative_humidity", "sky_cover")
_GRIB = re.compile(r"(\d+(?:\.\d+){1,2})(?:@(\d+)(?::(-?\d+(?:\.\d+)?))?)?")
_NETCDF = re.compile(r"([A-Za-z_][\w.+-]*)(?:@([A-Za-z_]\w*)=(-?\d+(?:\.\d+)?))?")


@dataclass(frozen=True)
class FieldCode:
    """One line of the mapping.

    Attributes:
        name: what it is.
        numbers: of GRIB: two for edition 1, three for edition 2; () for netCDF.
        level_type: of GRIB; None: any.
        variable, dimension: of netCDF; dimension None: the variable as it stands.
        level: in the file's unit; None: any.
        unit: of the values, as the user spells it; "": that of the file.
    """

    name: str
    numbers: tuple[int, ...] = ()
    level_type: int | None = None
    variable: str = ""
    dimension: str | None = None
    level: float | None = None
    unit: str = ""


def parse_codes(mapping: Mapping[str, str]) -> tuple[FieldCode, ...]:
    """Read a mapping from code to name.

    Raises:
        InputError: a code of neither form, an unknown name, or a unit that is not one of it.
    """
    codes = []
    for text, meaning in mapping.items():
        name, _, unit = (part.strip() for part in meaning.partition(" in "))
        if name not in NAMES:
            raise InputError(f"codes: {text}: {name!r} is no name of a field; expected one of {', '.join(NAMES)}")
        try:
            stated_unit(unit, name)
        except UnitError as error:
            raise InputError(f"codes: {text}: {error}") from error
        grib, netcdf = _GRIB.fullmatch(text.strip()), _NETCDF.fullmatch(text.strip())
        if grib:
            numbers, level_type, level = grib.groups()
            parts = tuple(int(n) for n in numbers.split("."))
            kind = int(level_type) if level_type else None
            codes.append(FieldCode(name, parts, kind, level=_number(level), unit=unit))
        elif netcdf:
            variable, dimension, level = netcdf.groups()
            codes.append(FieldCode(name, variable=variable, dimension=dimension, level=_number(level), unit=unit))
        else:
            raise InputError(
                f"codes: expected 'discipline.category.number@level type:level' (GRIB2), 'table.parameter@level"
                f" type:level' (GRIB1) or 'variable@dimension=level' (netCDF), got {text!r}"
            )
    return tuple(codes)


def code_of_message(codes, numbers: tuple[int, ...], level_type: int, level: float) -> FieldCode | None:
    """What the user says of a GRIB message, None where nothing.

    Args:
        codes: from ``parse_codes``.
        numbers: of the message, two or three.
        level_type, level: of the message, in its edition's own codes.
    """
    for code in codes:
        if code.numbers == numbers and code.level_type in (None, level_type) and code.level in (None, level):
            return code
    return None


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
