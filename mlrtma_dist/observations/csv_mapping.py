"""The mapping that declares what the columns of a CSV table mean.

A mapping is a YAML file (``configs/observations/*.yaml`` are shipped; docs/observations.md explains each key):

    network: asos                      # the same for every row; or {column: name}
    station: {column: station}
    time: {column: time}               # ISO 8601, UTC unless it says otherwise
    latitude: {column: lat}            # left out with longitude: places come from lists of stations
    longitude: {column: lon}
    elevation: {column: elev, unit: ft}      # may be left out: then not known
    provider: {column: provider}       # a mesonet's; may be left out
    missing: ["-99999"]                # besides empty, NaN, NA; of one column: {column: dir, missing: ["-1"]}
    optional: false                    # true: all but station and time is left out where the file lacks its column
    variables:
      t2m: {column: temperature, unit: degF}
      wind: {speed: {column: speed, unit: kt}, direction: {column: direction}}     # gives u10 and v10
      altimeter: {column: alti, unit: inHg}                                        # gives psfc with the elevation
      sky: {cover: [skyc1, skyc2], base: [skyl1, skyl2], unit: ft}                 # gives ceiling and sky_cover
    report: {column: metar}            # METAR text: where there is one, values and time are its own

A list as ``column`` names alternatives, of which the first that the file has is read. Instead of a column a part has
``value`` (the same for every row), ``comment`` (a line such as "# LATITUDE: 39.8" before the header) or ``file_name``
(a regular expression with one group, of the file's name). ``time`` may join ``columns: [year, month, day, hour]``, has
``format`` (text or list, of strptime) and ``zone`` (of times that name none: -07:00, America/Denver).

The form of the file: ``delimiter`` (one character, " " for runs of blanks), ``comment`` (what begins lines that are no
rows), ``header`` (the names of the columns, where the file has no line of them), ``unit_row`` (true: the line behind
the header has the units of those parts that declare none).

Station pressure is ``psfc``; a pressure at sea level is not and must not be mapped to it.
"""

import re
from collections.abc import Iterator
from typing import Any

from mlrtma_dist.errors import InputError
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.csv_times import ZoneError, zone_of
from mlrtma_dist.units import unit_of, units_of

PLACES = ("latitude", "longitude")
SOURCES = ("column", "value", "comment", "file_name")  # where a part's value stands
KEYS = (
    *("network", "station", "time", *PLACES, "elevation", "provider", "variables", "report", "missing", "optional"),
    *("delimiter", "comment", "header", "unit_row"),
)
# The parts of the variables that are none of the table of names, and the SI unit of each; None: it has none.
COMPOSED = {"wind": {"speed": "m s-1", "direction": None}}
ALTIMETER = "altimeter"  # Pa
SKY = ("cover", "base")
_NAMED_ZONE = re.compile(r"(?<!%)(?:%%)*%Z")
_FIXED_ZONE = re.compile(r"%z|(?<!%)Z|UTC|GMT")


class TableError(InputError):
    """A table or mapping that cannot be used; the message names file, row and column."""


def parts_of(mapping: dict) -> Iterator[tuple[str, Any, str | None]]:
    """Name, part and SI unit (None: it has none) of every part of a mapping that stands for one value of a row."""
    for key in ("station", *PLACES, "elevation", "provider", "network", "report"):
        if mapping.get(key) is not None and not (key == "network" and not isinstance(mapping[key], dict)):
            yield key, mapping[key], "m" if key == "elevation" else None
    for variable, entry in mapping["variables"].items():
        if variable in COMPOSED and isinstance(entry, dict):
            for name, unit in COMPOSED[variable].items():
                yield f"{variable}.{name}", entry.get(name), unit
        elif variable in VARIABLES or variable == ALTIMETER:
            yield variable, entry, VARIABLES[variable].unit if variable in VARIABLES else "Pa"


