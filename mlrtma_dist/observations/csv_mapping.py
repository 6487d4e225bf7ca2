"""The mapping that declares what the columns of a CSV table mean.

A mapping is a YAML file (``configs/observations/*.yaml`` are shipped):

    network: asos                      # the same for every row; or {column: name}
    station: {column: station}
    time: {column: time}               # ISO 8601, UTC unless it says otherwise; or with format: "%Y%m%d%H%M"
    latitude: {column: lat}
    longitude: {column: lon}
    elevation: {column: elev, unit: foot}    # may be left out: then not known
    provider: {column: provider}       # a mesonet's; may be left out
    missing: ["-99999"]                # besides empty, NaN, NA; of one column: {column: dir, missing: ["-1"]}
    delimiter: ","
    optional: false                    # true: variables whose column the file lacks are left out
    variables:
      t2m: {column: temperature, unit: degF}
      wind: {speed: {column: speed, unit: knot}, direction: {column: direction}}   # gives u10 and v10

Station pressure is ``psfc``; an altimeter setting or a pressure at sea level is not and must not be mapped to it.
"""

from mlrtma_dist.errors import InputError
from mlrtma_dist.names import VARIABLES

# SI unit, factor and offset: SI = value * factor + offset.
UNITS = {
    "K": ("K", 1.0, 0.0),
    "degC": ("K", 1.0, 273.15),
    "degF": ("K", 5 / 9, 273.15 - 160 / 9),
    "m/s": ("m s-1", 1.0, 0.0),
    "knot": ("m s-1", 1852 / 3600, 0.0),
    "km/h": ("m s-1", 1 / 3.6, 0.0),
    "Pa": ("Pa", 1.0, 0.0),
    "hPa": ("Pa", 100.0, 0.0),
    "inHg": ("Pa", 3386.389, 0.0),
    "m": ("m", 1.0, 0.0),
    "km": ("m", 1000.0, 0.0),
    "foot": ("m", 0.3048, 0.0),
    "statute_mile": ("m", 1609.344, 0.0),
    "1": ("1", 1.0, 0.0),
    "percent": ("1", 0.01, 0.0),
    "okta": ("1", 0.125, 0.0),
}
PLACES = ("station", "time", "latitude", "longitude")
KEYS = (*PLACES, "elevation", "network", "provider", "missing", "delimiter", "optional", "variables")


class TableError(InputError):
    """A table or mapping that cannot be used; the message names file, row and column."""


def columns_of(mapping: dict) -> tuple[set[str], set[str]]:
    """The columns a mapping must find, and those of variables it can do without if it is ``optional``.

    Args:
        mapping: one that ``check_mapping`` has passed.
    """
    sections = [key for key in (*PLACES, "elevation", "network", "provider") if isinstance(mapping.get(key), dict)]
    needed = {mapping[key]["column"] for key in sections}
    variables = {part["column"] for entry in mapping["variables"].values() for part in parts_of(entry)}
    return (needed, variables) if mapping.get("optional") else (needed | variables, set())


def check_mapping(mapping: dict, name: str) -> None:
    """Check a mapping's keys, variables and units.

    Raises:
        TableError: names the file, the key and what is known.
    """
    unknown = [key for key in mapping if key not in KEYS]
    absent = [key for key in (*PLACES, "variables") if not isinstance(mapping.get(key), dict)]
    if unknown or absent:
        raise TableError(
            f"{name}: its mapping has unknown keys {unknown}, lacks {absent}; a mapping has {', '.join(KEYS)}"
        )
    delimiter, optional = mapping.get("delimiter", ","), mapping.get("optional", False)
    if not isinstance(mapping.get("missing", []), list) or not isinstance(delimiter, str) or len(delimiter) != 1:
        raise TableError(f"{name}: its mapping needs `missing` to be a list of words and `delimiter` one character")
    if not isinstance(optional, bool):
        raise TableError(f"{name}: its mapping says optional: {optional!r}; expected true or false")
    for key in (*PLACES, *(k for k in ("elevation", "provider") if mapping.get(k) is not None)):
        _check_part(mapping[key], "m" if key == "elevation" else None, name, key)
    if isinstance(mapping.get("network"), dict):  # else one word for every row
        _check_part(mapping["network"], None, name, "network")
    if not isinstance(mapping["time"].get("format", ""), str):
        raise TableError(f"{name}: its mapping says time.format: {mapping['time']['format']!r}; expected a quoted text")
    for variable, entry in mapping["variables"].items():
        if variable == "wind" and isinstance(entry, dict) and set(entry) == {"speed", "direction"}:
            _check_part(entry["speed"], "m s-1", name, "wind.speed")
            _check_part(entry["direction"], None, name, "wind.direction")
        elif variable in VARIABLES:
            _check_part(entry, VARIABLES[variable].unit, name, variable)
        else:
            raise TableError(
                f"{name}: its mapping has a variable {variable!r}; known are {', '.join(VARIABLES)},"
                " wind (speed, direction)"
            )


def _check_part(part, unit: str | None, name: str, key: str) -> None:
    fit = [u for u, (si, _, _) in UNITS.items() if si == unit]
    if not isinstance(part, dict) or not isinstance(part.get("column"), str):
        raise TableError(
            f"{name}: its mapping says {key}: {part!r}; expected {{column: NAME{', unit: UNIT' if unit else ''}}}"
        )
    if not isinstance(part.get("missing", []), list):
        raise TableError(f"{name}: its mapping gives {key}.missing: {part['missing']!r}; expected a list of words")
    if unit and str(part.get("unit")) not in fit:
        raise TableError(f"{name}: its mapping gives {key} in {part.get('unit')!r}; expected one of {', '.join(fit)}")


def parts_of(entry: dict) -> list[dict]:
    """The columns that one entry of a mapping's variables speaks of."""
    return [entry] if "column" in entry else [entry["speed"], entry["direction"]]
