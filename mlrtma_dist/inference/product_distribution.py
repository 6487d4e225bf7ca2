"""The fields of a product that tell its distribution: quantiles, probabilities beyond limits, members."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import DERIVED, Derived
from mlrtma_dist.inference.georeference import links
from mlrtma_dist.inference.product_fields import (
    LOG_BITS,
    PROBABILITY_STEP,
    STEPS,
    TIMED,
    Index,
    ProductField,
    on_scale,
    standard_name,
)
from mlrtma_dist.io.netcdf_write import NetcdfVariable
from mlrtma_dist.names import VARIABLES, Variable

REALIZATION = "realization"
OF_GAUSSIAN = "of a Gaussian with the analysis as mean and its error as standard deviation, in analysis space"


def distribution_fields(analysis: Analysis) -> list[ProductField]:
    """Fields such as ``t2m_quantile_10``, ``wind_speed_above_10``, ``t2m_below_273p15`` and ``t2m_members``."""
    distribution, fields = analysis.distribution, []
    for name in distribution.quantiles:
        for number, level in enumerate(distribution.section.quantiles):
            fields.append(_quantile(analysis, name, number, level))
    for side in ("above", "below"):
        for name in getattr(distribution, side):
            for number, limit in enumerate(getattr(distribution.section, side)[name]):
                fields.append(_probability(analysis, name, side, number, limit))
    return [*fields, *(_members(analysis, name) for name in distribution.members)]


def distribution_coordinates(analysis: Analysis) -> Iterator[NetcdfVariable]:
    """A scalar coordinate for every level of the quantiles, and the numbers of the members."""
    distribution = analysis.distribution
    for level in distribution.section.quantiles if distribution.quantiles else ():
        attributes = {"long_name": "share of the distribution below the value", "units": "1"}
        yield NetcdfVariable(_level_name(level), (), np.array(level), attributes, dtype="f8")
    if distribution.members:
        attributes = {"standard_name": REALIZATION, "long_name": "number of the member", "units": "1"}
        yield NetcdfVariable(REALIZATION, (REALIZATION,), np.arange(distribution.count), attributes, dtype="i4")


def _quantile(analysis: Analysis, name: str, number: int, level: float) -> ProductField:
    described = _described(name, analysis)
    attributes = {
        **standard_name(described),
        "long_name": f"{_words(name)}, quantile {level:g}",
        "units": _unit(name, analysis),
        **on_scale(described),
        **_origin(analysis, name, "of the members, of which the k-th of M has the level k / (M + 1)"),
        **_links(analysis, described, _level_name(level)),
    }
    return ProductField(
        NetcdfVariable(f"{name}_quantile_{_text(100.0 * level)}", TIMED, None, attributes, **_rounding(described)),
        lambda analysis, index: analysis.distribution.quantiles[name][number][index],
    )


def _probability(analysis: Analysis, name: str, side: str, number: int, limit: float) -> ProductField:
    """CF has no standard name for it."""
    words = "at or above" if side == "above" else "below"
    attributes = {
        "long_name": f"probability of {_words(name)} {words} {limit:g} {_unit(name, analysis)}".removesuffix(" 1"),
        "units": "1",
        **_origin(analysis, name, "share of the members"),
        **_links(analysis, _described(name, analysis)),
    }
    variable = NetcdfVariable(
        f"{name}_{side}_{_text(limit)}", TIMED, None, attributes, step=PROBABILITY_STEP, valid=(0.0, 1.0)
    )
    return ProductField(variable, partial(_beyond, name, side, number))


def _beyond(name: str, side: str, number: int, analysis: Analysis, index: Index) -> np.ndarray:
    return getattr(analysis.distribution, side)[name][number][index]


def _members(analysis: Analysis, name: str) -> ProductField:
    described = _described(name, analysis)
    attributes = {
        **standard_name(described),
        "long_name": f"{_words(name)}, members",
        "units": _unit(name, analysis),
        **on_scale(described),
        **_links(analysis, described),
    }
    dimensions = (REALIZATION, *TIMED)  # CF 1.11, section 2.4: what is no place and no time comes first
    return ProductField(
        NetcdfVariable(f"{name}_members", dimensions, None, attributes, **_rounding(described)),
        lambda analysis, index: analysis.distribution.members[name][index],
    )


def _described(name: str, analysis: Analysis) -> Variable | Derived | None:
    """The entry of a variable or a derived field; None of a variable of an exercise's plane."""
    return None if name in analysis.units else VARIABLES.get(name) or DERIVED[name]


def _words(name: str) -> str:
    entry = VARIABLES.get(name) or DERIVED.get(name)
    return entry.long_name.split(";")[0] if entry else name


def _unit(name: str, analysis: Analysis) -> str:
    entry = VARIABLES.get(name) or DERIVED.get(name)
    return entry.unit if entry else analysis.units[name]


def _rounding(described: Variable | Derived | None) -> dict:
    """As of the analysis; values of an exercise's plane are not rounded."""
    if described is None:
        return {}
    if getattr(described, "transform", "") == "log":
        return {"bits": LOG_BITS, "valid": described.valid}
    return {"step": STEPS[described.unit], "valid": described.valid}


def _origin(analysis: Analysis, name: str, of_members: str) -> dict[str, str]:
    if name not in analysis.distribution.drawn:
        return {"comment": OF_GAUSSIAN}
    return {"comment": f"{of_members}; {analysis.distribution.count} members"}


def _links(analysis: Analysis, described: Variable | Derived | None, *scalars: str) -> dict[str, str]:
    heights = () if described is None or described.height is None else (f"height_{described.height:g}m",)
    return {"cell_methods": "time: point", **links(analysis.static.domain, *heights, *scalars)}


def _level_name(level: float) -> str:
    return f"quantile_{_text(100.0 * level)}"


def _text(number: float) -> str:
    """A number as part of a name, which has letters, digits and underscores alone: 273.15 is 273p15, -5 is m5."""
    return f"{number:.10g}".replace(".", "p").replace("-", "m").replace("+", "")
