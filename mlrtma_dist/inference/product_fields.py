"""The variables of a product: their names, CF attributes and rounding, and how an analysis gives their values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import Derived, derived_fields
from mlrtma_dist.inference.georeference import links
from mlrtma_dist.io.netcdf_write import NetcdfVariable
from mlrtma_dist.names import VARIABLES, Variable

# Rounding before compression, far below the error of any analysis and of the instruments: 1/128 K and m s-1,
# 1 Pa, 1/512 of the sky. It makes the file of CONUS 2.5 times smaller (docs/product.md).
STEPS = {"K": 2.0**-7, "m s-1": 2.0**-7, "Pa": 1.0, "1": 2.0**-9}
LOG_BITS = 9  # of the mantissa, for what spans decades: 0.1 % of the value
PROBABILITY_STEP = 2.0**-9
ERROR_BITS = 7  # 0.4 % of a standard deviation that is itself an estimate
TIMED, FIXED = ("time", "y", "x"), ("y", "x")
Index = tuple[slice, ...]  # within a box; of fields that have more dimensions than rows and columns these come first


@dataclass(frozen=True)
class ProductField:
    """A variable of a product that is written by slabs.

    Attributes:
        variable: its description, without values.
        values: function of an analysis and of an index within its box that returns the values there, shape (..., y, x).
    """

    variable: NetcdfVariable
    values: Callable[[Analysis, Index], np.ndarray]

    def chunked(self, chunks: tuple[int, ...]) -> "ProductField":
        """The same field, stored in chunks of that length along its last dimensions."""
        return replace(self, variable=replace(self.variable, chunks=chunks[-len(self.variable.dimensions) :]))


def height_coordinates(analysis: Analysis) -> list[NetcdfVariable]:
    """A scalar coordinate for each height above ground that occurs."""
    attributes = {"standard_name": "height", "long_name": "height above ground", "units": "m", "positive": "up"}
    described: list[Variable | Derived] = [
        *(VARIABLES[v] for v in analysis.values if v in VARIABLES),
        *derived_fields(analysis),
    ]
    heights = {name: variable.height for variable in described for name in _height_names(variable)}
    return [NetcdfVariable(name, (), np.array(height), attributes, dtype="f8") for name, height in heights.items()]


def static_fields(analysis: Analysis) -> list[ProductField]:
    """Terrain and land of the domain."""
    place = links(analysis.static.domain)
    elevation = {
        "standard_name": "surface_altitude",
        "long_name": "terrain height above mean sea level",
        "units": "m",
        **place,
    }
    land = {
        "standard_name": "land_area_fraction",
        "long_name": "land fraction: 1 land, 0 water",
        "units": "1",
        **place,
    }
    return [
        ProductField(
            NetcdfVariable("elevation", FIXED, None, elevation, step=2.0**-4),
            lambda analysis, index: analysis.static.terrain[analysis.box.slices][index],
        ),
        ProductField(
            NetcdfVariable("land", FIXED, None, land, step=2.0**-7, valid=(0.0, 1.0)),
            lambda analysis, index: analysis.static.land[analysis.box.slices][index],
        ),
    ]


def analysis_fields(analysis: Analysis) -> Iterator[ProductField]:
    """Analysis, increment and error of every variable, then the derived fields, in the order of the file."""
    for name in analysis.variables:
        yield from _of_table(analysis, VARIABLES[name]) if name in VARIABLES else _of_exercise(analysis, name)
    for entry in derived_fields(analysis):
        yield _of_derived(analysis, entry)


def _of_table(analysis: Analysis, variable: Variable) -> list[ProductField]:
    """The fields of a variable of ``names.VARIABLES``."""
    place = links(analysis.static.domain, *_height_names(variable))
    increment = {
        "long_name": f"{variable.long_name}, analysis minus first guess",
        "units": variable.unit,
        **_temperature(variable, "difference"),
        **place,
    }
    values = {
        **standard_name(variable),
        "long_name": variable.long_name,
        "units": variable.unit,
        **on_scale(variable),
        **_cell_methods(variable),
        **place,
    }
    rounding = {"bits": LOG_BITS} if variable.transform == "log" else {"step": STEPS[variable.unit]}
    error = NetcdfVariable("", TIMED, None, _error_attributes(variable) | place, bits=ERROR_BITS)
    plain = NetcdfVariable("", TIMED, None, {}, **rounding)  # type: ignore[arg-type]
    return _three(
        analysis,
        variable.name,
        replace(plain, attributes=values, valid=variable.valid),
        replace(plain, attributes=increment),
        error,
    )


def _of_exercise(analysis: Analysis, name: str) -> list[ProductField]:
    """The fields of a variable of an exercise's plane: it has no standard name, and its values are not rounded."""
    place, unit = links(analysis.static.domain), analysis.units[name]
    meanings = {
        "analysis": {"long_name": f"{name}, analysis"},
        "increment": {"long_name": f"{name}, analysis minus first guess"},
        "error": {"long_name": f"{name}, standard deviation of the analysis error"},
    }
    descriptions = (
        NetcdfVariable("", TIMED, None, meaning | {"units": unit} | place, bits=ERROR_BITS if kind == "error" else 0)
        for kind, meaning in meanings.items()
    )
    return _three(analysis, name, *descriptions)


