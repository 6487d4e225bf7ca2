"""Members of the posterior: on tiles, beside the exact posterior, by other operators, within some seconds."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from denoised_plane import CASES, HERE, PLANE, SMALL, WHOLE, GaussianNetwork, method_of
from invented import plane

from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.deadline import within
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.ensemble_answer import EnsembleAnswer
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.team import Team
from mlrtma_dist.parallel.memory import Meeting, run_tiles
from mlrtma_dist.parallel.tile import TileError


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(members=3, steps=2, at_once=2, warm_start=2.0, guidance="jfps"),
        Sampling(members=2, steps=2, warm_start=None, guidance="mmps", iterations=2, sampler="stochastic"),
        Sampling(members=2, steps=3, guidance="pigdm", sampler="dpm"),
        Sampling(members=2, steps=0),
    ],
    ids=lambda sampling: f"{sampling.guidance} {sampling.steps}",
)
def test_members_on_tiles_are_those_of_one_rank(sampling):
    method = method_of(replace(SMALL, widths=(8, 8))).drawing(sampling)
    case = CASES.case(2, WHOLE)

    def work(here):
        own = CASES.case(2, here.box)
        answer = method.analyse(own, here)
        return here.box, answer.members["field"], answer.at("field", own.points)[0]

    alone = method.analyse(case)
    fields = alone.members["field"]
    for table in ((1, 2), (2, 2)):
        parts = run_tiles(PLANE.shape, table, work, periodic=(True, True))
        at = np.nansum([points for _, _, points in parts], axis=0)
        for box, part, _ in parts:
            np.testing.assert_allclose(part, fields[:, *box.slices], atol=1e-4 * np.ptp(fields))
        np.testing.assert_allclose(at, alone.at("field", case.points)[0], atol=1e-4 * np.ptp(fields))


@pytest.mark.parametrize("count", [2, 3])
def test_members_that_a_team_divides_are_those_of_one_rank_and_each_has_all_of_its_rows(count):
    sampling = Sampling(members=5, steps=2, at_once=2, guidance="jfps")
    case = replace(CASES.case(2, WHOLE), truth=None)
    alone = method_of().drawing(sampling).analyse(case)
    meeting = Meeting(count)

    def work(number: int):
        def exchange(objects):
            return [sent[number] for sent in meeting.swap(number, "members", objects)]

        method = method_of().drawing(sampling)
        method.divided(Team(number, count, exchange, lambda cost: max(meeting.swap(number, "cost", cost))))
        return method.analyse(case)

    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(work, range(count)))
    assert [each.case.box.y0 for each in answers] == [32 * number // count for number in range(count)]
    scale = 1e-4 * np.ptp(alone.members["field"])
    for answer in answers:
        rows, box = answer.case.box.slices[0], answer.case.box
        np.testing.assert_allclose(answer.members["field"], alone.members["field"][:, rows], atol=scale)
        np.testing.assert_allclose(answer.fields().values["field"], alone.fields().values["field"][rows], atol=scale)
        np.testing.assert_allclose(answer.fields().error["field"], alone.fields().error["field"][rows], atol=scale)
        own = box.owns(np.floor(case.grid_place + 0.5).astype(int) % 32)
        for one, other in zip(answer.at("field", case.points), alone.at("field", case.points), strict=True):
            np.testing.assert_allclose(one[own], other[own], atol=scale)
            assert np.isnan(one[~own]).all()


def test_every_member_is_drawn_by_one_rank_in_equally_many_batches_and_too_few_rows_are_refused():
    for members, count, at_once in ((20, 3, 4), (2, 4, 10), (7, 2, 1), (8, 1, 3)):
        batches = [Team(number, count).batches(members, at_once) for number in range(count)]
        assert len({len(each) for each in batches}) == 1
        numbers = [number for each in batches for batch in each for number in batch]
        assert sorted(numbers) == list(range(members)) and max(len(b) for each in batches for b in each) <= at_once
    with pytest.raises(TileError, match=r"2 points in y .* fewer than 3 ranks"):
        Team(0, 3).boxes(Box(4, 6, 0, 10))


def test_members_are_held_once():
    count, shape = 30, (256, 256)
    case = replace(plane_case(shape), first_guess=None, background={})

    def batches():
        for first in range(0, count, 3):
            yield range(first, first + 3), {"field": np.full((3, *shape), first, np.float32)}

    tracemalloc.start()
    answer = EnsembleAnswer.of(case, count, batches(), np.full(len(case.used), np.nan), None)
    assert float(answer.error["field"][0, 0]) > 0.0
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.5 * answer.members["field"].nbytes


@pytest.mark.parametrize(("guidance", "steps"), [("jfps", 8), ("mmps", 8), ("jfps", 0)])
def test_with_the_exact_denoiser_the_members_are_those_of_the_exact_posterior(guidance, steps):
    method = method_of()
    method.network = GaussianNetwork()
    method.drawing(Sampling(members=160, steps=steps, guidance=guidance, sampler="dpm", at_once=160, iterations=8))
    bayes = OptimalAnalysis.bayes(*PLANE.covariances, PLANE.observation_error)
    case = CASES.case(3, WHOLE)
    places = case.place.astype(int)
    mean = bayes.analyse(case.background["field"].astype(float), places, case.observations.value)
    error = bayes.error(places)
    answer = method.analyse(case)
    fields = answer.fields()
    sampled = np.sqrt(np.mean((fields.values["field"] - mean) ** 2))
    assert sampled < 0.2 * np.sqrt(np.mean(error**2))  # of members alone: 0.08
    assert np.sqrt(np.mean(fields.error["field"] ** 2) / np.mean(error**2)) == pytest.approx(1.0, abs=0.05)
    value, spread = answer.at("field", case.points)
    np.testing.assert_allclose(value, fields.values["field"][tuple(places.T)], atol=1e-5)
    np.testing.assert_allclose(spread, fields.error["field"][tuple(places.T)], atol=1e-5)
    assert (answer.observation_error == PLANE.observation_error).all() and (answer.weight == 1.0).all()


def plane_case(shape):
    """A case of the plane on so many points."""
    return replace(PLANE, size=shape[0]).on(plane(shape, periodic=True), count=1).case(0, Box.whole(shape))


CASE = CASES.case(0, WHOLE, withheld=np.ones(PLANE.observations, bool))


def prior_mean() -> torch.Tensor:
    """Of the departures of the case, without a report."""
    condition = method_of().encode(CASE).inputs
    return GaussianNetwork()(torch.zeros(1, 1, 32, 32), torch.tensor([1e4]), condition, HERE)[0, 0].detach()


def with_others(value: float, error: float, operator, **sampling) -> torch.Tensor:
    """Members of the posterior of the case without reports, given one more observation of the departures."""
    method = method_of()
    method.network = GaussianNetwork()
    posterior, _ = method.posterior(CASE, method.assumed_errors(CASE))
    others = Observed(torch.tensor([value]), torch.tensor([error**2]), operator, lambda tensor: tensor)
    chosen = Sampling(members=100, at_once=100, warm_start=None, **{"steps": 16, "guidance": "mmps", **sampling})
    return replace(posterior, others=others).members(chosen)[:, 0]


def test_an_areal_mean_which_training_never_saw_is_assimilated_exactly():
    prior = prior_mean()
    members = with_others(1.0, 0.1, lambda field: field[:, 0, 4:12, 4:12].mean((1, 2))[:, None])
    left = OptimalAnalysis.bayes(*PLANE.covariances, 1.0).covariance.apply(np.eye(32**2).reshape(-1, 32, 32)) / 0.16
    weights = np.zeros((32, 32))
    weights[4:12, 4:12] = 1.0 / 64.0
    across = np.tensordot(left.reshape(32**2, -1), weights.ravel(), 1)
    gain = across / (across @ weights.ravel() + 0.01)
    expected = prior.numpy() + (gain * (1.0 - float((prior.numpy() * weights).sum()))).reshape(32, 32)
    assert np.sqrt(np.mean((members.mean(0).numpy() - expected) ** 2)) < 0.2  # of 100 members of deviation 0.8: 0.08
    means = members[:, 4:12, 4:12].mean((1, 2))
    assert float(means.mean()) == pytest.approx(float((expected * weights).sum()), abs=0.04)
    assert float(means.std()) == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize(
    ("sampling", "least", "most"),
    [
        ({"guidance": "sda", "sampler": "stochastic", "steps": 48}, 0.5, 1.5),
        ({"guidance": "mmps", "sampler": "stochastic", "steps": 32}, 0.3, 1.3),  # it favours the nearer of two modes
    ],
    ids=["sda", "mmps"],
)
def test_a_magnitude_without_a_sign_leaves_members_of_both_signs(sampling, least, most):
    prior = prior_mean()
    row, column = divmod(int((prior.abs() - 0.15).abs().argmin()), 32)
    at = with_others(2.0, 0.1, lambda d: d[:, 0, row, column].square().add(1e-6).sqrt()[:, None], **sampling)
    at = at[:, row, column]
    assert float((at.abs() - 2.0).abs().median()) < 0.12
    variance = OptimalAnalysis.bayes(*PLANE.covariances, 1.0).covariance.variance / 0.16
    expected = 1.0 / (1.0 + np.exp(-2.0 * 2.0 * float(prior[row, column]) / variance))  # P(+2) over P(+2) + P(-2)
    assert least * expected < float((at > 0).double().mean()) < most * expected


def test_other_observations_are_refused_where_they_would_have_no_effect():
    with pytest.raises(InputError, match="jfps takes reports at points alone"):
        with_others(1.0, 0.1, lambda field: field[:, 0, 0, :1], guidance="jfps")


def test_without_reports_members_are_of_the_distribution_given_the_background():
    method = method_of()
    method.network = GaussianNetwork()
    method.drawing(Sampling(members=60, steps=8, guidance="jfps", sampler="dpm", at_once=60))
    case = CASES.case(0, WHOLE, withheld=np.ones(PLANE.observations, bool))
    fields = method.analyse(case).fields()
    assert np.isnan(method.analyse(case).observation_error).all()
    expected = OptimalAnalysis.bayes(*PLANE.covariances, PLANE.observation_error).covariance.variance
    assert np.mean(fields.error["field"] ** 2) == pytest.approx(expected, rel=0.1)


def test_what_is_ready_in_time_is_fewer_steps_then_none_then_fewer_members():
    sampling = Sampling(members=20, steps=8, at_once=10, sampler="dpm", seconds=100.0)  # two batches
    chosen = {
        cost: (each.steps, each.members)
        for cost in ((0.1, 1.0), (1.0, 8.0), (1.0, 46.0), (1.0, 60.0), (30.0, 1.0), (50.0, 1.0), (200.0, 9.0))
        for each in [within(sampling, *cost)]
    }
    assert chosen == {
        (0.1, 1.0): (8, 20),
        (1.0, 8.0): (5, 20),  # 2 (1 + 5 * 8) = 82 of the 91 s that are left, 6 steps would take 98
        (1.0, 46.0): (0, 20),
        (1.0, 60.0): (0, 20),
        (30.0, 1.0): (4, 20),
        (50.0, 1.0): (0, 2),  # 49 s are left, which no batch fits into
        (200.0, 9.0): (0, 2),
    }
    cold = within(replace(sampling, warm_start=None, sampler="heun"), 30.0, 4.0)
    assert cold.steps == 4  # 2 * 7 * 4 = 56 of 66 s; nothing is interpolated


def test_with_a_limit_of_seconds_members_are_drawn_by_measured_cost_and_the_log_says_so(caplog):
    method = method_of().drawing(Sampling(members=4, steps=500, seconds=0.5, guidance="jfps"))
    answer = method.analyse(CASES.case(1, WHOLE))
    assert len(answer.members["field"]) == 4 and "members of" in caplog.text and "all may take 0.5 s" in caplog.text
    in_time = method.drawing(Sampling(members=4, steps=1, seconds=1e3)).analyse(CASES.case(1, WHOLE))
    assert len(in_time.members["field"]) == 4
