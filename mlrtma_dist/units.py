"""Units as people and files write them, and how each becomes SI: SI = value * factor + offset.

A spelling is read without regard to case, blanks, dots, underscores and degree signs, so that "deg C", "degC", "DegC"
and "°C" are one; a number in front multiplies ("0.1 degC", "100 ft").
"""

import re
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: the SI unit of its quantity as ``names.VARIABLES`` spells it, and the way there."""

    si: str
    factor: float
    offset: float = 0.0


ZERO_CELSIUS = 273.15  # K
UNITS = {
    "K": Unit("K", 1.0),
    "degC": Unit("K", 1.0, ZERO_CELSIUS),
    "degF": Unit("K", 5 / 9, ZERO_CELSIUS - 160 / 9),
    "m/s": Unit("m s-1", 1.0),
    "knot": Unit("m s-1", 1852 / 3600),
    "km/h": Unit("m s-1", 1 / 3.6),
    "mph": Unit("m s-1", 1609.344 / 3600),
    "Pa": Unit("Pa", 1.0),
    "hPa": Unit("Pa", 100.0),
    "kPa": Unit("Pa", 1000.0),
    "inHg": Unit("Pa", 3386.389),  # mercury of 0 degC
    "mmHg": Unit("Pa", 133.322387),
    "m": Unit("m", 1.0),
    "km": Unit("m", 1000.0),
    "foot": Unit("m", 0.3048),
    "US survey foot": Unit("m", 1200 / 3937),
    "mile": Unit("m", 1609.344),
    "nautical mile": Unit("m", 1852.0),
    "1": Unit("1", 1.0),
    "percent": Unit("1", 0.01),
    "okta": Unit("1", 0.125),
    "tenth": Unit("1", 0.1),
    "kg/kg": Unit("kg kg-1", 1.0),
    "g/kg": Unit("kg kg-1", 1e-3),
    "m2/s2": Unit("m2 s-2", 1.0),
}
# Other spellings, already plain (see ``_plain``).
_SPELLINGS = {
    "K": "kelvin kelvins degk degreek degreesk",
    "degC": "c celsius degreec degreesc degreecelsius degreescelsius degcelsius",
    "degF": "f fahrenheit degreef degreesf degreefahrenheit degreesfahrenheit degfahrenheit",
    "m/s": "ms-1 mps m/sec metres-1 meters-1 metress-1 meterss-1 meters/second metres/second meterpersecond"
    " meterspersecond metrepersecond metrespersecond",
    "knot": "knots kt kts kn nmi/h",
    "km/h": "kmh kmh-1 kmhr-1 km/hr kph kmph kilometersperhour kilometresperhour kilometers/hour kilometres/hour",
    "mph": "mi/h mile/h miles/hour mileperhour milesperhour",
    "Pa": "pascal pascals nm-2",
    "hPa": "hectopascal hectopascals mb mbar mbars millibar millibars",
    "kPa": "kilopascal kilopascals",
    "inHg": "in inch inches inchhg incheshg inchofmercury inchesofmercury",
    "mmHg": "millimeterofmercury millimetersofmercury millimetreofmercury millimetresofmercury torr",
    "m": "meter meters metre metres gpm",
    "km": "kilometer kilometers kilometre kilometres",
    "foot": "feet ft",
    "US survey foot": "ussurveyfeet surveyfoot surveyfeet us-ft usft ftus",
    "mile": "miles mi sm statutemile statutemiles usstatutemile usstatutemiles",
    "nautical mile": "nauticalmiles nmi nm",
    "1": "fraction 0-1 (0-1) dimensionless proportion",
    "percent": "% pct percents",
    "okta": "oktas octa octas eighth eighths 1/8 8ths",
    "tenth": "tenths 1/10 10ths",
    "kg/kg": "kgkg-1",
    "g/kg": "gkg-1",
    "m2/s2": "m2s-2 j/kg jkg-1",
}


def _plain(text: str) -> str:
    """A unit in one spelling: "deg C", "degC" and "°C" are alike, "m s**-1", "m s^-1" and "m.s-1", too."""
    return re.sub(r"[\s._°]|\*\*|\^", "", text.casefold())


_NAMES = {_plain(spelling): name for name, others in _SPELLINGS.items() for spelling in (name, *others.split())}
_MULTIPLE = re.compile(r"\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)\s*[*x]?\s+(\S.*)")


def unit_of(text: str) -> Unit | None:
    """The unit that a text means; None where it is none of these."""
    name = _NAMES.get(_plain(text))
    if name is not None:
        return UNITS[name]
    multiple = _MULTIPLE.fullmatch(text)
    if multiple is None:
        return None
    number, rest = multiple.groups()
    unit = unit_of(rest)
    return unit and Unit(unit.si, float(number) * unit.factor, unit.offset)


def length_of(text: str) -> float | None:
    """The length in m of a unit such as "km", "ft" or "0.3048 m"; None where it is no length."""
    unit = unit_of(text)
    return unit.factor if unit and unit.si == "m" else None


def units_of(si: str) -> tuple[str, ...]:
    """The names of the units of a quantity, for messages."""
    return tuple(name for name, unit in UNITS.items() if unit.si == si)
