"""Analyse: the grid says what the points say, and both come nearer to the truth."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.inference.analyse import ERROR_BLOCK, analyse, at_reports, diagnose, solve
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations

SEED = 5


@pytest.fixture(scope="module")
def analysed(toy):
    """All variables by 3D-Var."""
    settings = toy.settings()
    problem = toy.pose(settings)
    return problem, analyse(problem, solve(problem, "threedvar", settings), settings, "threedvar")


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
def test_the_grid_says_at_a_grid_point_what_a_station_there_is_told(toy, method):
    settings = toy.settings("t2m")
    o, row, column = at_grid_points(toy, ["t2m"])
    problem = toy.pose(settings, o)
    fits = solve(problem, method, settings)
    at_stations, _ = at_reports(problem, fits, np.ones(len(o), dtype=bool))
    on_grid = analyse(problem, fits, settings, method).values["t2m"][row, column]
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
        problem = toy.pose(own, o)
        value, spread = at_reports(problem, solve(problem, method, own), problem.used)
        moved = (value - (problem.value - problem.departure))[problem.used]
        np.testing.assert_allclose(moved, gain * problem.departure[problem.used], atol=0.02)
        expected = error if gain else np.sqrt(problem.covariance["t2m"].variance)
        np.testing.assert_allclose(spread[problem.used], expected, rtol=0.3 if gain else 0.01)


def test_without_observations_analysis_and_error_are_those_of_the_background(toy):
    settings = toy.settings("t2m", "visibility")
    problem = toy.pose(settings, toy.world.observations[:0])
    made = analyse(problem, solve(problem, "threedvar", settings), settings, "threedvar")
    for name in settings.variables:
        np.testing.assert_array_equal(made.values[name], made.first_guess[name])
        np.testing.assert_allclose(made.first_guess[name], toy.world.background.values[name], rtol=1e-5)
        np.testing.assert_allclose(made.error[name], np.sqrt(problem.covariance[name].variance), rtol=1e-5)


def test_the_analysis_is_nearer_to_the_truth_than_the_background_for_every_variable(toy, analysed):
    _, made = analysed
    for name, known in VARIABLES.items():
        truth, background, analysis = (
            np.asarray(known.to_analysis(v[name]), float)
            for v in (toy.world.truth.values, toy.world.background.values, made.values)
        )
        before, after = (np.sqrt(np.mean((field - truth) ** 2)) for field in (background, analysis))
        print(f"{name}: background {before:.3g}, analysis {after:.3g}")
        assert after < before, name
        if name in ("t2m", "d2m"):  # most of the wind is eddies smaller than the stations are apart
            assert after < 0.75 * before, name


def test_the_assumed_error_is_the_true_one_within_a_factor(toy, analysed):
    _, made = analysed
    for name, known in VARIABLES.items():
        # a ceiling jumps between cloud and none: its error is no Gaussian of any width
        if name != "ceiling":
            truth, analysis = (known.to_analysis(v[name]) for v in (toy.world.truth.values, made.values))
            assumed = made.error[name].astype(float)
            ratio = np.sqrt(np.mean((analysis - truth).astype(float) ** 2) / np.mean(assumed**2))
            assert 1 / 1.5 < ratio < 1.5, (name, ratio)


def test_many_threads_say_what_one_says(toy, monkeypatch):
    settings = toy.settings("t2m", "psfc")
    problem = toy.pose(settings)
    fits = solve(problem, "first_guess", settings)
    monkeypatch.setattr("mlrtma_dist.inference.analyse.BLOCK", 12)
    found = []
    for cores in (1, 8):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            found.append(analyse(problem, fits, settings, "first_guess").values)
        finally:
            sys.setswitchinterval(interval)
    for name in settings.variables:
        np.testing.assert_array_equal(found[0][name], found[1][name])


def test_a_thread_that_asks_in_between_is_not_answered_with_anothers_place(toy):
    here, there = (grid_points(toy.static, slice(row, row + 5), slice(40, 45)) for row in (10, 90))
    guess = load_gridded(str(toy.background), toy.static, toy.time)
    alone, elsewhere = (guess.mean("t2m", points) for points in (here, there))
    asked = []

    class Interrupted(list):
        """What a first guess remembers; as soon as it is written, another thread asks for another place."""

        def __setitem__(self, key, value):
            super().__setitem__(key, value)
            if not asked:
                asked.append(there)
                guess.mean("t2m", there)

    object.__setattr__(guess, "last", Interrupted())
    np.testing.assert_array_equal(guess.mean("t2m", here), alone)
    assert asked and np.abs(alone - elsewhere).max() > 0.5


def test_blocks_meet_without_a_seam(toy):
    settings = toy.settings("t2m")
    problem = toy.pose(settings)
    fits = solve(problem, "threedvar", settings)
    points = grid_points(toy.static)
    direct = problem.first_guess.mean("t2m", points) + fits["t2m"].increment(points)  # too wide a block for nodes
    made = analyse(problem, fits, settings, "threedvar").values["t2m"]
    assert np.abs(made - direct.reshape(made.shape)).max() < 0.03
    seam = np.abs(np.diff(made - direct.reshape(made.shape), axis=1))[:, 47]
    assert seam.max() < 0.03


def test_the_error_field_is_the_fits_own_and_falls_near_stations(toy, monkeypatch):
    settings = toy.settings("t2m")
    problem = toy.pose(settings)
    fits = solve(problem, "threedvar", settings)
    coarse = analyse(problem, fits, settings, "threedvar").error["t2m"]
    monkeypatch.setattr("mlrtma_dist.inference.analyse.ERROR_SPACING", 5e3)  # every grid point
    full = analyse(problem, fits, settings, "threedvar").error["t2m"]
    box = slice(ERROR_BLOCK, 2 * ERROR_BLOCK), slice(2 * ERROR_BLOCK, 3 * ERROR_BLOCK)  # one of analyse's own blocks
    own = fits["t2m"].error(grid_points(toy.static, *box)).reshape(ERROR_BLOCK, ERROR_BLOCK)
    np.testing.assert_allclose(full[box], own, rtol=1e-4)
    assert full.max() <= np.sqrt(problem.covariance["t2m"].variance) * 1.001
    assert np.sqrt(np.mean((coarse - full) ** 2)) < 0.15 * full.mean()  # interpolated over 40 km of terrain
    row, column = toy.static.domain.index(problem.points.latitude, problem.points.longitude)
    near = full[np.rint(row[problem.used]).astype(int), np.rint(column[problem.used]).astype(int)]
    assert near.mean() < 0.9 * full[toy.static.land < 0.5].mean()


def test_the_departures_are_what_was_measured_minus_what_is_said(toy, analysed):
    problem, made = analysed
    diagnosed = diagnose(problem, solve(problem, "threedvar", toy.settings()), toy.settings(), "threedvar")
    np.testing.assert_array_equal(diagnosed.analysis_departure, made.analysis_departure)
    np.testing.assert_array_equal(made.background_departure, problem.departure)
    used = problem.used
    assert np.isfinite(made.analysis_departure[used]).all() and np.isnan(made.analysis_departure[~used]).all()
    assert ((made.weight[used] > 0) & (made.weight[used] <= 1)).all() and np.isnan(made.weight[~used]).all()
    for name in ("t2m", "u10", "psfc"):
        rows = used & (made.observations.variable == name)
        assert np.std(made.analysis_departure[rows]) < np.std(made.background_departure[rows])
    assert (made.method, made.first_guess_name) == ("threedvar", problem.first_guess.name)


def test_a_whole_analysis_is_consistent(analysed):
    _, made = analysed
    assert (made.values["d2m"] <= made.values["t2m"]).all()
    assert (made.values["gust"] >= np.hypot(made.values["u10"], made.values["v10"]) - 1e-5).all()
    for name, field in made.values.items():
        low, high = VARIABLES[name].valid
        assert ((field >= np.float32(low)) & (field <= np.float32(high))).all(), name


def test_progress_is_told_from_little_to_all(toy):
    settings = toy.settings("t2m")
    problem, told = toy.pose(settings), []
    fits = solve(problem, "nearest", settings)
    analyse(problem, fits, settings, "nearest", progress=lambda name, share: told.append((name, share)))
    shares = [share for _, share in told]
    assert {name for name, _ in told} == {"t2m"} and shares == sorted(shares) and shares[-1] == 1.0 and shares[0] < 0.3
