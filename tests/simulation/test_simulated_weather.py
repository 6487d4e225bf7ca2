"""Simulated weather as cases of a store: equal on any tiles, at the stated times, with the stations of its files."""

import numpy as np
import pytest

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box, cell_of
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.simulation.reporting import ERRORS
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations

VARIABLES = ("t2m", "u10", "v10", "ceiling")


@pytest.fixture(scope="module")
def cases():
    return SimulatedWeather(VARIABLES, stations=Stations(random=400)).on(load_domain("toy"))


@pytest.fixture(scope="module")
def whole(cases):
    return cases.make(3, Box(0, 120, 0, 160))


def test_tiles_together_are_the_whole_fields_and_reports_to_the_last_bit(cases, whole):
    rows = []
    for y0, y1 in ((0, 32), (32, 96), (96, 120)):
        for x0, x1 in ((0, 96), (96, 160)):
            part = cases.make(3, Box(y0, y1, x0, x1))
            np.testing.assert_array_equal(part.fields, whole.fields[:, y0:y1, x0:x1])
            cell = cell_of(part.observations.place, (120, 160), False)
            assert (cell >= (y0, x0)).all() and (cell < (y1, x1)).all()
            table = part.observations
            rows.append(np.column_stack([table.place, table.value, table.error, table.variable]))
    table = whole.observations
    everything = np.column_stack([table.place, table.value, table.error, table.variable])
    found = np.concatenate(rows)
    assert len(found) == len(everything)
    np.testing.assert_array_equal(found[np.lexsort(found.T)], everything[np.lexsort(everything.T)])


def test_a_store_holds_backgrounds_then_truths_of_the_variables_with_their_units(cases, whole):
    layout = cases.world.layout(load_domain("toy"), 32)
    assert layout.fields == tuple(f"{part}_{name}" for part in ("background", "truth") for name in VARIABLES)
    assert layout.units == ("K", "m s-1", "m s-1", "m") and layout.shape == (120, 160) and not layout.periodic
    assert whole.fields.shape == (8, 120, 160) and np.isfinite(whole.fields).all()
    error = whole.fields[0] - whole.fields[4]
    assert 0.3 < np.sqrt((error**2).mean()) < 3.0


def test_reports_are_near_the_truth_and_say_their_error(whole):
    table = whole.observations
    row, column = np.rint(table.place).astype(int).T
    of = table.variable == 0
    departure = table.value[of] - whole.fields[4, row[of].clip(0, 119), column[of].clip(0, 159)]
    assert np.median(np.abs(departure)) < 1.5  # error of a station, and a slope within half a grid length
    assert set(np.round(table.error[of], 3)) == {ERRORS["t2m"][0][0], ERRORS["t2m"][1][0]}
    ceiling = table.variable == 3
    np.testing.assert_allclose(table.error[ceiling], 0.2 * table.value[ceiling], rtol=1e-9)  # a logarithm's


def test_cases_are_hours_of_one_world(cases):
    times = cases.world.time(5)
    assert times[0] == np.datetime64("2022-07-01T00:00:00") and (np.diff(times) == np.timedelta64(7, "h")).all()
    again = SimulatedWeather(VARIABLES, stations=Stations(random=400)).on(load_domain("toy")).make(2, Box(0, 8, 0, 8))
    np.testing.assert_array_equal(again.fields, cases.make(2, Box(0, 8, 0, 8)).fields)
    other = (
        SimulatedWeather(VARIABLES, stations=Stations(random=400), seed=2)
        .on(load_domain("toy"))
        .make(2, Box(0, 8, 0, 8))
    )
    assert not np.array_equal(again.fields, other.fields)
    one, next_one = (
        SimulatedWeather(("t2m",), every=1).on(load_domain("toy")).make(n, Box(0, 120, 0, 160)).fields[1]
        for n in (3, 4)
    )
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
