"""Settings of the maps: units for people, and colour scales that are the same from hour to hour (configs/maps)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.inference.derived import DERIVED, Derived
from mlrtma_dist.names import VARIABLES, Variable
from mlrtma_dist.units import UNITS, unit_of, units_of

SEASONS = ("winter", "spring", "summer", "autumn")  # of three months, the first from December
YEAR = "year"
TROPIC = 23.44  # degrees
LABELS = {
    "degC": "°C",
    "degF": "°F",
    "knot": "kt",
    "m/s": "m s⁻¹",
    "foot": "ft",
    "mile": "mi",
    "nautical mile": "nmi",
    "percent": "%",
}
QUANTITIES = {"K": "temperature", "m s-1": "wind", "Pa": "pressure"}  # by SI unit; a length by its variable's name


@dataclass(frozen=True)
class MapUnit:
    """A unit on a map: number = value in SI * factor + offset.

    Attributes:
        name: of ``units.UNITS``; label: as it stands on a map.
    """

    name: str
    label: str
    factor: float
    offset: float

    @classmethod
    def of(cls, text: str) -> "MapUnit":
        """The unit that a text means, in any of its spellings."""
        unit = unit_of(text)
        name = next(name for name, other in UNITS.items() if other == unit)
        return cls(name, LABELS.get(name, name), 1.0 / UNITS[name].factor, -UNITS[name].offset / UNITS[name].factor)

    def show(self, value):
        """Values of SI in this unit, any shape."""
        return value * self.factor + self.offset

    @property
    def of_difference(self) -> str:
        """The label of a difference: of temperatures in degrees Celsius it is in kelvin."""
        return "K" if self.name == "degC" else self.label


@dataclass(frozen=True)
class Units:
    """The unit of each quantity on maps, in any spelling of ``units``.

    Attributes:
        temperature: unit of temperature and dew point.
        wind: unit of wind and gust.
        pressure: unit of pressure.
        visibility: unit of visibility.
        ceiling: unit of the ceiling's height.
    """

    temperature: str = "degC"
    wind: str = "knot"
    pressure: str = "hPa"
    visibility: str = "mile"
    ceiling: str = "foot"

    def __post_init__(self):
        quantities = {"temperature": "K", "wind": "m s-1", "pressure": "Pa", "visibility": "m", "ceiling": "m"}
        for quantity, si in quantities.items():
            unit = unit_of(text := getattr(self, quantity))
            if unit is None or unit not in UNITS.values() or unit.si != si:
                raise ValueError(f"units: {quantity}: expected one of {', '.join(units_of(si))}, got {text!r}")

    def of(self, variable: Variable | Derived) -> MapUnit:
        """The unit of a variable."""
        if variable.unit == "1":
            return MapUnit.of("percent")
        return MapUnit.of(getattr(self, QUANTITIES.get(variable.unit, variable.name)))

    @property
    def of_wind(self) -> MapUnit:
        """The unit of wind speed."""
        return MapUnit.of(self.wind)


@dataclass(frozen=True)
class MapSettings:
    """How maps look.

    Attributes:
        units: of the quantities.
        scales: variable or derived field -> season of SEASONS, or "year" -> ends of the colour scale, or edges of its
            bands, in the unit of the map. A variable that is not named takes its scale from each field.
        increments: variable -> end of the scale of increments, in the unit of the map; of visibility and ceiling the
            ratio. A variable that is not named takes its scale from each field.
        errors: variables of which the error that the analysis expects has a map as well, where it is known.
    """

    units: Units = field(default_factory=Units)
    scales: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)
    increments: dict[str, float] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    def __post_init__(self):
        _check_names("scales", self.scales, (*VARIABLES, *DERIVED))
        _check_names("increments", self.increments, tuple(VARIABLES))
        _check_names("errors", self.errors, tuple(VARIABLES))
        for name, scale in self.scales.items():
            if set(scale) not in ({YEAR}, set(SEASONS)):
                expected = f"the key {YEAR}, or all of {', '.join(SEASONS)}"
                raise ValueError(f"scales: {name}: expected {expected}, got {', '.join(scale) or 'none'}")
            ratio = name in VARIABLES and VARIABLES[name].transform == "log"
            for season, numbers in scale.items():
                where, got = f"scales: {name}: {season}", f"got {list(numbers)}"
                if len(numbers) < 2 or not np.isfinite(numbers).all() or not (np.diff(numbers) > 0).all():
                    raise ValueError(f"{where}: expected two or more rising numbers, {got}")
                if ratio and len(numbers) == 2 and not numbers[0] > 0:
                    raise ValueError(f"{where}: expected ends above 0 of a logarithmic scale, or bands, {got}")
        for name, limit in self.increments.items():
            least = 1.0 if VARIABLES[name].transform == "log" else 0.0
            if not least < limit < math.inf:
                raise ValueError(f"increments: {name}: expected a finite number above {least:g}, got {limit:g}")

    def scale(self, name: str, domain: Domain, time: np.datetime64) -> tuple[float, ...] | None:
        """The colour scale of a variable at a time; None: that of each field."""
        scale = self.scales.get(name)
        return None if scale is None else scale[YEAR] if YEAR in scale else scale[season_of(domain, time)]


def season_of(domain: Domain, time: np.datetime64) -> str:
    """The season of three months at the middle of a domain; between the tropics it is summer all the year."""
    rows, columns = (np.array([size // 2]) for size in domain.shape)
    latitude = 90.0 if domain.is_plane else domain.latitude_longitude(rows, columns)[0].item()
    if abs(latitude) < TROPIC:
        return "summer"
    month = time.astype("datetime64[M]").astype(int) % 12  # 0: January
    return SEASONS[((month + 1) // 3 + (0 if latitude > 0 else 2)) % 4]


def load_map_settings(name: str) -> MapSettings:
    """Read settings: a file of ``configs/maps`` by its name, or the path of a file.

    Raises:
        ConfigError: there is no such file, or what it holds is not understood.
    """
    return config.load(MapSettings, config.find("maps", name))


def _check_names(key: str, mapping: Iterable[str], names: tuple[str, ...]) -> None:
    unknown = [name for name in mapping if name not in names]
    if unknown:
        raise ValueError(f"{key}: {unknown[0]!r} is no variable of maps; expected some of {', '.join(names)}")
