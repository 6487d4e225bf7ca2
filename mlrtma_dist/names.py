"""THE TABLE of variables: what each is called, measured in, bounded by and written as.

Everything that depends on a variable's name reads it here: quality control its range,
the methods its transform and observation error, the product its CF standard name and
GRIB2 numbers (WMO code table 4.2, discipline 0 unless noted), the report its unit for people.

Analyses are made in a variable's *analysis space*, where errors are nearer to Gaussian:
the logarithm for visibility and ceiling, the identity for the rest.
"""

from dataclasses import dataclass

import numpy as np

STANDARD_PRESSURE = 101325.0  # Pa
STANDARD_GRAVITY = 9.80665  # m s-2
STANDARD_TEMPERATURE = 288.15  # K at mean sea level (ICAO Doc 7488)
STANDARD_LAPSE_RATE = 0.0065  # K m-1, up to 11 km
DRY_AIR = 287.05287  # J kg-1 K-1, gas constant of dry air (ICAO Doc 7488)
ICE = 273.15  # K, where it melts
FOOT, MILE = 0.3048, 1609.344  # m; the statute mile
UNLIMITED_CEILING = 20000.0  # metres; the value by which PrepBUFR says "no ceiling"
# metres; no cloud base is reported above 30,000 ft, so what is nearer to unlimited than to that is unlimited
LIMITED_CEILING = (9144.0 * UNLIMITED_CEILING) ** 0.5


@dataclass(frozen=True)
class Variable:
    """One analysed variable.

    Attributes:
        name: the short name used everywhere in the code and in files.
        unit: SI unit of the values, in UDUNITS spelling.
        long_name: for people.
        standard_name: CF standard name, None where CF has none that is true.
        valid: smallest and largest value that nature gives near the surface, in ``unit``.
        error: standard deviation of a well-kept station's error with respect to a grid
            box mean, in analysis space; used when the report carries none.
        gross: first-guess departures beyond this (analysis space) are gross errors by the
            rule fixed in DECISIONS.md; stations beyond it leave verification, too.
        height: height of the measurement above ground in metres, None where it has none.
        grib: GRIB2 discipline, category, number, type of first fixed surface and, of a layer, of the second. Surfaces
            are WMO's: 215 (ceiling) and 200 (cloud) of the RTMA are NCEP's own, nameless in a file of another centre.
        transform: "identity" or "log".
        display: unit shown to people, factor and offset: shown = value * factor + offset.
        limited: analyses above this are the largest valid value, by which reports say "no limit"; None: there is none.
    """

    name: str
    unit: str
    long_name: str
    standard_name: str | None
    valid: tuple[float, float]
    error: float
    gross: float
    height: float | None
    grib: tuple[int, ...]
    transform: str = "identity"
    display: tuple[str, float, float] = ("", 1.0, 0.0)
    limited: float | None = None

    def to_analysis(self, value):
        """Map values in ``unit`` to analysis space (any shape)."""
        if self.transform == "log":
            return np.log(np.clip(value, *self.valid))
        return value

    def from_analysis(self, value):
        """Map analysis-space values back to ``unit`` and into the valid range (any shape)."""
        if self.transform == "log":
            value = np.exp(value)
        if self.limited is not None:
            value = np.where(value > self.limited, self.valid[1], value)
        return np.clip(value, *self.valid)


