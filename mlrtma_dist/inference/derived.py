"""Derived fields: what a product has besides the analysed variables, each a function of some of these at a point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.physics.flight_category import CATEGORIES, flight_category, most_likely_category
from mlrtma_dist.physics.moisture import relative_humidity
from mlrtma_dist.physics.sea_level import sea_level_pressure

Values = Mapping[str, np.ndarray]
WHOLE = (slice(None), slice(None))


@dataclass(frozen=True)
class Derived:
    """One derived field.

    Attributes:
        name, unit, long_name, standard_name, valid, height, display: as of ``names.Variable``.
        needs: the analysed variables that it is a function of.
        of: function of these, by name in SI, and of the terrain height (m) that returns the values,
            SI; all of one shape. Beside them stand, as ``<name>_below``, the probabilities of values below the limits
            of ``names.EVENTS``, (limit, y, x), of those whose distribution was analysed.
        grib: as of ``names.Variable``; None: GRIB2 has no code for it.
        meanings: of the values 0, 1, ... where these are numbers of categories.
        comment: how it is derived.
    """

    name: str
    unit: str
    long_name: str
    standard_name: str | None
    valid: tuple[float, float]
    needs: tuple[str, ...]
    of: Callable[[Values, np.ndarray], np.ndarray]
    comment: str
    height: float | None = None
    grib: tuple[int, ...] | None = None
    display: tuple[str, float, float] = ("", 1.0, 0.0)
    meanings: tuple[str, ...] = ()

    def field(self, analysis: Analysis, index: tuple[slice, ...] = WHOLE) -> np.ndarray:
        """The values of an analysis at an index within its box, float32, shape (y, x)."""
        values = {name: analysis.values[name][index] for name in self.needs}
        distributions = [name for name in self.needs if name in analysis.probability]
        values |= {f"{name}_below": analysis.probability[name][(slice(None), *index)] for name in distributions}
        return self.of(values, analysis.static.terrain[analysis.box.slices][index]).astype(np.float32, copy=False)


def _category(values: Values, terrain: np.ndarray) -> np.ndarray:
    """The most likely flight category; without probabilities that of the analysed ceiling and visibility."""
    if {"ceiling_below", "visibility_below"} <= set(values):
        return most_likely_category(values["visibility_below"], values["ceiling_below"])
    return flight_category(values["ceiling"], values["visibility"])


DERIVED: dict[str, Derived] = {
    entry.name: entry
    for entry in (
        Derived(
            "relative_humidity",
            "1",
            "2 m relative humidity; with respect to liquid water",
            "relative_humidity",
            (0.0, 1.0),
            ("t2m", "d2m"),
            lambda values, terrain: relative_humidity(values["t2m"], values["d2m"]),
            "from t2m and d2m",
            height=2.0,
            grib=(0, 1, 1, 103),
            display=("%", 100.0, 0.0),
        ),
        Derived(
            "sea_level_pressure",
            "Pa",
            "pressure at mean sea level",
            "air_pressure_at_mean_sea_level",
            (85000.0, 110000.0),
            ("psfc", "t2m"),
            lambda values, terrain: sea_level_pressure(values["psfc"], values["t2m"], terrain),
            "from psfc, t2m and elevation by the reduction of Trenberth et al. (1993, NCAR/TN-396+STR)",
            grib=(0, 3, 1, 101),
            display=("hPa", 0.01, 0.0),
        ),
        Derived(
            "flight_category",
            "1",
            "flight category of ceiling and visibility",
            None,  # CF has no name for it; NCEP's GRIB2 number 0-19-205 holds for files of that centre alone
            (0, len(CATEGORIES) - 1),
            ("ceiling", "visibility"),
            _category,
            "the most likely category where the probability of each is there, else that of ceiling and visibility;"
            " LIFR: ceiling < 500 ft or visibility < 1 statute mile; IFR: < 1000 ft or < 3 miles;"
            " MVFR: <= 3000 ft or <= 5 miles; VFR: above both",
            meanings=CATEGORIES,
        ),
    )
}


def derived_fields(analysis: Analysis) -> list[Derived]:
    """The derived fields of which an analysis has what they need; none on a plane, whose unit is not the metre."""
    if analysis.static.domain.is_plane:
        return []
    return [entry for entry in DERIVED.values() if set(entry.needs) <= set(analysis.values)]