def columns_of(mapping: dict, header: set[str]) -> tuple[set[str], set[str]]:
    """The columns that a file needs besides those it has, and those of its columns that the mapping reads.

    Args:
        mapping: one that ``check_mapping`` has passed.
        header: the file's columns.
    """
    groups = [(key, names(part)) for key, part, _ in parts_of(mapping) if "column" in part]
    groups += [("time", (column,)) for column in time_columns(mapping)]
    if sky := mapping["variables"].get("sky"):
        groups += [("sky", (column,)) for key in SKY for column in sky[key]]
    used = [(key, next((name for name in group if name in header), group[0])) for key, group in groups]
    needed = ("station", "time", "network") if mapping.get("optional") else {key for key, _ in groups}
    absent = {column for key, column in used if column not in header and key in needed}
    return absent, {column for _, column in used if column in header}


def names(part: dict) -> tuple[str, ...]:
    """The columns of a part, alternatives."""
    return tuple(part["column"]) if isinstance(part["column"], list) else (part["column"],)


def time_columns(mapping: dict) -> tuple[str, ...]:
    """The columns of which the time is made."""
    return tuple(mapping["time"].get("columns") or (mapping["time"]["column"],))


def formats(mapping: dict) -> tuple[str, ...]:
    """The formats of the time; none: ISO 8601."""
    form = mapping["time"].get("format", ())
    return (form,) if isinstance(form, str) else tuple(form)


def check_mapping(mapping: dict, name: str) -> None:
    """Check a mapping's keys, variables and units.

    Raises:
        TableError: names the file and every mistake: the key and what is expected.
    """
    refuse([*form_mistakes(mapping), *unit_mistakes(mapping)], name)


def refuse(mistakes: list[str], name: str) -> None:
    """Raise one error that names all mistakes of a mapping, if there are any."""
    if mistakes:
        raise TableError(f"{name}: its mapping says " + "\n  and ".join(mistakes))


def form_mistakes(mapping: dict) -> list[str]:
    """What is wrong with a mapping's keys and their form, whatever the units."""
    mistakes = [f"{key}: a key that is not known; known are {', '.join(KEYS)}" for key in mapping if key not in KEYS]
    needed = [key for key in ("station", "time", "variables") if not isinstance(mapping.get(key), dict)]
    mistakes += [f"nothing of {key}; expected a section {key}: {{...}}" for key in needed]
    if needed:
        return mistakes
    mistakes += [*_file_mistakes(mapping), *_time_mistakes(mapping["time"])]
    for key, part, unit in parts_of(mapping):
        mistakes += _part_mistakes(key, part, unit)
    for variable, entry in mapping["variables"].items():
        if variable == "sky":
            mistakes += _sky_mistakes(entry)
        elif variable in COMPOSED and (not isinstance(entry, dict) or set(entry) != set(COMPOSED[variable])):
            mistakes.append(f"{variable}: {entry!r}; expected the keys {', '.join(COMPOSED[variable])}")
        elif variable not in (*VARIABLES, *COMPOSED, ALTIMETER):
            variables = ", ".join((*VARIABLES, *COMPOSED, ALTIMETER, "sky"))
            mistakes.append(f"the variable {variable!r} is not known; known are {variables}")
    return mistakes


def unit_mistakes(mapping: dict, units_of_file: dict[str, str | None] | None = None) -> list[str]:
    """What is wrong with the units of a mapping whose form is right.

    Args:
        units_of_file: for each part that declares none, the unit that the file has for it; None: not read yet.
    """
    if any(not isinstance(mapping.get(key), dict) for key in ("station", "time", "variables")):
        return []
    parts = [*parts_of(mapping), *([("sky", sky, "m")] if (sky := mapping["variables"].get("sky")) else [])]
    mistakes: list[str] = []
    for key, part, si in parts:
        if si is None or not isinstance(part, dict) or has_unit_in_file(mapping, part):
            continue
        mistakes += _unit_mistakes(key, part.get("unit"), si)
    for key, text in (units_of_file or {}).items():
        mistakes += _unit_mistakes(key, text, next(si for name, _, si in parts if name == key) or "")
    return mistakes


def has_unit_in_file(mapping: dict, part: dict) -> bool:
    """Whether a part declares no unit, and it stands in the file: in its comment, or in the row of units."""
    in_row = mapping.get("unit_row") and ("column" in part or "base" in part)
    return "unit" not in part and ("comment" in part or bool(in_row))


def _unit_mistakes(key: str, text, si: str) -> Iterator[str]:
    unit = None if text is None else unit_of(str(text))
    if unit is None or unit.si != si:
        yield f"{key} in {text!r}; expected one of {', '.join(units_of(si))}"


