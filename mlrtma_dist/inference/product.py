"""Product: an analysis as a CF-1.11 netCDF-4 file, one domain and time each (docs/product.md)."""

import datetime
import pathlib

import numpy as np

import mlrtma_dist
from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.georeference import coordinates, links, time_coordinate
from mlrtma_dist.inference.observation_counts import count_by_flag, count_by_source, time_coverage
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf
from mlrtma_dist.names import VARIABLES, Variable

# Rounding before compression, far below the error of any analysis and of the instruments: 1/128 K and m s-1,
# 1 Pa, 1/512 of the sky. It makes the file of CONUS 2.5 times smaller (docs/product.md).
STEPS = {"K": 2.0**-7, "m s-1": 2.0**-7, "Pa": 1.0, "1": 2.0**-9}
LOG_BITS = 9  # of the mantissa, for what spans decades: 0.1 % of the value
ERROR_BITS = 7  # 0.4 % of a standard deviation that is itself an estimate
OVERRIDABLE = {"institution", "source", "history", "references", "title"}
REFERENCES = (
    "De Pondeca et al. 2011, The Real-Time Mesoscale Analysis at NOAA's National Centers for Environmental Prediction: "
    "current status and development, Weather and Forecasting 26, 593-612, https://doi.org/10.1175/WAF-D-10-05037.1"
)


def write_product(analysis: Analysis, directory, provenance: dict[str, str]) -> pathlib.Path:
    """Write an analysis to ``directory/<domain>_<time>.nc``, whole or not at all.

    Args:
        analysis: fields of shape (y, x) of its domain, SI.
        directory: made where it is missing.
        provenance: global attributes such as configuration (YAML text), commit, institution; they take the
            place of history, source, references and title where given.

    Returns:
        The path of the file.

    Raises:
        InputError: a field is not of the domain's shape, or a key of ``provenance`` is the product's own.
        OSError: the file cannot be written.
    """
    domain = analysis.static.domain
    path = pathlib.Path(directory) / f"{domain.name}_{clock.compact(analysis.time)}.nc"
    _require_shapes(analysis)
    time = time_coordinate(np.array([analysis.time]))
    variables = [time, *coordinates(domain), *_heights(analysis), *_static(analysis)]
    for name in (v for v in VARIABLES if v in analysis.values):
        variables += _fields(analysis, VARIABLES[name])
    sizes = {"time": 1, "y": domain.size.y, "x": domain.size.x}
    return write_netcdf(path, sizes, variables, global_attributes(analysis, provenance))


def global_attributes(analysis: Analysis, provenance: dict[str, str]) -> dict[str, str]:
    """The global attributes of a product.

    Raises:
        InputError: a key of ``provenance`` is the product's own.
    """
    domain, program = analysis.static.domain, f"mlrtma_dist {mlrtma_dist.__version__}"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    notes = [n for n in (analysis.static.note, *analysis.notes) if n]
    made = {
        "Conventions": "CF-1.11",
        "title": f"Surface weather analysis, {domain.title}, {analysis.time.astype('datetime64[m]')} UTC",
        "source": f"surface observations and a first guess combined by {analysis.method} ({program})",
        "history": f"{now}: written by {program}",
        "references": REFERENCES,
        "comment": "; ".join(notes) if notes else "nothing out of the ordinary",
        "domain": domain.name,
        "method": analysis.method,
        "first_guess": analysis.first_guess_name,
        "observations_by_flag": count_by_flag(analysis),
        "observations_by_source": count_by_source(analysis),
    }
    coverage = time_coverage(analysis)
    if coverage:
        made |= {"observations_first": coverage[0], "observations_last": coverage[1]}
    clash = sorted((set(provenance) & set(made)) - OVERRIDABLE)
    if clash:
        raise InputError(
            f"provenance of {domain.name}: the product writes the attribute {clash[0]!r} itself: choose another key"
        )
    return made | provenance


def _require_shapes(analysis: Analysis) -> None:
    domain = analysis.static.domain
    for group in ("values", "first_guess", "error"):
        for name, values in getattr(analysis, group).items():
            if np.shape(values) != domain.shape:
                raise InputError(
                    f"product of domain {domain.name}: {group} of {name}: expected the shape "
                    f"{domain.shape} (y, x), got {np.shape(values)}"
                )


