"""Simulated stations: errors by kind, a bias each keeps, gaps, gross errors and rounding; and where they stand."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.stations import StationList, read_stations
from mlrtma_dist.simulation.reporting import ERRORS, KNOT, MILE, Reporting, round_reports, truth_at
from mlrtma_dist.simulation.sites import KINDS, listed_sites, observed_sites, random_sites

TIME = np.datetime64("2022-08-24T06:00:00")
COUNT = 3000


@pytest.fixture(scope="module")
def static():
    return load_static(load_domain("toy"))


@pytest.fixture(scope="module")
def sites(static):
    return random_sites(static, COUNT, seed=1, ships=400)


def errors_of(name: str, sites, times: int, **settings) -> np.ndarray:
    """What stations say less the truth, shape (time, n)."""
    truth = {"t2m": np.full(len(sites), 288.15), "psfc": np.full(len(sites), 9.7e4)}
    reporting = Reporting(**{"rounded": False, "gross": 0.0, **settings})
    hours = [TIME + np.timedelta64(h, "h") for h in range(times)]
    return np.stack([reporting.values(sites, truth, time, 1)[name][0] - truth[name] for time in hours])


def test_a_station_keeps_its_bias_and_errs_at_random_besides(sites):
    error = errors_of("t2m", sites, 40)
    for kind, (deviation, bias) in zip(KINDS, ERRORS["t2m"], strict=True):
        mine = error[:, sites.kind == kind]
        assert mine.std() == pytest.approx(deviation, rel=0.06)
        assert mine.mean() == pytest.approx(bias, abs=4 * 0.5 * deviation / np.sqrt(mine.shape[1]))
        assert mine.mean(0).std() == pytest.approx(deviation * np.sqrt(0.25 + 0.75 / 40), rel=0.12)
        early, late = mine[:20].mean(0), mine[20:].mean(0)
        assert np.corrcoef(early, late)[0, 1] > 0.75  # 0.25 / (0.25 + 0.75 / 20) = 0.87
    lively = errors_of("t2m", sites, 40, persistent=0.0)
    airports = sites.kind == "airport"  # kinds differ in their mean
    assert abs(np.corrcoef(lively[:20, airports].mean(0), lively[20:, airports].mean(0))[0, 1]) < 0.15


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1])
def test_the_share_of_gross_errors_is_as_stated_and_the_mesonets_alone(sites, share):
    error = np.abs(errors_of("t2m", sites, 6, gross=share))
    mesonet = sites.kind == "mesonet"
    wild = error > 8.0 * 0.9
    assert not wild[:, ~mesonet].any()
    count = wild[:, mesonet].size
    assert wild[:, mesonet].mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / count))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_the_stated_share_of_values_does_not_come(sites, share):
    truth = {"t2m": np.full(len(sites), 288.0), "ceiling": np.full(len(sites), 900.0)}
    reports = Reporting(missing=share).values(sites, truth, TIME, 1)
    count = len(sites)
    assert 1.0 - reports["t2m"][1].mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / count))
    assert not reports["ceiling"][1][sites.kind != "airport"].any()


def test_a_station_says_the_same_whoever_else_reports(sites):
    truth = {"t2m": np.full(len(sites), 288.0)}
    whole = Reporting().values(sites, truth, TIME, 1)["t2m"]
    some = np.arange(100, 900, 7)
    part = Reporting().values(sites[some], {"t2m": truth["t2m"][some]}, TIME, 1)["t2m"]
    np.testing.assert_array_equal(part[0], whole[0][some])
    np.testing.assert_array_equal(part[1], whole[1][some])


def test_values_are_rounded_as_networks_do():
    generator, finely = np.random.default_rng(1), np.array([False, True] * 500)
    values = {
        "t2m": generator.uniform(250, 310, 1000),
        "u10": generator.normal(0, 6, 1000),
        "v10": generator.normal(0, 6, 1000),
        "visibility": generator.uniform(100, 16000, 1000),
        "ceiling": generator.uniform(30, 3000, 1000),
        "sky_cover": generator.uniform(0, 1, 1000),
    }
    rounded = round_reports(values, finely)
    tenths = (rounded["t2m"] - 273.15) * 10
    np.testing.assert_allclose(tenths, np.round(tenths), atol=1e-6)
    knots = np.hypot(rounded["u10"], rounded["v10"])[~finely] / KNOT
    np.testing.assert_allclose(knots, np.round(knots), atol=1e-6)
    tens = np.rad2deg(np.arctan2(rounded["v10"], rounded["u10"]))[~finely][knots > 0.5] / 10
    np.testing.assert_allclose(tens, np.round(tens), atol=1e-6)
    hundreds = rounded["ceiling"][rounded["ceiling"] < 1500.0] / 0.3048 / 100
    np.testing.assert_allclose(hundreds, np.round(hundreds), atol=1e-6)
    np.testing.assert_allclose(rounded["sky_cover"] * 8, np.round(rounded["sky_cover"] * 8))
    assert np.abs(rounded["visibility"] - values["visibility"]).max() <= 0.5 * MILE + 1e-6
    again = round_reports(rounded, finely)
    for name in rounded:
        np.testing.assert_allclose(again[name], rounded[name], rtol=1e-9, atol=1e-6)


def test_the_truth_is_carried_to_a_stations_height(static, sites):
    fields = {"t2m": static.terrain * 0 + 288.15, "d2m": static.terrain * 0 + 280.0, "psfc": static.terrain * 0 + 9.0e4}
    high = replace(sites, elevation=sites.elevation + 100.0)
    low, upper = (truth_at(s, fields, static) for s in (sites, high))
    np.testing.assert_allclose(low["t2m"], 288.15, atol=0.01)
    np.testing.assert_allclose(low["t2m"] - upper["t2m"], 0.65, atol=0.01)
    # hypsometric, 50 m up: vapour of 9.9 hPa at 280 K of dew point makes air lighter by 0.4 % than its temperature
    virtual = 288.15 / (1.0 - 0.378 * 9.91e2 / 9.0e4) - 0.325
    np.testing.assert_allclose(np.log(low["psfc"] / upper["psfc"]), 9.80665 * 100 / (287.05 * virtual), rtol=5e-4)


def test_random_stations_stand_on_land_and_ships_on_water(static, sites):
    row, column = np.rint(sites.row).astype(int), np.rint(sites.column).astype(int)
    land = static.land[row.clip(0, 119), column.clip(0, 159)] > 0.5
    ship = sites.kind == "ship"
    assert ship.sum() == 400 and land[~ship].mean() > 0.99 and land[ship].mean() < 0.01
    again_row, again_column = static.domain.index(sites.latitude, sites.longitude)
    np.testing.assert_allclose([again_row, again_column], [sites.row, sites.column], atol=1e-6)


def test_stations_of_real_files_stand_where_those_do(real_data):
    static = load_static(load_domain("conus"))
    table = read_observations(real_data / "sao/95031800_sao.cdf")
    table = table[table.good]
    sites = observed_sites(static, table)
    assert 500 < len(sites) == len(set(sites.station)) and set(sites.kind) == {"airport"}
    first = {name: number for number, name in reversed(list(enumerate(table.station)))}
    number = np.array([first[name] for name in sites.station])
    np.testing.assert_array_equal(sites.latitude, table.latitude[number])
    has_elevation = np.isfinite(table.elevation[number])
    np.testing.assert_array_equal(sites.elevation[has_elevation], table.elevation[number][has_elevation])
    listed = listed_sites(static, read_stations([real_data / "stations/mesoa.dat"]), "mesonet")
    assert len(listed) > 1000 and static.domain.contains(listed.latitude, listed.longitude).all()


def test_stations_elsewhere_are_refused_with_the_domains_name(static):
    elsewhere = StationList({"A": (0.0, 0.0, 5.0), "B": (-45.0, 170.0, 5.0)}, ("made",))
    with pytest.raises(InputError, match="toy: none of the 2 stations"):
        listed_sites(static, elsewhere, "airport")
