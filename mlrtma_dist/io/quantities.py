"""Quantities of gridded fields: their units to SI, and whether values are possible in the unit that a file states.

A file may state no unit or a wrong one: relative humidity from 0 to 100 with the unit "1", pressure in hPa with the
unit "Pa". A field of which the values are impossible in its unit is read in another one where only one is possible, and
the reader is told; where several are, or none, the file is refused. What the values cannot tell (knots from m s-1) is
the user's to say (`field_codes`).
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.names import STANDARD_GRAVITY
from mlrtma_dist.units import UNITS, Unit, unit_of

MOST = 0.1  # share of the values of a field beyond which it is not the values that are wrong, but what is said of them
GEOPOTENTIAL = UNITS["m2/s2"]


@dataclass(frozen=True)
class Quantity:
    """What a field may hold.

    Attributes:
        units: of ``units.UNITS``, in which it is written; the first is SI.
        low, high: between which the values of a whole field lie, in SI; wider than what is believed of one value.
        largest: the largest value of a field is at least this.
        least: in place of ``largest`` where the unit is not the stated one: no lone reading of a nearly empty field.
        rare: a field of which the largest value is below this is possible, but the reader is told.
    """

    units: tuple[str, ...]
    low: float
    high: float
    largest: float = -np.inf
    least: float = -np.inf
    rare: float = -np.inf

    def holds(self, low: float, high: float) -> bool:
        """Whether a field may have these smallest and largest values, SI."""
        return self.low <= low and high <= self.high and high >= self.largest


_TEMPERATURE, _PRESSURE = ("K", "degC", "degF"), ("Pa", "hPa", "kPa", "inHg", "mmHg")
_SPEED, _FRACTION = ("m/s", "km/h", "knot", "mph"), ("1", "percent")
QUANTITIES = {
    "t2m": Quantity(_TEMPERATURE, 170.0, 340.0),
    "d2m": Quantity(_TEMPERATURE, 150.0, 320.0),
    "u10": Quantity(_SPEED, -110.0, 110.0),
    "v10": Quantity(_SPEED, -110.0, 110.0),
    "wind_speed": Quantity(_SPEED, -1.0, 110.0),  # below zero by rounding
    "gust": Quantity(_SPEED, -1.0, 130.0),
    "psfc": Quantity(_PRESSURE, 30000.0, 110000.0, largest=50000.0),
    "sea_level_pressure": Quantity(_PRESSURE, 80000.0, 110000.0),
    # models write up to 100 km; a field of which every value is below 100 m is one in km or miles
    "visibility": Quantity(("m", "km", "mile", "nautical mile", "foot"), 0.0, 4e5, largest=100.0),
    "ceiling": Quantity(("m", "km", "foot"), 0.0, 1e6, largest=100.0),
    # above 1 by the overshoot of interpolated fields; below 8 % everywhere, oktas or fractions are as likely
    "sky_cover": Quantity((*_FRACTION, "okta", "tenth"), -0.05, 1.5, least=0.1, rare=0.08),
    "relative_humidity": Quantity(_FRACTION, -0.05, 1.6, largest=0.02, least=0.1),
    "specific_humidity": Quantity(("kg/kg", "1", "g/kg"), -1e-4, 0.06, largest=3e-5, least=1e-4),
    "terrain": Quantity(("m", "m2/s2", "foot", "km"), -500.0, 9000.0),
    "land": Quantity(_FRACTION, -0.05, 1.05, least=0.5),
}
NEVER_NEGATIVE = ("ceiling", "visibility")  # below zero is a writer's sign for "not given" (NCV: -9999)


class UnitError(ValueError):
    """A unit that is not understood, or that the values contradict; says which units are possible."""


def stated_unit(text: str, name: str) -> Unit:
    """The unit of a quantity as a file or a user spells it; "" stands for SI.

    Raises:
        UnitError: the unit is none of those in which the quantity is written.
    """
    units = QUANTITIES[name].units
    unit = unit_of(text) if text.strip() else UNITS[units[0]]
    if unit is None or unit.si not in {UNITS[each].si for each in units}:
        raise UnitError(f"the unit {text!r} of {name} is not understood; those of {name} are {', '.join(units)}")
    return unit


def convert(values, unit: Unit):
    """Values of a unit in SI (any shape); of a geopotential in m."""
    factor, offset = _line(unit)
    if (factor, offset) == (1.0, 0.0):
        return values
    return values * np.float32(factor) + np.float32(offset)


def _line(unit: Unit) -> tuple[float, float]:
    """Factor and offset by which a unit becomes SI; the height of a geopotential is in m."""
    return unit.factor / (STANDARD_GRAVITY if unit.si == GEOPOTENTIAL.si else 1.0), unit.offset


def to_si(values: np.ndarray, text: str, name: str, *, certain: bool = False) -> tuple[np.ndarray, str]:
    """Bring the values of a field to SI; those of names that are not of QUANTITIES are left alone.

    Args:
        values: of the whole field, any shape, float32, NaN where missing.
        text: the unit as the file or the user spells it; "" where none is stated.
        name: what the field is.
        certain: the user gave the unit: impossible values are missing, but no other unit is tried.

    Returns:
        The values, impossible ones NaN, and what a reader must know of them, "" where nothing.

    Raises:
        UnitError: the unit is not understood; or the values are not possible in it, and not in one other unit alone.
    """
    if name not in QUANTITIES:
        return values, ""
    unit, quantity = stated_unit(text, name), QUANTITIES[name]
    if name in NEVER_NEGATIVE:
        values = np.where(values < 0.0, np.float32(np.nan), values)
    si = convert(values, unit)
    low, high = extremes(si)
    if np.isnan(low) or quantity.holds(low, high):
        return si, _rarity(name, text, high)
    others = [] if certain else _others(values, unit, quantity)
    with np.errstate(invalid="ignore"):
        outside = (si < quantity.low) | (si > quantity.high)
    share = outside.sum() / np.isfinite(si).sum()
    lone = 0.0 < share < 1.0 and np.ptp(values[outside]) == 0.0  # one number among possible ones: a sign for "missing"
    stated = f"the unit {text!r}" if text.strip() else f"no unit, for which {quantity.units[0]!r} is taken"
    if not others and (lone or share <= MOST):
        return np.where(outside, np.float32(np.nan), si), _taken_for_missing(name, values[outside], share)
    if len(others) == 1 and not lone and extremes(convert(values, UNITS[others[0]]))[1] >= quantity.least:
        note = f"{name} is read in {others[0]!r}: it has {stated}, in which its values are impossible"
        return convert(values, UNITS[others[0]]), note
    low, high = extremes(values)
    raise UnitError(
        f"{name} from {low:g} to {high:g} with {stated}: impossible; possible would be {', '.join(others) or 'no unit'}"
        f" known here. Correct the file, or give the unit: --set cases.reports.codes={{CODE: {name} in UNIT}}"
        " (docs/observations.md)"
    )


def _others(values: np.ndarray, unit: Unit, quantity: Quantity) -> list[str]:
    """The other units of a quantity in which values are possible; of two that are equal the first."""
    lines = {_line(UNITS[name]): name for name in reversed(quantity.units) if _line(UNITS[name]) != _line(unit)}
    return [name for name in lines.values() if quantity.holds(*extremes(convert(values, UNITS[name])))][::-1]


def extremes(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value that are not missing; NaN where all are."""
    low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    return float(low), float(high)


def _taken_for_missing(name: str, values: np.ndarray, share: float) -> str:
    if not share:
        return ""
    return f"{share:.1%} of the values of {name}, such as {values[0]:g}, are impossible and taken for missing"


def _rarity(name: str, unit: str, largest: float) -> str:
    quantity = QUANTITIES[name]
    if stated_unit(unit, name) == UNITS[quantity.units[0]] or not 0.0 < largest <= quantity.rare:
        return ""
    return f"{name} is at most {largest:.2g} by its unit {unit!r}: give another one by codes if that is not so"
