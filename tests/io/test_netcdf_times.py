"""What a time coordinate means is said by its attributes: valid times, starts and periods in every layout."""

import importlib.util
import pathlib

import numpy as np
import pytest

from mlrtma_dist.io.netcdf import NetcdfError, read_netcdf

_SPEC = importlib.util.spec_from_file_location("netcdf_writer", pathlib.Path(__file__).with_name("netcdf_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
SINCE = {"units": "hours since 2022-08-24 00:00:00"}
START = SINCE | {"standard_name": "forecast_reference_time"}
VALID = SINCE | {"standard_name": "time"}
PERIOD = {"units": "hours", "standard_name": "forecast_period"}


def times(tmp_path, coordinates: dict, dimensions=(), counts=(), named: str | None = None) -> list[tuple[int, int]]:
    """Hours of valid time and start, on 24 August, of the fields of a variable over dimensions."""
    shape = (*counts, *_writer.SHAPE)
    values = 280.0 + np.arange(np.prod(counts, dtype=int)).reshape(*counts, 1, 1) + np.zeros(shape)
    attributes = {"units": "K"} | ({} if named is None else {"coordinates": named})
    field = _writer.field(values, (*dimensions, "lat", "lon"), **attributes)
    path = _writer.write(tmp_path / "f.nc", _writer.GRID | coordinates | {"t2m": field})
    fields = read_netcdf(path, ("t2m",))
    assert [float(f.values[0, 0]) for f in fields] == [280.0 + number for number in range(len(fields))]
    return [tuple(_hour(t) for t in (f.valid_time, f.reference_time)) for f in fields]


def _hour(time: np.datetime64) -> int | None:
    return None if np.isnat(time) else int((time - np.datetime64("2022-08-24T00", "s")) // np.timedelta64(1, "h"))


LAYOUTS = {
    "cfgrib: scalars": (
        {"time": ((), 0.0, START), "step": ((), 6.0, PERIOD), "valid_time": ((), 6.0, VALID)},
        (),
        (),
        "time step valid_time",
        [(6, 0)],
    ),
    "cfgrib: scalars that no attribute names": (
        {"time": ((), 0.0, START), "step": ((), 6.0, PERIOD), "valid_time": ((), 6.0, VALID)},
        (),
        (),
        None,
        [(6, 0)],
    ),
    "cfgrib: several starts, one step": (
        {
            "time": (("time",), [0.0, 6.0], START),
            "step": ((), 6.0, PERIOD),
            "valid_time": (("time",), [6.0, 12.0], VALID),
        },
        ("time",),
        (2,),
        "step valid_time",
        [(6, 0), (12, 6)],
    ),
    "cfgrib: one start, several steps": (
        {
            "time": ((), 3.0, START),
            "step": (("step",), [0.0, 3.0, 6.0], PERIOD),
            "valid_time": (("step",), [3.0, 6.0, 9.0], VALID),
        },
        ("step",),
        (3,),
        "time valid_time",
        [(3, 3), (6, 3), (9, 3)],
    ),
    "cfgrib: starts and steps": (
        {
            "time": (("time",), [0.0, 6.0], START),
            "step": (("step",), [1.0, 2.0], PERIOD),
            "valid_time": (("time", "step"), [[1.0, 2.0], [7.0, 8.0]], VALID),
        },
        ("time", "step"),
        (2, 2),
        "valid_time",
        [(1, 0), (2, 0), (7, 6), (8, 6)],
    ),
    "steps before starts": (
        {
            "time": (("time",), [0.0, 6.0], START),
            "step": (("step",), [1.0, 2.0], PERIOD),
            "valid_time": (("time", "step"), [[1.0, 2.0], [7.0, 8.0]], VALID),
        },
        ("step", "time"),
        (2, 2),
        "valid_time",
        [(1, 0), (7, 6), (2, 0), (8, 6)],
    ),
    "the valid time is only the sum": (
        {"time": (("time",), [0.0, 6.0], START), "step": (("step",), [1.0, 2.0], PERIOD)},
        ("time", "step"),
        (2, 2),
        None,
        [(1, 0), (2, 0), (7, 6), (8, 6)],
    ),
    "a period in nanoseconds": (
        {"time": ((), 0.0, START), "step": ((), 6 * 3600 * 10**9, {"units": "nanoseconds"})},
        (),
        (),
        "time step",
        [(6, 0)],
    ),
    "a model's file: the valid time is called time": (
        {"time": (("time",), [6.0, 7.0], VALID), "forecast_reference_time": ((), 3.0, START)},
        ("time",),
        (2,),
        None,
        [(6, 3), (7, 3)],
    ),
    "a plain time": ({"time": (("time",), [6.0], SINCE)}, ("time",), (1,), None, [(6, 6)]),
    "a plain time without a dimension": ({"time": ((), 6.0, SINCE)}, (), (), None, [(6, 6)]),
    "a time of another name": ({"t0": ((), 6.0, VALID)}, (), (), "t0", [(6, 6)]),
    "a plain dimension beside a valid time that says so": (
        {"time": (("time",), [0.0, 6.0], SINCE), "vt": (("time",), [3.0, 9.0], VALID)},
        ("time",),
        (2,),
        None,
        [(3, 3), (9, 9)],
    ),
    "long names": (
        {
            "time": (("time",), [0.0], SINCE | {"long_name": "initial time of forecast"}),
            "t1": (("time",), [6.0], SINCE | {"long_name": "verification time"}),
        },
        ("time",),
        (1,),
        None,
        [(6, 0)],
    ),
    "valid_time as a dimension": (
        {"valid_time": (("valid_time",), [6.0, 7.0], VALID)},
        ("valid_time",),
        (2,),
        None,
        [(6, 6), (7, 7)],
    ),
    "the start from valid time and period": (
        {"time": (("time",), [6.0, 7.0], VALID), "lead": ((), 3.0, PERIOD)},
        ("time",),
        (2,),
        "lead",
        [(6, 3), (7, 4)],
    ),
    "a collection of forecasts": (
        {"reftime": (("reftime",), [0.0, 6.0], START), "time": (("reftime", "time"), [[1.0, 2.0], [7.0, 8.0]], VALID)},
        ("reftime", "time"),
        (2, 2),
        "reftime time",
        [(1, 0), (2, 0), (7, 6), (8, 6)],
    ),
    "the start alone": ({"time": (("time",), [0.0], START)}, ("time",), (1,), None, [(None, 0)]),
}


@pytest.mark.parametrize(("coordinates", "dimensions", "counts", "named", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_valid_time_and_start_are_those_of_the_layout(tmp_path, coordinates, dimensions, counts, named, expected):
    assert times(tmp_path, coordinates, dimensions, counts, named) == expected


@pytest.mark.parametrize(
    ("coordinates", "dimensions", "counts", "words"),
    [
        (
            {"time": ((), 0.0, SINCE), "step": ((), 6.0, {"units": "hours"})},
            (),
            (),
            "whether 'time' is the valid time or",
        ),
        ({"a": ((), 0.0, VALID), "b": ((), 6.0, VALID)}, (), (), "one valid time, got 'a' and 'b', which differ"),
    ],
)
def test_what_a_time_means_is_not_guessed(tmp_path, coordinates, dimensions, counts, words):
    with pytest.raises(NetcdfError, match=f"f.nc: variable t2m: expected .*{words}.*standard_name"):
        times(tmp_path, coordinates, dimensions, counts, "time step" if "step" in coordinates else "a b")


def test_hours_in_fractions_of_days_are_rounded_to_the_second(tmp_path):
    attributes = {"units": "days since 2022-08-24"}
    field = _writer.field(np.full((2, *_writer.SHAPE), 280.0), ("time", "lat", "lon"), units="K")
    days = {"time": (("time",), [7 / 24 - 1e-9, 8 / 24], attributes)}
    path = _writer.write(tmp_path / "f.nc", _writer.GRID | days | {"t2m": field})
    assert [str(f.valid_time)[11:] for f in read_netcdf(path)] == ["07:00:00", "08:00:00"]


def test_a_dimension_without_a_time_is_still_no_time(tmp_path, caplog):
    coordinates = {
        "time": ((), 0.0, START),
        "step": ((), 6.0, PERIOD),
        "number": (("number",), [0, 1, 2], {"units": "1"}),
    }
    assert times(tmp_path, coordinates, ("number",), (3,), "time step") == []
    assert "variable t2m is over ('number', 'lat', 'lon'): not read" in caplog.text
