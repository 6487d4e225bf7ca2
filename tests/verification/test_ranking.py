"""Ranking: a method is called the best only where it is, and methods that are one line are drawn once."""

import numpy as np
import pytest

from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, Matches
from mlrtma_dist.verification.ranking import Ranking, alike
from mlrtma_dist.verification.scores import score_table


def matches_of(errors: dict[str, np.ndarray]) -> Matches:
    """Matches of 2 m temperature with these errors by method, shape (n,) each."""
    tables = []
    for method, error in errors.items():
        observation = np.linspace(270.0, 300.0, len(error))
        station = [f"S{number}" for number in range(len(error))]
        tables.append(
            Matches.build(
                method=method, variable="t2m", station=station, observation=observation, prediction=observation + error
            )
        )
    return Matches.concatenate(tables)


def ranking_of(matches: Matches) -> Ranking:
    return Ranking.of(matches, [row for row in score_table(matches) if row.region == "all"], matches.station)


@pytest.fixture
def error():
    return np.random.default_rng(8).normal(size=200)


def test_one_method_that_errs_clearly_less_is_the_best_even_the_first_guess(error):
    ranking = ranking_of(matches_of({"oi": 1.3 * error, FIRST_GUESS: error, NEAREST: 2.0 * error}))
    assert ranking.decided and ranking.best == (FIRST_GUESS,)
    assert [row.method for row in ranking.scores] == [FIRST_GUESS, "oi", NEAREST]
    assert ranking.differences["oi"].difference == pytest.approx(0.3 * np.sqrt(np.mean(error**2)))


def test_methods_that_chance_may_have_ordered_are_all_among_the_best(error):
    other = np.random.default_rng(9).permutation(error) * 1.001
    ranking = ranking_of(matches_of({"oi": error, "gaussian_weights": other, NEAREST: 2.0 * error}))
    assert ranking.decided and set(ranking.best) == {"oi", "gaussian_weights"}


def test_of_too_few_stations_nothing_is_decided():
    ranking = ranking_of(matches_of({"oi": np.full(4, 0.1), FIRST_GUESS: np.full(4, 9.0)}))
    assert not ranking.decided and ranking.best == ("oi",)


def test_methods_are_one_line_where_they_predict_alike_not_where_they_only_err_alike(error):
    small = 0.08 * np.random.default_rng(2).normal(size=200)
    matches = matches_of({"oi": error, "threedvar": error + small, "letkf": error[::-1], FIRST_GUESS: 1.1 * error})
    methods = ["threedvar", "letkf", "oi", FIRST_GUESS]
    assert alike(matches, methods) == {
        "threedvar": ("threedvar", "oi"),
        "letkf": ("letkf",),
        FIRST_GUESS: (FIRST_GUESS,),
    }
    fewer = Matches.concatenate([matches.select(method="oi"), matches_of({"threedvar": error[:150]})])
    assert len(alike(fewer, ["oi", "threedvar"])) == 2
