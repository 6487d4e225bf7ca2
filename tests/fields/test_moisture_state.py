"""The dew point of a state: computed where it is missing, never impossible; moisture against the temperature."""

import importlib.util
import pathlib

import numpy as np
import pytest

from mlrtma_dist.fields.gridded_state import BackgroundError, read_state
from mlrtma_dist.fields.moisture_state import DRIEST, SUPERSATURATED, MoistureError, complete_dew_point
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.physics.moisture import vapour_pressure

_PATH = pathlib.Path(__file__).parents[1] / "io" / "netcdf_writer.py"
_SPEC = importlib.util.spec_from_file_location("netcdf_writer", _PATH)
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
BOX = Domain("box", "box", "+proj=longlat +R=6371200", Size(3, 3), 1.0, Corner(41.0, 6.0))
SIX = np.datetime64("2022-08-24T06:00:00")
TEMPERATURE = np.linspace(271.0, 289.0, 30).reshape(_writer.SHAPE)


def state_of(tmp_path, **variables):
    """The state of a file, and its notes."""
    path = _writer.write(tmp_path / "f.nc", _writer.GRID | _writer.TIME | variables)
    return read_state([path], BOX, SIX)


def humidity(value: float, **attributes) -> dict:
    t2m = _writer.field(TEMPERATURE, units="K")
    return {"t2m": t2m, "r2": _writer.field(value, standard_name="relative_humidity", **attributes)}


@pytest.mark.parametrize("unit", [{"units": "1"}, {}, {"units": "%"}])
def test_a_relative_humidity_of_50_is_one_of_a_half_whatever_its_unit(tmp_path, unit):
    state, notes = state_of(tmp_path, **humidity(50.0, **unit))
    ratio = vapour_pressure(state.values["d2m"]) / vapour_pressure(state.values["t2m"])
    np.testing.assert_allclose(ratio, 0.5, rtol=1e-5)
    assert ("relative_humidity is read in 'percent'" in "; ".join(notes)) is (unit != {"units": "%"})


def test_a_sky_cover_from_0_to_100_without_per_cent_is_read_and_told(tmp_path):
    state, notes = state_of(tmp_path, tcc=_writer.field(np.linspace(0, 100, 30).reshape(_writer.SHAPE), units="1"))
    np.testing.assert_allclose(state.values["sky_cover"].ravel(), np.linspace(0, 1, 30), atol=1e-6)
    assert "sky_cover is read in 'percent'" in notes[0]


@pytest.mark.parametrize(
    ("moisture", "words"),
    [
        ({"d2m": _writer.field(TEMPERATURE + 12.0, units="K")}, "the dew point is impossible at 100% of the points"),
        ({"d2m": _writer.field(195.0, units="K")}, "the dew point is impossible at 100%"),
        (
            {"q": _writer.field(1e-6, standard_name="specific_humidity"), "sp": _writer.field(9e4, units="Pa")},
            "the dew point of specific humidity and surface pressure is impossible",
        ),
        (
            {"q": _writer.field(0.05, standard_name="specific_humidity"), "sp": _writer.field(9e4, units="Pa")},
            r"it is from 31\d.* K, the temperature from 271.0 to 289.0 K",
        ),
    ],
)
def test_moisture_that_contradicts_the_temperature_is_refused(tmp_path, moisture, words):
    with pytest.raises(BackgroundError, match=f"f.nc: .*{words}"):
        state_of(tmp_path, t2m=_writer.field(TEMPERATURE, units="K"), **moisture)


def test_few_impossible_values_are_missing_and_told():
    dew_point = (TEMPERATURE - 3.0).astype(np.float32)
    dew_point[0, 0], dew_point[1, 1] = TEMPERATURE[0, 0] + SUPERSATURATED + 0.1, TEMPERATURE[1, 1] - DRIEST - 0.1
    dew_point[2, 2] = TEMPERATURE[2, 2] + SUPERSATURATED - 0.1
    values, notes = {"t2m": TEMPERATURE.astype(np.float32), "d2m": dew_point}, []
    complete_dew_point(values, notes)
    assert np.argwhere(np.isnan(values["d2m"])).tolist() == [[0, 0], [1, 1]]
    assert notes == ["the dew point is impossible at 6.67% of the points, and not used there"]


def test_a_derived_dew_point_outside_its_range_is_not_used_without_a_temperature_either():
    values = {"specific_humidity": np.full((4, 4), 0.055, np.float32), "psfc": np.full((4, 4), 1e5, np.float32)}
    with pytest.raises(MoistureError, match="impossible at 100% of the points: .* the temperature not known"):
        complete_dew_point(values, [])


@pytest.mark.parametrize(("outside", "refused"), [(16, True), (10, False)])
def test_a_field_of_which_most_values_are_outside_the_range_is_refused_and_a_part_told(tmp_path, outside, refused):
    values = np.where(np.arange(30) < outside, 44000.0 - 100.0 * np.arange(30), 9e4).reshape(_writer.SHAPE)
    if refused:
        with pytest.raises(
            BackgroundError, match="expected psfc from 45000 to 108500 Pa, got 53% of the values outside"
        ):
            state_of(tmp_path, sp=_writer.field(values, units="Pa"))
        return
    state, notes = state_of(tmp_path, sp=_writer.field(values, units="Pa"))
    assert np.isnan(state.values["psfc"]).sum() == outside
    assert "33% of the values of psfc are outside its range, and not used" in notes


def test_rounding_beyond_the_range_does_not_make_an_overcast_sky_missing(tmp_path):
    state, notes = state_of(tmp_path, tcc=_writer.field(1.0000004, units="1"))
    assert (state.values["sky_cover"] == 1.0).all() and notes == []
