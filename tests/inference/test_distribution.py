"""Distribution: quantiles and probabilities of members and of Gaussians, beside what is known of both."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.distribution import check_limits, distribution_of, members_of
from mlrtma_dist.inference.ensemble_section import Distribution, EnsembleSection
from mlrtma_dist.methods.method import Fields

SHAPE = (100, 200)
NO_FIELDS = Fields({})


def case_of(shape=SHAPE):
    return SimpleNamespace(box=Box.whole(shape), static=SimpleNamespace(terrain=np.full(shape, 500.0)))


def drawing(members: dict[str, np.ndarray]):
    """An answer that has these members."""
    return SimpleNamespace(members_of=lambda fields, share: members)


def of(members, section: EnsembleSection, fields: Fields = NO_FIELDS) -> Distribution:
    return of_answer(drawing(members), fields, section, next(iter(members.values())).shape[1:])[0]


def of_answer(answer, fields: Fields, section: EnsembleSection, shape: tuple[int, int] = (2, 3)):
    return distribution_of(case_of(shape), members_of(answer, fields), fields, section)


def test_a_further_draw_lies_below_a_quantile_of_members_as_often_as_its_level_says():
    draws = np.random.default_rng(1).gamma(2.0, 3.0, (20, *SHAPE)).astype(np.float32)
    levels = (0.05, 0.1, 0.5, 0.9, 0.95)
    distribution = of({"t2m": draws[1:]}, EnsembleSection(quantiles=levels))
    assert distribution.count == 19 and distribution.drawn == {"t2m"}
    assert distribution.quantiles["t2m"].dtype == np.float32
    shares = (draws[0] < distribution.quantiles["t2m"]).mean((1, 2))
    np.testing.assert_allclose(shares, levels, atol=4.0 * 0.5 / np.sqrt(draws[0].size))


def test_a_probability_is_the_share_of_the_members_at_or_above_a_limit_or_below_it_and_missing_where_one_is():
    members = np.array([1.0, 2.0, 2.0, 5.0], np.float32)[:, None, None] * np.ones((1, 3, 4), np.float32)
    members[2, 1, 1] = np.nan
    section = EnsembleSection(above={"gust": (2.0, 6.0)}, below={"gust": (2.0,)})
    distribution = of({"gust": members}, section)
    expected = np.full((3, 3, 4), [[[0.75]], [[0.0]], [[0.25]]])
    expected[:, 1, 1] = np.nan
    np.testing.assert_array_equal(distribution.above["gust"], expected[:2])
    np.testing.assert_array_equal(distribution.below["gust"], expected[2:])


def test_speed_and_humidity_are_those_of_each_member_and_not_of_the_means():
    generator = np.random.default_rng(2)
    members = {name: generator.normal(0.0, 7.0, (10, 4, 5)).astype(np.float32) for name in ("u10", "v10")}
    members["t2m"] = generator.normal(290.0, 2.0, (10, 4, 5)).astype(np.float32)
    members["d2m"] = members["t2m"] - np.float32(1.0)
    limits = {"wind_speed": (10.0,), "relative_humidity": (0.9,)}
    distribution = of(members, EnsembleSection(quantiles=(0.5,), above=limits))
    speed = np.hypot(members["u10"], members["v10"])
    np.testing.assert_array_equal(distribution.above["wind_speed"][0], (speed >= 10.0).mean(0).astype(np.float32))
    np.testing.assert_allclose(distribution.quantiles["wind_speed"][0], np.median(speed, 0), rtol=1e-6)
    assert (distribution.above["relative_humidity"] == 1.0).all()  # 1 K of depression is 94 %


def test_without_members_they_are_those_of_a_gaussian_in_analysis_space():
    value = {"t2m": np.full((2, 3), 272.0, np.float32), "visibility": np.full((2, 3), 2000.0, np.float32)}
    error = {"t2m": np.full((2, 3), 2.0, np.float32), "visibility": np.full((2, 3), 0.5, np.float32)}
    section = EnsembleSection(
        quantiles=(0.1, 0.5), above={"t2m": (273.15,)}, below={"visibility": (1000.0, 3000.0)}, members=True
    )
    distribution, notes = of_answer(SimpleNamespace(), Fields(value, error=error), section)
    np.testing.assert_allclose(distribution.quantiles["t2m"][:, 0, 0], norm.ppf((0.1, 0.5), 272.0, 2.0), rtol=1e-6)
    logarithms = norm.ppf((0.1, 0.5), np.log(2000.0), 0.5)
    np.testing.assert_allclose(distribution.quantiles["visibility"][:, 1, 2], np.exp(logarithms), rtol=1e-5)
    np.testing.assert_allclose(distribution.above["t2m"][0], norm.sf(273.15, 272.0, 2.0), rtol=1e-5)
    shares = norm.cdf(np.log((1000.0, 3000.0)), np.log(2000.0), 0.5)
    np.testing.assert_allclose(distribution.below["visibility"][:, 0, 0], shares, rtol=1e-5)
    assert distribution.drawn == frozenset() and notes == ("no members: the method draws none",)


def test_what_is_not_analysed_is_said_and_a_distribution_of_its_own_is_no_gaussian():
    fields = {"visibility": np.full((2, 3), 2000.0, np.float32)}
    probability = {"visibility": np.full((4, 2, 3), 0.5, np.float32)}
    section = EnsembleSection(quantiles=(0.5,), above={"gust": (10.0, 15.0)}, below={"visibility": (1600.0, 2000.0)})
    distribution, notes = of_answer(SimpleNamespace(), Fields(fields, error=fields, probability=probability), section)
    assert not any(distribution.groups.values())
    assert notes == (
        "no quantiles: the method has neither members nor a Gaussian error",
        "no probability of gust above 10, 15: its distribution there is not analysed",
        "no probability of visibility below 2000: its distribution there is not analysed",  # of 1600 it has one
    )


def test_variables_without_members_beside_those_that_have_some_are_gaussian():
    fields = {name: np.full((4, 5), 280.0, np.float32) for name in ("t2m", "d2m")}
    members = {"t2m": np.random.default_rng(3).normal(280.0, 1.0, (10, 4, 5)).astype(np.float32)}
    error = {"d2m": np.full((4, 5), 2.0, np.float32)}
    distribution = of(members, EnsembleSection(quantiles=(0.9,)), Fields(fields, error=error))
    assert distribution.drawn == {"t2m"} and set(distribution.quantiles) == {"t2m", "d2m"}
    np.testing.assert_allclose(distribution.quantiles["d2m"], norm.ppf(0.9, 280.0, 2.0), rtol=1e-6)


def test_no_second_copy_of_the_members_is_made():
    members = {name: np.ones((30, 400, 500), np.float32) for name in ("u10", "v10")}
    section = EnsembleSection(quantiles=(0.5,), above={"wind_speed": (10.0,)}, members=True)
    tracemalloc.start()
    distribution = of(members, section)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.6 * members["u10"].nbytes  # five fields remain, and some rows of all members on the way
    assert distribution.members["u10"] is members["u10"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"quantiles": (0.5, 1.0)}, "quantiles: expected levels between 0 and 1, each once, got"),
        ({"quantiles": (0.5, 0.5)}, "each once"),
        ({"above": {"t2m": ()}}, "ensemble.above.t2m: expected finite limits"),
        ({"below": {"t2m": (1.0, 1.0)}}, "ensemble.below.t2m: expected finite limits, each once"),
    ],
)
def test_levels_and_limits_that_cannot_be_are_refused(keys, expected):
    with pytest.raises(ValueError, match=expected):
        EnsembleSection(**keys)


def test_a_limit_of_an_unknown_variable_is_refused_by_name():
    check_limits(EnsembleSection(above={"wind_speed": (1.0,), "relative_humidity": (0.5,), "h": (1.0,)}), ("h",))
    with pytest.raises(ValueError, match=r"ensemble.below: expected some of t2m, .*, got 'temperature'"):
        check_limits(EnsembleSection(below={"temperature": (273.15,)}))
