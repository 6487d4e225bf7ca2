"""Analyse: grid and points agree, and both come nearer to the truth."""

import os
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import Points
from mlrtma_dist.inference.analyse import analyse, at_reports, diagnose
from mlrtma_dist.linalg.sources import MeshField
from mlrtma_dist.methods.classical_fields import ERROR_BLOCK, _area
from mlrtma_dist.methods.evaluation import JoinedEvaluation, evaluations
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations

SEED = 5


@pytest.fixture(scope="module")
def analysed(toy):
    """All variables by 3D-Var."""
    settings = toy.settings()
    case = toy.case(settings)
    return case, analyse(case, toy.answer(case, "threedvar", settings), "threedvar")


def at_grid_points(toy, names, count=150) -> tuple[Observations, np.ndarray, np.ndarray]:
    """Exact stations at grid points, at the terrain's height, measuring the truth; their rows and columns."""
    chosen = np.random.default_rng(SEED).choice(toy.static.terrain.size, count, replace=False)
    row, column = np.unravel_index(chosen, toy.static.domain.shape)
    latitude, longitude = (a[row, column] for a in toy.static.domain.latitude_longitude())
    tables = [
        Observations.build(
            station=[f"S{i}" for i in range(count)],
            network=["exact"] * count,
            latitude=latitude,
            longitude=longitude,
            elevation=toy.static.terrain[row, column],
            time=np.full(count, toy.time),
            variable=[name] * count,
            value=toy.world.truth.values[name][row, column],
            source=["made"] * count,
        )
        for name in names
    ]
    return Observations.concatenate(tables), row, column


@pytest.mark.parametrize("method", ["threedvar", "oi", "gaussian_weights", "nearest", "first_guess"])
def test_grid_and_stations_agree_where_a_station_stands_on_a_grid_point(toy, method):
    settings = toy.settings("t2m")
    o, row, column = at_grid_points(toy, ["t2m"])
    case = toy.case(settings, o)
    answer = toy.answer(case, method, settings)
    at_stations, _ = at_reports(case, answer, np.ones(len(o), dtype=bool))
    on_grid = analyse(case, answer, method).values["t2m"][row, column]
    # local methods choose the stations of a block by its middle, 3D-Var interpolates in a block: 0.03 K at most
    limit = 0.15 if method == "oi" else 0.03
    assert np.abs(on_grid - at_stations).max() < limit
    assert np.std(at_stations - toy.world.background.values["t2m"][row, column]) > 0.5 or method == "first_guess"


@pytest.mark.parametrize("method", ["threedvar", "oi"])
def test_an_exact_station_is_believed_and_a_useless_one_is_not(toy, method):
    settings = toy.settings("t2m")
    o, _, _ = at_grid_points(toy, ["t2m"], count=60)
    for error, gain in ((1e-2, 1.0), (1e4, 0.0)):
        assumed = replace(settings.variables["t2m"], observation_error=error, huber=None)
        own = replace(settings, amplitude=False, variables={"t2m": assumed})
        case = toy.case(own, o)
        value, spread = at_reports(case, toy.answer(case, method, own), case.used)
        moved = (value - (case.value - case.departure))[case.used]
        np.testing.assert_allclose(moved, gain * case.departure[case.used], atol=0.02)
        expected = error if gain else np.sqrt(toy.covariance(case, own)["t2m"].variance)
        np.testing.assert_allclose(spread[case.used], expected, rtol=0.3 if gain else 0.01)


def test_without_observations_analysis_and_error_are_those_of_the_background(toy):
    settings = toy.settings("t2m", "visibility")
    case = toy.case(settings, toy.world.observations[:0])
    analysis = analyse(case, toy.answer(case, "threedvar", settings), "threedvar")
    covariance = toy.covariance(case, settings)
    for name in settings.variables:
        np.testing.assert_array_equal(analysis.values[name], analysis.first_guess[name])
        np.testing.assert_allclose(analysis.first_guess[name], toy.world.background.values[name], rtol=1e-5)
        np.testing.assert_allclose(analysis.error[name], np.sqrt(covariance[name].variance), rtol=1e-5)


def test_the_method_first_guess_is_the_background_itself_in_every_variable(toy):
    """Visibility and ceiling, too, whose distribution the reports would calibrate."""
    settings = toy.settings("t2m", "visibility", "ceiling", "wind_speed", "gust")
    case = toy.case(settings)
    analysis = analyse(case, toy.answer(case, "first_guess", settings), "first_guess")
    assert analysis.probability == {}
    for name in settings.variables:
        np.testing.assert_array_equal(analysis.values[name], analysis.first_guess[name])
    np.testing.assert_allclose(analysis.values["ceiling"], toy.world.background.values["ceiling"], rtol=1e-5)
    case = toy.case(
        toy.settings("visibility"), background=False
    )  # the regression knows no more than the hour's reports
    assert set(toy.answer(case, "first_guess", toy.settings("visibility")).fields().probability) == {"visibility"}


