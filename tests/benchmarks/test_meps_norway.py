"""The benchmark of MEPS: what it scores, what it withholds, and the deviation it gives to methods that expect none."""

import pathlib
import sys
from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.methods.registry import Means
from mlrtma_dist.verification.crps import crps_ensemble
from mlrtma_dist.verification.match import Matches

BENCHMARKS = str(pathlib.Path(__file__).parents[2] / "benchmarks")


@pytest.fixture(scope="module", autouse=True)
def benchmarks_path():
    sys.path.insert(0, BENCHMARKS)
    yield
    sys.path.remove(BENCHMARKS)


def test_a_method_without_an_error_has_that_of_its_errors_in_the_other_parts():
    from meps_norway import dressed

    table = Matches.build(
        method="nearest",
        variable="t2m",
        station=np.array(["a", "b", "c", "d"]),
        fold=np.array([0, 0, 1, 1]),
        observation=np.zeros(4),
        prediction=np.array([1.0, -1.0, 2.0, -2.0]),
        spread=np.zeros(4),
        observation_error=0.5,
    )
    np.testing.assert_allclose(dressed(table).deviation, [2.0, 2.0, 1.0, 1.0])
    own = replace(table, spread=np.full(4, 0.3), observation_error=np.full(4, 0.4))
    np.testing.assert_allclose(dressed(own).deviation, 0.5)


@pytest.fixture(scope="module")
def hour(real_data):
    from meps_norway import open_hour

    from mlrtma_dist.methods.settings import load_settings

    settings = load_settings("classical", ("t2m",))
    return open_hour(settings), settings


@pytest.mark.slow
def test_every_station_of_the_domain_is_scored_once_and_an_analysis_is_nearer_than_the_members_mean(hour):
    from meps_norway import RAW, match_all

    opened, settings = hour
    matches = match_all(opened, Means(settings), ("first_guess", "gaussian_weights"))
    first, analysis, raw = (matches.select(method=name) for name in ("first_guess", "gaussian_weights", RAW))
    assert len(first) == len(analysis) == len(raw) == len(set(raw.station)) > 65
    assert opened.static.domain.contains(raw.latitude, raw.longitude).all()
    np.testing.assert_allclose(raw.prediction, first.prediction, atol=1e-6)
    assert np.mean(analysis.error**2) < 0.95 * np.mean(first.error**2)
    assert (raw.crps <= np.abs(raw.error) + 3 * raw.spread).all() and (raw.crps > 0).all()


@pytest.mark.slow
def test_the_raw_ensembles_score_is_that_of_its_members_at_the_stations(hour):
    from meps_norway import match_all

    from mlrtma_dist.fields.static import station_points

    opened, settings = hour
    raw = match_all(opened, Means(settings), ("first_guess",)).select(method="raw ensemble")
    points = station_points(opened.static, raw.latitude, raw.longitude, raw.elevation)
    values = np.stack([member.mean("t2m", points) for member in opened.members.members])
    assert values.shape[0] == 10
    np.testing.assert_allclose(raw.crps, crps_ensemble(values, raw.observation))
    np.testing.assert_allclose(raw.spread**2, values.var(axis=0, ddof=1) * 1.1)


def test_stations_have_their_values_in_si_and_their_networks(real_data):
    from meps_norway import read_stations

    table = read_stations()
    near = table.station == "SN10380:0"
    assert set(table.network[near]) == {"wmo"} and table.value[near & (table.variable == "t2m")] == pytest.approx(
        260.35
    )
    assert set(table.network) == {"wmo", "met", "other", "smhi"}
    assert len(table[table.variable == "t2m"]) == 579