def _height_name(variable: Variable) -> tuple[str, ...]:
    return () if variable.height is None else (f"height_{variable.height:g}m",)


def _heights(analysis: Analysis) -> list[NetcdfVariable]:
    """A scalar coordinate for each height above ground that occurs."""
    heights = {h: VARIABLES[v].height for v in analysis.values for h in _height_name(VARIABLES[v])}
    return [
        NetcdfVariable(
            name,
            (),
            np.float64(height),
            {"standard_name": "height", "long_name": "height above ground", "units": "m", "positive": "up"},
            dtype="f8",
        )
        for name, height in heights.items()
    ]


def _static(analysis: Analysis) -> list[NetcdfVariable]:
    static, place = analysis.static, links(analysis.static.domain)
    return [
        NetcdfVariable(
            "elevation",
            ("y", "x"),
            static.terrain,
            {
                "standard_name": "surface_altitude",
                "long_name": "terrain height above mean sea level",
                "units": "m",
                **place,
            },
            step=2.0**-4,
        ),
        NetcdfVariable(
            "land",
            ("y", "x"),
            static.land,
            {
                "standard_name": "land_area_fraction",
                "long_name": "land fraction: 1 land, 0 water",
                "units": "1",
                **place,
            },
            step=2.0**-7,
            valid=(0.0, 1.0),
        ),
    ]


def _fields(analysis: Analysis, variable: Variable) -> list[NetcdfVariable]:
    """Analysis, increment and error of one variable."""
    name, place = variable.name, links(analysis.static.domain, *_height_name(variable))
    dimensions = ("time", "y", "x")
    rounding = {"bits": LOG_BITS} if variable.transform == "log" else {"step": STEPS[variable.unit]}
    values, first_guess, error = analysis.values[name], analysis.first_guess.get(name), analysis.error.get(name)
    beside = []
    if first_guess is not None:
        beside.append(
            NetcdfVariable(
                f"{name}_increment",
                dimensions,
                lambda rows: values[rows] - first_guess[rows],
                {
                    "long_name": f"{variable.long_name}, analysis minus first guess",
                    "units": variable.unit,
                    **_temperature(variable, "difference"),
                    **place,
                },
                **rounding,
            )
        )
    if error is not None:
        meaning = _meaning_of_error(variable) | place
        beside.append(NetcdfVariable(f"{name}_error", dimensions, error, meaning, bits=ERROR_BITS))
    linked = {"ancillary_variables": " ".join(v.name for v in beside)} if beside else {}
    meaning = {
        **_standard_name(variable),
        "long_name": variable.long_name,
        "units": variable.unit,
        **_temperature(variable, "on_scale"),
        **_method_of_cells(variable),
        **place,
        **linked,
    }
    return [NetcdfVariable(name, dimensions, values, meaning, **rounding, valid=variable.valid), *beside]


def _method_of_cells(variable: Variable) -> dict[str, str]:
    if variable.name == "gust":  # a maximum, but over minutes that differ by network: CF has no word for that
        return {"comment": "the largest wind speed of the minutes before the report, as each network defines it"}
    return {"cell_methods": "time: point"}


def _standard_name(variable: Variable, modifier: str = "") -> dict[str, str]:
    return {"standard_name": f"{variable.standard_name}{modifier}"} if variable.standard_name else {}


def _temperature(variable: Variable, kind: str) -> dict[str, str]:
    """CF 1.11, section 3.1.2: kelvins on the scale and kelvins apart convert differently to degrees Celsius."""
    return {"units_metadata": f"temperature: {kind}"} if variable.unit == "K" else {}


def _meaning_of_error(variable: Variable) -> dict[str, str]:
    """CF's modifier ``standard_error`` keeps the unit of its name, so it does not fit the error of a logarithm."""
    if variable.transform == "log":
        return {
            "long_name": f"{variable.long_name}, standard deviation of the analysis error of the natural logarithm",
            "units": "1",
            "comment": "0.1 means about 10 % of the value",
        }
    return {
        **_standard_name(variable, " standard_error"),
        "long_name": f"{variable.long_name}, standard deviation of the analysis error",
        "units": variable.unit,
        **_temperature(variable, "difference"),
    }
