"""Simulated weather as cases of a store: equal on any tiles, at the stated times, with the stations of its files."""

import numpy as np
import pytest

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box, cell_of
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Case
from mlrtma_dist.names import VARIABLES as TABLE
from mlrtma_dist.samples.layout import Layout, Table
from mlrtma_dist.simulation.reporting import ERRORS
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations

VARIABLES = ("t2m", "u10", "v10", "ceiling")
EVERYWHERE = Box(0, 120, 0, 160)


@pytest.fixture(scope="module")
def cases():
    return SimulatedWeather(VARIABLES, stations=Stations(random=400)).on(load_domain("toy"), count=5)


@pytest.fixture(scope="module")
def whole(cases):
    return cases.case_of_tile(3, EVERYWHERE)


def fields(case: Case) -> np.ndarray:
    """Backgrounds, then truths, in the order of a store, shape (field, y, x)."""
    return np.stack([group[name] for group in (case.background, case.truth) for name in case.variables])


def columns(case: Case) -> np.ndarray:
    """Place, value, error and number of the variable of every report, shape (n, 5)."""
    table = Table.from_case(case, VARIABLES)
    return np.column_stack([table.place, table.value, table.error, table.variable])


def test_tiles_together_are_the_whole_fields_and_reports_to_the_last_bit(cases, whole):
    rows = []
    for y0, y1 in ((0, 32), (32, 96), (96, 120)):
        for x0, x1 in ((0, 96), (96, 160)):
            part = cases.case_of_tile(3, Box(y0, y1, x0, x1))
            np.testing.assert_array_equal(fields(part), fields(whole)[:, y0:y1, x0:x1])
            cell = cell_of(part.place, (120, 160), False)
            assert (cell >= (y0, x0)).all() and (cell < (y1, x1)).all()
            assert len(columns(part)) == len(part.observations)
            rows.append(columns(part))
    everything, parts = columns(whole), np.concatenate(rows)
    assert len(parts) == len(everything) == len(whole.observations)
    np.testing.assert_array_equal(parts[np.lexsort(parts.T)], everything[np.lexsort(everything.T)])


def test_a_case_on_a_box_has_the_reports_and_the_first_guess_of_the_whole_domain(cases, whole):
    box, withheld = Box(32, 96, 0, 96), np.arange(len(whole.observations)) % 7 == 0
    case = cases.case(3, box, withheld)
    np.testing.assert_array_equal(fields(case), fields(whole)[:, 32:96, 0:96])
    for name in ("station", "value", "latitude", "elevation", "time"):
        np.testing.assert_array_equal(getattr(case.observations, name), getattr(whole.observations, name))
    np.testing.assert_array_equal(case.used, ~withheld)
    np.testing.assert_array_equal(case.departure, whole.departure)
    at_points = case.first_guess.mean("t2m", case.grid_points()).reshape(box.shape)
    np.testing.assert_allclose(at_points, case.background["t2m"], atol=1e-3)
    np.testing.assert_array_equal(cases.reports(3).value, whole.observations.value)


def test_reports_stand_where_their_latitude_and_longitude_are_and_come_within_the_window(cases, whole):
    o = whole.observations
    np.testing.assert_allclose(np.stack(whole.domain.index(o.latitude, o.longitude), 1), whole.place, atol=1e-6)
    late = (o.time - whole.time).astype("timedelta64[s]").astype(int)
    assert len(np.unique(late)) > 10 and np.abs(late).max() <= 1800


def test_a_store_holds_backgrounds_then_truths_of_the_variables_with_their_units(cases, whole):
    layout = Layout.of(cases.contents, 32)
    assert layout.fields == tuple(f"{part}_{name}" for part in ("background", "truth") for name in VARIABLES)
    assert (
        layout.units == tuple(TABLE[name].unit for name in VARIABLES) == ("K", "m s-1", "m s-1", "m")
        and layout.shape == (120, 160)
        and not layout.periodic
    )
    assert fields(whole).shape == (8, 120, 160) and np.isfinite(fields(whole)).all()
    error = whole.background["t2m"] - whole.truth["t2m"]
    assert 0.3 < np.sqrt((error**2).mean()) < 3.0


def test_reports_are_near_the_truth_and_say_their_error(whole):
    table = whole.observations
    row, column = np.rint(whole.place).astype(int).T
    of = table.variable == "t2m"
    departure = table.value[of] - whole.truth["t2m"][row[of].clip(0, 119), column[of].clip(0, 159)]
    assert np.median(np.abs(departure)) < 1.5  # error of a station, and a slope within half a grid length
    assert set(np.round(table.error[of], 3)) == {ERRORS["t2m"][0][0], ERRORS["t2m"][1][0]}
    ceiling = table.variable == "ceiling"
    np.testing.assert_allclose(table.error[ceiling], 0.2 * table.value[ceiling], rtol=1e-9)  # a logarithm's


def test_cases_are_hours_of_one_world(cases):
    times, box = cases.time, Box(0, 8, 0, 8)
    assert (
        len(times) == 5
        and times[0] == np.datetime64("2022-07-01T00:00:00")
        and (np.diff(times) == np.timedelta64(7, "h")).all()
    )
    again, other = (
        SimulatedWeather(VARIABLES, stations=Stations(random=400), seed=seed).on(load_domain("toy"), first=2, count=1)
        for seed in (1, 2)
    )
    assert again.time[0] == times[2]
    np.testing.assert_array_equal(fields(again.case_of_tile(0, box)), fields(cases.case_of_tile(2, box)))
    assert not np.array_equal(fields(again.case_of_tile(0, box)), fields(other.case_of_tile(0, box)))
    hourly = SimulatedWeather(("t2m",), every=1).on(load_domain("toy"), count=5)
    one, next_one = (hourly.case_of_tile(number, EVERYWHERE).truth["t2m"] for number in (3, 4))
    assert np.corrcoef(one.ravel(), next_one.ravel())[0, 1] > 0.97


def test_stations_of_files_and_lists_add_up(tmp_path):
    listed = tmp_path / "stations.csv"
    listed.write_text("station,latitude,longitude,elevation\nHERE,40.0,255.0,1700\nAWAY,10.0,20.0,5\n")
    stations = Stations(random=50, lists=(str(listed),), kind="mesonet")
    sites = SimulatedWeather(stations=stations).on(load_domain("toy")).sites
    assert len(sites) == 51 and list(sites.kind[sites.station == "HERE"]) == ["mesonet"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variables: [t2m, rain]", "expected some of t2m"),
        ("every: 0", "expected whole hours"),
        ("stations: {random: 0}", "expected some"),
        ("stations: {kind: balloon}", "expected one of airport"),
        ("reporting: {gross: 2.0}", "expected a share"),
        ("weather: {fronts: {speed: 0.0}}", "expected more than 0"),
    ],
)
def test_what_cannot_be_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        config.build(SimulatedWeather, config.parse_yaml(text, "given"), "given")


def test_a_plane_has_no_weather():
    with pytest.raises(InputError, match="plane without latitude"):
        SimulatedWeather().on(load_domain("plane"))
