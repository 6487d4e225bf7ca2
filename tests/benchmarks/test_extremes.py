"""The table of extremes by cause: classes, causes and withheld stations on reports whose answer is plain."""

import pathlib
import sys
from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.observations.table import Flag

BENCHMARKS = str(pathlib.Path(__file__).parents[2] / "benchmarks")


@pytest.fixture(scope="module")
def extremes():
    sys.path.insert(0, BENCHMARKS)
    import extremes

    yield extremes
    sys.path.remove(BENCHMARKS)


@pytest.fixture
def case(toy, extremes):
    return toy.case(toy.settings("visibility", "wind_speed"))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_difference_of_two_columns_is_the_share_of_one_cause(extremes, case):
    """Fog that is halved by each cause, and one report of it that quality control rejects."""
    fog = np.flatnonzero(case.used & (case.observations.variable == "visibility"))[:5]
    value = case.observations.value.copy()
    value[case.observations.variable == "visibility"] = 9000.0
    value[fog] = 500.0
    value[np.flatnonzero(case.used & (case.observations.variable == "visibility"))[5]] = 800.0  # on the edge: not below
    flags, used = case.observations.flags.copy(), case.used.copy()
    flags[fog[0]], used[fog[0]] = Flag.GROSS, False
    spoilt = replace(case, observations=replace(case.observations, value=value, flags=flags), used=used)
    factors = {extremes.USED: 1.2, extremes.NO_HUBER: 1.1, extremes.EXACT: 1.0, extremes.WITHHELD: 4.0}
    analysed = {kind: {"visibility": np.log(np.maximum(value, 20.0) * factor)} for kind, factor in factors.items()}
    weight = np.where(np.arange(len(used)) == fog[1], 0.5, 1.0)
    (line,) = extremes._rows(extremes.CLASSES[3], spoilt, analysed, weight)
    assert cells(line)[1:7] == ["5", "500", "600", "550", "500", "2e+03"]
    assert cells(line)[7:] == ["100 %", "0 %", "1 gross", "1 of 4"]


def test_without_quality_control_of_the_analysis_errors_are_a_tenth_everywhere(extremes, toy):
    settings = toy.settings("t2m", "visibility", "wind_speed")
    varied = extremes.variants(settings)
    assert varied[extremes.USED] is settings
    for name, shipped in settings.variables.items():
        loose, exact = varied[extremes.NO_HUBER].variables[name], varied[extremes.EXACT].variables[name]
        assert loose == replace(shipped, huber=None)
        assert exact.observation_error == pytest.approx(0.1 * shipped.observation_error)
        for part in ("indicators", "local"):
            own, tenth = getattr(shipped, part), getattr(exact, part)
            assert (own is None) == (tenth is None)
            assert own is None or tenth.observation_error == pytest.approx(0.1 * own.observation_error)


def test_speeds_are_compared_at_the_reports_that_verification_scores(extremes, case):
    names = ("wind_speed", extremes.VECTOR, "gust")
    analysed = {name: np.where(case.observations.variable == "wind_speed", 0.9 * case.value, np.nan) for name in names}
    lines = extremes._speeds(case, analysed).splitlines()[2:]
    assert [cells(line)[0] for line in lines] == ["wind speed", extremes.VECTOR]  # no gust was analysed
    assert all(cells(line)[3::2] == ["0.900", "0.900"] for line in lines)