VARIABLES: dict[str, Variable] = {
    v.name: v
    for v in (
        Variable(
            "t2m",
            "K",
            "2 m temperature",
            "air_temperature",
            (193.15, 333.15),
            1.0,
            15.0,
            2.0,
            (0, 0, 0, 103),
            display=("degC", 1.0, -273.15),
        ),
        Variable(
            "d2m",
            "K",
            "2 m dew point temperature",
            "dew_point_temperature",
            (183.15, 308.15),
            1.3,
            20.0,
            2.0,
            (0, 0, 6, 103),
            display=("degC", 1.0, -273.15),
        ),
        Variable(
            "u10",
            "m s-1",
            "10 m eastward wind",
            "eastward_wind",
            (-75.0, 75.0),
            1.3,
            20.0,
            10.0,
            (0, 2, 2, 103),
            display=("m s-1", 1.0, 0.0),
        ),
        Variable(
            "v10",
            "m s-1",
            "10 m northward wind",
            "northward_wind",
            (-75.0, 75.0),
            1.3,
            20.0,
            10.0,
            (0, 2, 3, 103),
            display=("m s-1", 1.0, 0.0),
        ),
        Variable(
            "gust",
            "m s-1",
            "wind gust",
            "wind_speed_of_gust",
            (0.0, 110.0),
            2.0,
            30.0,
            10.0,
            (0, 2, 22, 1),
            display=("m s-1", 1.0, 0.0),
        ),
        Variable(
            "psfc",
            "Pa",
            "surface pressure",
            "surface_air_pressure",
            (45000.0, 108500.0),
            60.0,
            2000.0,
            None,
            (0, 3, 0, 1),
            display=("hPa", 0.01, 0.0),
        ),
        Variable(
            "visibility",
            "m",
            "horizontal visibility",
            "visibility_in_air",
            (20.0, 24000.0),
            0.4,
            8.0,
            None,
            (0, 19, 0, 1),
            transform="log",
            display=("km", 0.001, 0.0),
        ),
        Variable(
            "ceiling",
            "m",
            "cloud ceiling above ground; 20000 m where unlimited",
            # CF's table (version 93) knows the base of all cloud only as an altitude above the geoid
            None,
            (15.0, UNLIMITED_CEILING),
            0.6,
            9.0,
            None,
            (0, 6, 13, 1),
            transform="log",
            display=("km", 0.001, 0.0),
            limited=LIMITED_CEILING,
        ),
        Variable(
            "sky_cover",
            "1",
            "total cloud area fraction",
            "cloud_area_fraction",
            (0.0, 1.0),
            0.25,
            2.0,
            None,
            (0, 6, 1, 1, 8),
            display=("%", 100.0, 0.0),
        ),
        # Of its own, for the speed of a mean wind is below the mean speed. The last one, for the noise of simulated
        # weather is numbered by place.
        Variable(
            "wind_speed",
            "m s-1",
            "10 m wind speed",
            "wind_speed",
            (0.0, 75.0),
            1.3,
            20.0,
            10.0,
            (0, 2, 1, 103),
            display=("m s-1", 1.0, 0.0),
        ),
    )
}


# Limits of what aviation needs and warnings are for, SI: probabilities and scores are for values below each. Those
# of visibility and ceiling lie between values that are reported: below 0.5, 1 and 3 miles, 5 miles or less; below 200,
# 500 and 1000 ft, 3000 ft or less.
EVENTS: dict[str, tuple[float, ...]] = {
    "visibility": (800.0, 1600.0, 4800.0, 8100.0),
    "ceiling": (60.0, 152.0, 304.0, 920.0),
    "wind_speed": (5.0, 10.0, 15.0),
    "gust": (10.0, 15.0, 20.0),
}


def variable(name: str) -> Variable:
    """Look a variable up.

    Raises:
        ValueError: the name is not in the table; lists those that are.
    """
    if name not in VARIABLES:
        raise ValueError(f"unknown variable {name!r}: the analysed variables are {', '.join(VARIABLES)}")
    return VARIABLES[name]


def to_analysis(name: str, value):
    """Values of a variable in analysis space (any shape); what is not in the table, such as a depth, stays as it is."""
    return VARIABLES[name].to_analysis(value) if name in VARIABLES else value


def from_analysis(name: str, value):
    """Analysis-space values of a variable in SI (any shape); what is not in the table stays as it is."""
    return VARIABLES[name].from_analysis(value) if name in VARIABLES else value