def _file_mistakes(mapping: dict) -> Iterator[str]:
    """What is wrong with the keys that describe the file."""
    if not isinstance(mapping.get("missing", []), list):
        yield f"missing: {mapping['missing']!r}; expected `missing` to be a list of words"
    if not (isinstance(delimiter := mapping.get("delimiter", ","), str) and len(delimiter) == 1):
        yield f"delimiter: {delimiter!r}; expected `delimiter` one character"
    for key in ("optional", "unit_row"):
        if not isinstance(mapping.get(key, False), bool):
            yield f"{key}: {mapping[key]!r}; expected true or false"
    if not isinstance(mapping.get("comment", "#"), str) or mapping.get("comment") == "":
        yield f"comment: {mapping['comment']!r}; expected the character that begins a comment, in quotes"
    if not _is_list(mapping.get("header", [""])):
        yield f"header: {mapping['header']!r}; expected the names of all columns"
    if (mapping.get("latitude") is None) != (mapping.get("longitude") is None):
        yield "one of latitude and longitude; expected both, or neither and a list of stations"
    if not mapping["variables"] and mapping.get("report") is None:
        yield "no variables; expected some, or a report"


def _time_mistakes(time: dict) -> Iterator[str]:
    form, zone = time.get("format", ""), time.get("zone")
    if ("column" in time) == ("columns" in time) or not _is_list(time.get("columns", ["column"])):
        yield f"time: {time!r}; expected {{column: NAME}} or {{columns: [NAME, ...], format: ...}}"
    elif not isinstance(time.get("column", ""), str):
        yield f"time.column: {time['column']!r}; expected one name"
    if unknown := set(time) - {"column", "columns", "format", "zone"}:
        yield f"time: the keys {sorted(unknown)} are not known; known are column, columns, format, zone"
    if not (isinstance(form, str) or _is_list(form)):
        yield f"time.format: {form!r}; expected a quoted text"
        return
    for each in [form] if isinstance(form, str) else form:
        if _NAMED_ZONE.search(each):
            yield (
                f"time.format: {each!r}; %Z is read by the names of this machine's own zone only. Expected %z (an"
                " offset such as -0600), UTC or GMT as they stand, or without a zone and time.zone: America/Denver"
            )
        elif zone is not None and _FIXED_ZONE.search(each):
            yield f"time.zone: {zone!r}; expected none, because time.format {each!r} has the zone"
    if isinstance(zone, dict) and set(zone) == {"comment"}:
        return
    try:
        if zone is not None:
            zone_of(str(zone))
    except ZoneError as error:
        yield f"time.zone: {error}"


def _part_mistakes(key: str, part, unit: str | None) -> Iterator[str]:
    sources = [source for source in SOURCES if isinstance(part, dict) and source in part]
    is_column = isinstance(part, dict) and (isinstance(part.get("column", ""), str) or _is_list(part["column"]))
    if len(sources) != 1 or not is_column:
        expected = f"{{column: NAME{', unit: UNIT' if unit else ''}}}"
        yield f"{key}: {part!r}; expected {expected} (or one of {', '.join(SOURCES[1:])} instead of the column)"
        return
    if unknown := set(part) - {*SOURCES, "unit", "missing"}:
        yield f"{key}: the keys {sorted(unknown)} are not known; known are {', '.join(SOURCES)}, unit, missing"
    if not isinstance(part.get("missing", []), list):
        yield f"{key}.missing: {part['missing']!r}; expected a list of words"
    if "file_name" in part and not _has_one_group(part["file_name"]):
        yield f"{key}.file_name: {part['file_name']!r}; expected a regular expression with one group"


def _sky_mistakes(sky) -> Iterator[str]:
    lists = isinstance(sky, dict) and all(_is_list(sky.get(key)) for key in SKY)
    if not lists or len(sky["cover"]) != len(sky["base"]) or set(sky) - {*SKY, "unit", "missing"}:
        yield f"sky: {sky!r}; expected {{cover: [NAME, ...], base: [NAME, ...], unit: UNIT}}, as many bases as covers"


def _is_list(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _has_one_group(pattern) -> bool:
    try:
        return re.compile(pattern).groups == 1
    except (re.error, TypeError):
        return False
