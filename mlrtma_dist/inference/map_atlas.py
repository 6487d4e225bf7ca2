"""What all maps of one analysis share: titles, units, scales, stations and the words of the small print."""

from dataclasses import dataclass
from functools import cached_property

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import Derived
from mlrtma_dist.inference.field_range import FieldRange
from mlrtma_dist.inference.map_canvas import Base
from mlrtma_dist.inference.map_settings import MapSettings, MapUnit
from mlrtma_dist.inference.map_stations import Stations
from mlrtma_dist.inference.map_style import STYLES, Scale, field_scale, fixed_scale
from mlrtma_dist.names import VARIABLES, Variable


@dataclass(frozen=True)
class Atlas:
    """The maps of one analysis.

    Attributes:
        analysis: fields of this rank's box, SI; observations with their departures.
        base: what the maps of the domain share.
        settings: units and colour scales.
    """

    analysis: Analysis
    base: Base
    settings: MapSettings

    @cached_property
    def stations(self) -> Stations:
        """The stations used."""
        return Stations.of(self.analysis)

    def unit(self, variable: Variable | Derived) -> MapUnit:
        """The unit of a variable on these maps."""
        return self.settings.units.of(variable)

    def scale(self, name: str, values: FieldRange) -> Scale:
        """The colour scale of a variable; ``values``: of the field in the unit of the map."""
        edges = self.settings.scale(name, self.base.static.domain, self.analysis.time)
        logarithmic = name in VARIABLES and VARIABLES[name].transform == "log"
        if edges is None:
            return field_scale(STYLES[name], values, logarithmic)
        return fixed_scale(STYLES[name], edges, logarithmic)

    def subtitle(self, *names: str) -> str:
        """Domain, time, method, and the number of stations of which a report of each of these variables is used."""
        time = str(self.analysis.time.astype("datetime64[m]")).replace("T", " ")
        stations = f"{self.stations.reporting(*names).sum():,} stations used"
        facts = (self.analysis.static.domain.title, f"{time} UTC", self.analysis.method, stations)
        return "   |   ".join(facts)

    def notes(self) -> list[str]:
        """The first guess, and what a reader of the analysis must know."""
        notes = [note for note in (self.analysis.static.note, *self.analysis.notes) if note]
        return [f"First guess: {self.analysis.first_guess_name}.", *([f"Note: {'; '.join(notes)}."] if notes else [])]


def title_of(variable: Variable | Derived) -> str:
    """A variable's long name up to the first remark, with its first letter large."""
    name = variable.long_name.split(";")[0]
    return name[:1].upper() + name[1:]


def describe_range(values: FieldRange, unit: str) -> str:
    """Minimum, mean and maximum of a field, in a sentence."""
    if not values.finite:
        return "No value is known."
    low, mean, high = (number_words(number) for number in (values.low, values.mean, values.high))
    unknown = values.points - values.finite
    missing = f"; not known at {unknown:,} grid points (grey)" if unknown else ""
    return f"Minimum {low}, mean {mean}, maximum {high} {unit}{missing}."


def number_words(value: float) -> str:
    """A number with one decimal, from 1000 on with none; zero has no sign."""
    digits = 1 if abs(value) < 1000.0 else 0
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")
