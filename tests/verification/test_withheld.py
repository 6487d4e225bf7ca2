"""Withheld: every station is withheld once, and the matches are the same however the cases are dealt out."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.analyse import at_reports
from mlrtma_dist.inference.parts import Analyst, Part
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.ensemble_answer import EnsembleAnswer
from mlrtma_dist.methods.method import ALONE
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import boxes, folds
from mlrtma_dist.verification.distribution_scores import crps_of_inexact
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import box_of, collect, match, match_fold

NAMES, METHODS = ("t2m", "psfc"), ("first_guess", "threedvar")
PARTS, WRONG = 3, 7  # parts of the stations; row of a grossly wrong report in the first case


class Hours:
    """Two cases of the simulated hour: all reports, one of them wrong by 30 K, and those of the western stations."""

    def __init__(self, toy):
        self.toy, self.settings = toy, toy.settings(*NAMES)
        table = toy.world.observations[np.isin(toy.world.observations.variable, NAMES)]
        wrong = table.value.copy()
        self.wrong_station = str(table.station[WRONG])
        assert table.variable[WRONG] == "t2m"
        wrong[WRONG] += 30.0
        self.tables = [replace(table, value=wrong), table[table.longitude < np.median(table.longitude)]]
        self.masks: list[tuple[int, np.ndarray]] = []
        self.contents = SimpleNamespace(domain=toy.static.domain)
        self.whole = Box.whole(toy.static.domain.shape)

    def reports(self, number: int) -> Observations:
        return self.tables[number]

    def case(self, number: int, box: Box, withheld=None) -> Case:
        self.masks.append((number, withheld))
        # A regression: two threads cannot read a background at once
        return self.toy.case(self.settings, self.tables[number], background=False, box=box, withheld=withheld)

    def analyst(self, **place) -> Analyst:
        return Analyst(self, build(METHODS, Means(settings=self.settings)), Part(self.whole, **place))

    def parts(self) -> dict[int, np.ndarray]:
        return {number: folds(table, count=PARTS, seed=number) for number, table in enumerate(self.tables)}


@pytest.fixture(scope="module")
def hours(toy):
    return Hours(toy)


@pytest.fixture(scope="module")
def alone(hours) -> Matches:
    """The matches of one rank."""
    with threadpool_limits(1):
        return collect(hours.analyst(), assumptions(hours.settings), hours.parts())[0]


def assert_equal(one: Matches, other: Matches) -> None:
    for column in fields(Matches):
        np.testing.assert_array_equal(getattr(one, column.name), getattr(other, column.name), err_msg=column.name)


def test_every_station_of_every_case_is_withheld_once_with_all_its_reports(toy):
    hours, shares = Hours(toy), []
    parts = hours.parts()
    collect(
        hours.analyst(),
        assumptions(hours.settings),
        parts,
        progress=lambda name, share: shares.append((name, share)),
    )
    assert len(hours.masks) == 2 * PARTS  # once for all methods
    for number, table in enumerate(hours.tables):
        masks = np.array([mask for case, mask in hours.masks if case == number])
        assert masks.shape == (PARTS, len(table)) and (masks.sum(axis=0) == 1).all()
        for mask in masks:
            assert set(table.station[mask]).isdisjoint(table.station[~mask])
    assert shares == [("folds", done / 6) for done in range(1, 7)]


def test_a_match_is_the_report_and_what_an_analysis_without_its_station_gives_there(hours, alone):
    start = 0
    for number, parts in hours.parts().items():
        for fold in range(PARTS):
            case = hours.case(number, hours.whole, parts == fold)
            rows = case.withheld & np.isfinite(case.departure) & verifiable(case.observations, case.departure)
            rows &= case.domain.contains(case.points.latitude, case.points.longitude)
            assert not (case.used & case.withheld).any() and rows.sum() > 50
            table = case.observations[rows]
            for method in METHODS:
                value, error = at_reports(case, hours.toy.answer(case, method, hours.settings), rows)
                part = alone.select(slice(start, start + int(rows.sum())))
                start += len(part)
                assert part.methods == [method] and set(part.fold) == {fold}
                for column in ("station", "variable", "latitude", "longitude", "elevation"):
                    np.testing.assert_array_equal(getattr(part, column), getattr(table, column))
                np.testing.assert_array_equal(part.observation, case.value[rows])
                np.testing.assert_allclose(part.prediction, value[rows], rtol=1e-12)
                np.testing.assert_allclose(part.spread, error[rows], rtol=1e-5)
                own = [hours.settings.variables[name].observation_error for name in table.variable]
                np.testing.assert_array_equal(part.observation_error, own)
    assert start == len(alone)


def test_all_methods_are_scored_on_the_same_reports_each_once(hours, alone):
    assert alone.methods == list(METHODS) and alone.variables == list(NAMES)
    one, other = (alone.select(method=method) for method in METHODS)
    for column in ("station", "variable", "fold", "observation"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
    keys = list(zip(one.station, one.variable, strict=True))
    both = set(hours.tables[1].station)  # of two cases
    assert all(keys.count(key) == 1 + (key[0] in both) for key in set(keys) if key[0] != hours.wrong_station)
    assert len(set(one.station)) > 200


@pytest.mark.parametrize("count", [2, 3, 7])
def test_several_data_ranks_give_each_the_matches_of_one(toy, hours, alone, count):
    barrier, slots = threading.Barrier(count, timeout=60), [None] * count

    class Communicator:
        def __init__(self, rank: int):
            self.rank = rank

        def allgather(self, own):
            slots[self.rank] = own
            barrier.wait()
            return list(slots)

    def run(rank: int) -> tuple[Matches, int]:
        source = Hours(toy)
        analyst = source.analyst(data_rank=rank, data_ranks=count, communicator=Communicator(rank))
        matches, _ = collect(analyst, assumptions(source.settings), source.parts())
        return matches, len(source.masks)

    with threadpool_limits(1), ThreadPoolExecutor(count) as pool:
        results = list(pool.map(run, range(count)))
    for matches, _ in results:
        assert_equal(matches, alone)
    assert sum(analysed for _, analysed in results) == 2 * PARTS  # nothing is analysed twice


def test_a_grossly_wrong_report_is_scored_only_where_every_report_is(hours, alone):
    parts = hours.parts()[0]
    fold = int(parts[WRONG])
    withheld = parts == fold
    everything = match_fold(hours.analyst(), 0, withheld, fold, assumptions(hours.settings), everything=True)
    usual = match_fold(hours.analyst(), 0, withheld, fold, assumptions(hours.settings))
    errors = []
    for matches in (everything, usual):
        own = matches.select(method="threedvar", variable="t2m")
        errors.append(np.abs(own.error[own.station == hours.wrong_station]))
    assert len(errors[0]) == 1 and errors[0][0] > 20.0 and len(errors[1]) == 0
    assert len(everything) >= len(usual) + len(METHODS)


def test_cases_without_a_report_give_an_empty_table(hours):
    empty = Hours(hours.toy)
    empty.tables = [table[:0] for table in empty.tables]
    parts = {number: np.zeros(0, dtype=np.int64) for number in range(2)}
    matches, _ = collect(empty.analyst(), assumptions(hours.settings), parts)
    assert len(matches) == 0 and not empty.masks


def test_the_box_of_a_match_is_that_of_its_place(alone):
    names = box_of(alone, 100.0)
    row, column = boxes(alone.latitude, alone.longitude, 100.0)
    assert names.shape == (len(alone),) and 10 < len(set(names)) < 200
    assert [tuple(map(int, name.split())) for name in names[:50]] == list(zip(row[:50], column[:50], strict=True))


def test_members_are_scored_as_such_with_the_errors_of_the_reports(toy):
    whole = toy.case(toy.settings("t2m"))
    case = replace(whole, withheld=whole.used)
    draws = np.random.default_rng(1).normal(0.0, 0.5, 9)
    members = {"t2m": np.stack([case.background_of("t2m") + each for each in draws]).astype(np.float32)}
    assumed = assumptions(toy.settings("t2m"))
    error = np.where(case.used, assumed["t2m"].observation_error, np.nan)
    answer = EnsembleAnswer.of(case, 9, [(range(9), members)], error, None)
    rows = case.used & (case.observations.variable == "t2m")
    matches = match("diffusion", case, answer, rows, ALONE, 0, assumed)
    at = case.first_guess.mean("t2m", case.points[rows]) + draws[:, None]
    expected = crps_of_inexact(at, case.value[rows], error[rows])
    scored = np.isfinite(matches.crps)
    assert scored.sum() > 100
    np.testing.assert_allclose(matches.crps[scored], expected[scored], atol=1e-3)
    np.testing.assert_allclose(matches.spread[scored], draws.std(ddof=1) * np.sqrt(10 / 9), rtol=1e-3)
    assert ((matches.place[scored] > 0.0) & (matches.place[scored] < 1.0)).all()
    limits = np.array([270.0, 285.0])
    below = answer.below("t2m", case.points[rows], limits)
    shares = norm.cdf((limits - at[..., None]) / assumed["t2m"].observation_error).mean(0)
    np.testing.assert_allclose(below[scored], shares[scored], atol=1e-3)


def test_a_report_of_a_variable_that_a_method_lacks_is_matched_without_a_prediction(toy):
    both, one = toy.settings("t2m", "visibility"), toy.settings("t2m")
    case = toy.case(both, background=False)
    rows = case.used & np.isin(case.observations.variable, ("t2m", "visibility"))
    matches = match("oi", case, toy.answer(case, "oi", one), rows, ALONE, 0, assumptions(both))
    lacking = matches.variable == "visibility"
    assert len(matches) == rows.sum() and 0 < lacking.sum() < len(matches)
    np.testing.assert_array_equal(np.isnan(matches.prediction), lacking)
    assert np.isnan(matches.crps[lacking]).all() and np.isnan(matches.below_1[lacking]).all()