def test_the_analysis_is_nearer_to_the_truth_than_the_background_for_every_variable(toy, analysed):
    _, analysis = analysed
    for name, properties in VARIABLES.items():
        truth, background, field = (
            np.asarray(properties.to_analysis(v[name]), float)
            for v in (toy.world.truth.values, toy.world.background.values, analysis.values)
        )
        before, after = (np.sqrt(np.mean((each - truth) ** 2)) for each in (background, field))
        print(f"{name}: background {before:.3g}, analysis {after:.3g}")
        assert after < before, name
        if name in ("t2m", "d2m"):  # most of the wind is eddies smaller than the distance between stations
            assert after < 0.75 * before, name


def test_the_assumed_error_is_the_true_one_within_a_factor(toy, analysed):
    _, analysis = analysed
    for name, properties in VARIABLES.items():
        # what jumps between fog or cloud and none has an error that is no Gaussian of any width
        if name not in analysis.probability:
            truth, field = (properties.to_analysis(v[name]) for v in (toy.world.truth.values, analysis.values))
            assumed = analysis.error[name].astype(float)
            ratio = np.sqrt(np.mean((field - truth).astype(float) ** 2) / np.mean(assumed**2))
            # of a speed, eddies that no two stations share count as errors of reports
            assert 1 / 1.5 < ratio < (2.0 if name == "wind_speed" else 1.5), (name, ratio)


def test_many_threads_give_the_values_of_one(toy, monkeypatch):
    settings = toy.settings("t2m", "psfc")
    case = toy.case(settings)
    answer = toy.answer(case, "first_guess", settings)
    monkeypatch.setattr("mlrtma_dist.methods.classical_fields.BLOCK", 12)
    values = []
    for cores in (1, 8):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            values.append(analyse(case, answer, "first_guess").values)
        finally:
            sys.setswitchinterval(interval)
    for name in settings.variables:
        np.testing.assert_array_equal(values[0][name], values[1][name])


def test_a_thread_between_two_evaluations_of_another_does_not_change_its_places(toy):
    here, there = (grid_points(toy.static, slice(row, row + 5), slice(40, 45)) for row in (10, 90))
    guess = load_gridded(str(toy.background), toy.static, toy.time)
    alone, elsewhere = (guess.mean("t2m", points) for points in (here, there))
    asked = []

    class Interrupted(list):
        """The places of a first guess that are kept; once they are written, another thread evaluates other places."""

        def __setitem__(self, key, value):
            super().__setitem__(key, value)
            if not asked:
                asked.append(there)
                guess.mean("t2m", there)

    object.__setattr__(guess, "last", Interrupted())
    np.testing.assert_array_equal(guess.mean("t2m", here), alone)
    assert asked and np.abs(alone - elsewhere).max() > 0.5


def test_every_field_is_the_exact_evaluation_to_a_thousandth_of_its_range_through_a_mesh(toy):
    settings = toy.settings("t2m", "u10", "v10", "psfc", "sky_cover", "wind_speed")
    answer = toy.answer(toy.case(settings), "threedvar", settings)
    area = _area(answer.case, Box.whole(toy.static.domain.shape))
    assert isinstance(answer.fits["t2m"].within(area).sources.parts[0], MeshField)
    fields = answer.fields()
    for name, field in fields.values.items():
        for row, column in ((0, 0), (48, 96), (96, 144), (60, 70)):
            box = slice(row, row + 16), slice(column, column + 16)
            exact = VARIABLES[name].from_analysis(answer.at(name, grid_points(toy.static, *box))[0])
            assert np.abs(field[box].ravel() - exact).max() < 1e-3 * np.ptp(field), (name, box)


def test_components_that_differ_in_variance_alone_are_evaluated_once_for_all_variables(toy):
    settings = toy.settings("u10", "v10", "gust", "wind_speed", "visibility", "ceiling")
    fits = toy.answer(toy.case(settings, background=False), "threedvar", settings).fits
    parts = [part for each in evaluations(fits) for part in each.parts]
    joined = JoinedEvaluation.of(fits).joined
    assert sum(len(part.sources.parts) for part in parts) == 14
    assert len(joined.parts) == 5  # two of the wind, two of the limits, and the local one of them all
    assert [part.weight.shape[1] for part in joined.parts] == [5, 5, 20, 18, 18]


def test_blocks_meet_without_a_seam(toy):
    settings = toy.settings("t2m")
    case = toy.case(settings)
    answer = toy.answer(case, "threedvar", settings)
    points = grid_points(toy.static)
    direct = case.first_guess.mean("t2m", points) + answer.fits["t2m"].increment(points)  # too wide a block for nodes
    field = analyse(case, answer, "threedvar").values["t2m"]
    assert np.abs(field - direct.reshape(field.shape)).max() < 0.03
    seam = np.abs(np.diff(field - direct.reshape(field.shape), axis=1))[:, 47]
    assert seam.max() < 0.03


