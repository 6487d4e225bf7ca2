"""The dew point of a gridded state: computed from other moisture where it is missing, used only where it is possible.

A relative or specific humidity in another unit than it seems gives a dew point far above the temperature, or far below.
"""

import numpy as np

from mlrtma_dist.fields.adjustment import dew_point_of_relative_humidity, dew_point_of_specific_humidity
from mlrtma_dist.names import VARIABLES

# K above the temperature: relative humidity of 1.4, more than ice clouds and the rounding of packed fields give
SUPERSATURATED = 5.0
DRIEST = 70.0  # K below the temperature: relative humidity of 0.5 % at 310 K; no model has drier air at the screen
TOLERATED = 0.1  # share of impossible points beyond which the fields contradict each other


class MoistureError(ValueError):
    """Moisture and temperature that contradict each other; says how."""


def complete_dew_point(values: dict[str, np.ndarray], notes: list[str]) -> None:
    """Add the dew point where it is missing, and remove its impossible values, in place.

    Args:
        values: variable -> field, SI; specific or relative humidity among them, if anywhere.
        notes: what was done is added.

    Raises:
        MoistureError: more than a tenth of the points are impossible.
    """
    if "d2m" in values:
        origin = "the dew point"
    elif "specific_humidity" in values and "psfc" in values:
        values["d2m"] = dew_point_of_specific_humidity(values["specific_humidity"], values["psfc"])
        origin = "the dew point of specific humidity and surface pressure"
        notes.append("dew point computed from specific humidity and surface pressure")
    elif "relative_humidity" in values and "t2m" in values:
        values["d2m"] = dew_point_of_relative_humidity(values["relative_humidity"], values["t2m"])
        origin = "the dew point of relative humidity and temperature"
        notes.append("dew point computed from relative humidity and temperature")
    else:
        return
    impossible = _impossible(values)
    there = np.isfinite(values["d2m"])
    share = float((impossible & there).sum() / max(1, there.sum()))
    if share > TOLERATED:
        raise MoistureError(
            f"{origin} is impossible at {share:.0%} of the points: it is {_extremes(values['d2m'])}, the temperature"
            f" {_extremes(values.get('t2m'))}. One of them has another unit than the file states, or is another"
            " quantity: correct the file, or say what it is (--set cases.reports.codes={...}, docs/observations.md)"
        )
    if share:
        notes.append(f"{origin} is impossible at {share:.2%} of the points, and not used there")
        values["d2m"] = np.where(impossible, np.float32(np.nan), values["d2m"])


def _impossible(values: dict[str, np.ndarray]) -> np.ndarray:
    """Where the dew point is out of its range, far above the temperature or far below."""
    low, high = VARIABLES["d2m"].valid
    with np.errstate(invalid="ignore"):
        impossible = (values["d2m"] < low) | (values["d2m"] > high)
        if "t2m" in values:
            depression = values["t2m"] - values["d2m"]
            impossible |= (depression < -SUPERSATURATED) | (depression > DRIEST)
    return impossible


def _extremes(field: np.ndarray | None) -> str:
    return "not known" if field is None else f"from {np.nanmin(field):.1f} to {np.nanmax(field):.1f} K"