def _of_derived(analysis: Analysis, entry: Derived) -> ProductField:
    """A derived field: analysis alone, for its error would need the errors' correlations."""
    attributes: dict[str, object] = {
        **standard_name(entry),
        "long_name": entry.long_name,
        "units": entry.unit,
        "comment": entry.comment,
        "cell_methods": "time: point",
        **links(analysis.static.domain, *_height_names(entry)),
    }
    if entry.meanings:  # CF 1.11, section 3.5
        flags = {
            "flag_values": np.arange(len(entry.meanings), dtype=np.int8),
            "flag_meanings": " ".join(entry.meanings),
        }
        variable = NetcdfVariable(entry.name, TIMED, None, attributes | flags, dtype="i1")
    else:
        variable = NetcdfVariable(entry.name, TIMED, None, attributes, step=STEPS[entry.unit], valid=entry.valid)
    return ProductField(variable, entry.field)


def _three(
    analysis: Analysis, name: str, values: NetcdfVariable, increment: NetcdfVariable, error: NetcdfVariable
) -> list[ProductField]:
    """The analysis of a variable, and increment and error where there are any, to which the analysis refers."""
    beside = []
    if name in analysis.first_guess:
        beside.append(
            ProductField(
                replace(increment, name=f"{name}_increment"),
                lambda analysis, index: analysis.values[name][index] - analysis.first_guess[name][index],
            )
        )
    if name in analysis.error:
        beside.append(
            ProductField(
                replace(error, name=f"{name}_error"),
                lambda analysis, index: analysis.error[name][index],
            )
        )
    references = {"ancillary_variables": " ".join(each.variable.name for each in beside)} if beside else {}
    described = replace(values, name=name, attributes={**values.attributes, **references})
    return [ProductField(described, lambda analysis, index: analysis.values[name][index]), *beside]


def _height_names(variable: Variable | Derived) -> tuple[str, ...]:
    return () if variable.height is None else (f"height_{variable.height:g}m",)


def _cell_methods(variable: Variable) -> dict[str, str]:
    if variable.name == "gust":  # a maximum, but over minutes that differ by network: CF cannot express that
        return {"comment": "the largest wind speed of the minutes before the report, as each network defines it"}
    return {"cell_methods": "time: point"}


def standard_name(variable: Variable | Derived | None, modifier: str = "") -> dict[str, str]:
    """The standard name as attribute; none where there is none, or of a variable that is not in the table (None)."""
    return {"standard_name": f"{variable.standard_name}{modifier}"} if variable and variable.standard_name else {}


def on_scale(variable: Variable | Derived | None) -> dict[str, str]:
    """What the attributes of a temperature say beside its unit; None: a variable that is not in the table."""
    return {} if variable is None else _temperature(variable, "on_scale")


def _temperature(variable: Variable | Derived, kind: str) -> dict[str, str]:
    """CF 1.11, section 3.1.2: temperatures and differences of temperature convert differently to degrees Celsius."""
    return {"units_metadata": f"temperature: {kind}"} if variable.unit == "K" else {}


def _error_attributes(variable: Variable) -> dict[str, str]:
    """CF's modifier ``standard_error`` keeps the unit of its name, so it does not fit the error of a logarithm."""
    if variable.transform == "log":
        return {
            "long_name": f"{variable.long_name}, standard deviation of the analysis error of the natural logarithm",
            "units": "1",
            "comment": "0.1 means about 10 % of the value",
        }
    return {
        **standard_name(variable, " standard_error"),
        "long_name": f"{variable.long_name}, standard deviation of the analysis error",
        "units": variable.unit,
        **_temperature(variable, "difference"),
    }