def test_the_error_field_is_the_fits_own_and_falls_near_stations(toy, monkeypatch):
    settings = toy.settings("t2m")
    case = toy.case(settings)
    answer = toy.answer(case, "threedvar", settings)
    coarse = analyse(case, answer, "threedvar").error["t2m"]
    monkeypatch.setattr("mlrtma_dist.methods.classical_fields.ERROR_SPACING", 5e3)  # every grid point
    full = analyse(case, answer, "threedvar").error["t2m"]
    box = slice(ERROR_BLOCK, 2 * ERROR_BLOCK), slice(2 * ERROR_BLOCK, 3 * ERROR_BLOCK)  # one of the method's own blocks
    own = answer.fits["t2m"].error(grid_points(toy.static, *box)).reshape(ERROR_BLOCK, ERROR_BLOCK)
    np.testing.assert_allclose(full[box], own, rtol=1e-4)
    assert full.max() <= np.sqrt(toy.covariance(case, settings)["t2m"].variance) * 1.001
    assert np.sqrt(np.mean((coarse - full) ** 2)) < 0.15 * full.mean()  # interpolated over 40 km of terrain
    row, column = toy.static.domain.index(case.points.latitude, case.points.longitude)
    near = full[np.rint(row[case.used]).astype(int), np.rint(column[case.used]).astype(int)]
    assert near.mean() < 0.9 * full[toy.static.land < 0.5].mean()


@dataclass(frozen=True)
class Uncertain:
    """A first guess with a spread of its own, which differs from place to place."""

    guess: object
    name = "uncertain"

    @property
    def variables(self) -> frozenset[str]:
        return self.guess.variables

    def mean(self, variable: str, points: Points) -> np.ndarray:
        return self.guess.mean(variable, points)

    def spread(self, variable: str, points: Points) -> np.ndarray:
        return 1.0 + 0.5 * np.sin(points.longitude)


def test_the_spread_of_the_first_guess_is_part_of_the_error_at_stations_and_on_the_grid(toy, monkeypatch):
    monkeypatch.setattr("mlrtma_dist.methods.classical_fields.ERROR_SPACING", 5e3)  # every grid point
    settings = toy.settings("t2m")
    certain = toy.case(settings)
    uncertain = replace(certain, first_guess=Uncertain(certain.first_guess))
    answers = [toy.answer(case, "threedvar", settings) for case in (certain, uncertain)]
    at_stations = [
        at_reports(case, answer, case.used)[1][case.used]
        for case, answer in zip((certain, uncertain), answers, strict=True)
    ]
    used = certain.points[certain.used]
    np.testing.assert_allclose(at_stations[1], np.hypot(at_stations[0], uncertain.first_guess.spread("t2m", used)))
    grids = [answer.fields().error["t2m"] for answer in answers]
    spread = uncertain.first_guess.spread("t2m", grid_points(toy.static)).reshape(toy.static.domain.shape)
    np.testing.assert_allclose(grids[1], np.hypot(grids[0], spread), rtol=1e-5)
    assert np.ptp(spread) > 0.5 and (grids[1] > grids[0]).all()


def test_the_departures_are_reports_minus_analysis(toy, analysed):
    case, analysis = analysed
    settings = toy.settings()
    answer = toy.answer(case, "threedvar", settings)
    diagnosed = diagnose(case, answer, "threedvar")
    np.testing.assert_array_equal(diagnosed.analysis_departure, analysis.analysis_departure)
    np.testing.assert_array_equal(analysis.background_departure, case.departure)
    used = case.used
    assert np.isfinite(analysis.analysis_departure[used]).all() and np.isnan(analysis.analysis_departure[~used]).all()
    weight = analysis.weight
    assert ((weight[used] > 0) & (weight[used] <= 1)).all() and np.isnan(weight[~used]).all()
    for name in ("t2m", "u10", "psfc"):
        rows = used & (analysis.observations.variable == name)
        assert np.std(analysis.analysis_departure[rows]) < np.std(analysis.background_departure[rows])
        assert (analysis.observation_error[rows] == answer.assumed[name].observation_error).all()
    assert np.isnan(analysis.observation_error[~used]).all()
    assert (analysis.method, analysis.first_guess_name) == ("threedvar", case.first_guess.name)


def test_a_whole_analysis_is_consistent(analysed):
    _, analysis = analysed
    assert (analysis.values["d2m"] <= analysis.values["t2m"]).all()
    assert (analysis.values["gust"] >= np.hypot(analysis.values["u10"], analysis.values["v10"]) - 1e-5).all()
    for name, field in analysis.values.items():
        low, high = VARIABLES[name].valid
        assert ((field >= np.float32(low)) & (field <= np.float32(high))).all(), name


def test_progress_is_reported_from_little_to_all(toy):
    settings = toy.settings("t2m")
    case, calls = toy.case(settings), []
    answer = toy.answer(case, "nearest", settings)
    analyse(case, answer, "nearest", progress=lambda name, share: calls.append((name, share)))
    shares = [share for _, share in calls]
    assert {name for name, _ in calls} == {"t2m"} and shares == sorted(shares)
    assert shares[-1] == 1.0 and shares[0] < 0.3
