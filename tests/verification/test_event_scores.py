"""Scores of events and of the spread of speeds, against counts and formulas."""

import numpy as np
import pytest

from mlrtma_dist.names import FOOT, MILE
from mlrtma_dist.verification.event_scores import CATEGORY, COLUMNS, score_events, score_speeds, write_events
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.report_events import event_words, events_section
from mlrtma_dist.verification.report_words import SHORT, WORDS, Wording


def matches(variable: str, observation, prediction, method: str = "oi", **columns) -> Matches:
    size = len(observation)
    places = {"station": [f"s{i}" for i in range(size)], "latitude": np.arange(size) * 1.0, "longitude": 0.0}
    return Matches.build(
        method=method,
        variable=variable,
        observation=np.asarray(observation, dtype=float),
        prediction=np.asarray(prediction, dtype=float),
        **(places | columns),
    )


def test_hits_false_alarms_and_misses_are_counted_in_the_analysis_space():
    # below 1600 m: two hits, one false alarm, one miss, four neither
    reported = np.log([400, 900, 1500, 5000, 9000, 9000, 9000, 16000])
    analysed = np.log([500, 700, 3000, 1500, 9000, 9000, 9000, 16000])
    (score,) = [s for s in score_events(matches("visibility", reported, analysed)) if s.limit == 1600.0]
    assert (score.n, score.events) == (8, 3)
    assert (score.pod, score.far, score.csi) == pytest.approx((2 / 3, 1 / 3, 2 / 4))
    assert score.frequency_bias == pytest.approx(1.0)
    assert score.brier == pytest.approx(2 / 8)  # without a probability the analysis is certain
    assert event_words(score) == "below 1600 m"


def test_strong_wind_is_at_or_above_its_limit():
    table = matches("wind_speed", [4.0, 5.0, 6.0, 12.0], [4.0, 5.5, 4.0, 11.0])
    scores = {score.limit: score for score in score_events(table)}
    assert scores[5.0].events == 3 and scores[5.0].pod == pytest.approx(2 / 3) and scores[5.0].far == 0.0
    assert scores[10.0].events == 1 and 15.0 not in scores  # no report was so strong


def test_the_brier_score_is_that_of_the_probabilities_and_climatology_has_no_skill(generator):
    truth = generator.uniform(size=4000) < 0.3
    observation = np.log(np.where(truth, 100.0, 2000.0))
    sure, climate = np.where(truth, 0.9, 0.1), np.full(4000, truth.mean())
    for below, brier, skill in ((sure, 0.01, 1 - 0.01 / (truth.mean() * (1 - truth.mean()))), (climate, None, 0.0)):
        scores = score_events(matches("ceiling", observation, observation, below_2=below))
        (score,) = [s for s in scores if s.limit == 152.0]
        assert score.skill == pytest.approx(skill, abs=1e-9)
        assert brier is None or score.brier == pytest.approx(brier)
    predicted, frequency, size = score.reliability
    assert size.sum() == 4000 and np.nanmax(np.abs(predicted - frequency)) < 1e-9


def test_probabilities_that_come_true_lie_on_the_diagonal(generator):
    probability = generator.uniform(size=100_000)
    observation = np.log(np.where(generator.uniform(size=100_000) < probability, 100.0, 2000.0))
    scores = score_events(matches("ceiling", observation, observation, below_2=probability))
    (score,) = [s for s in scores if s.limit == 152.0]
    assert np.abs(score.reliability[0] - score.reliability[1]).max() < 0.02


def test_mean_strength_and_direction_of_winds():
    speed = np.array([4.0, 6.0, 8.0, 10.0, 2.0])
    angle = np.deg2rad([0.0, 90.0, 180.0, 350.0, 0.0])
    turned = angle + np.deg2rad([10.0, -10.0, 30.0, 30.0, 170.0])  # the last is too weak to have a direction
    tables = [matches("wind_speed", speed, 0.9 * speed)]
    for name, along in (("u10", np.cos), ("v10", np.sin)):
        tables.append(matches(name, speed * along(angle), speed * along(turned)))
    (score,) = score_speeds(Matches.concatenate(tables))
    assert (score.mean, score.strong) == pytest.approx((0.9, 0.9))
    assert score.direction == pytest.approx(20.0)


@pytest.mark.parametrize(
    "difference", [{}, {"time": ["2022-08-24T06", "2022-08-24T07"]}, {"domain": ["conus", "conus_1km"]}]
)
def test_winds_of_one_station_at_two_times_or_on_two_domains_are_two_winds(difference):
    """The analysis is 20 degrees off in the first wind and 40 in the second; without a difference the last counts."""
    places = {"station": ["A", "A"], "latitude": 40.0, "longitude": -100.0}
    columns = places | {name: np.array(each, "M8[s]") if name == "time" else each for name, each in difference.items()}
    turn = np.deg2rad([20.0, 40.0])
    table = Matches.concatenate(
        [
            matches("u10", [8.0, 8.0], 8.0 * np.cos(turn), **columns),
            matches("v10", [0.0, 0.0], 8.0 * np.sin(turn), **columns),
            matches("wind_speed", [8.0, 8.0], [8.0, 8.0], **columns),
        ]
    )
    (score,) = score_speeds(table)
    assert score.direction == pytest.approx(30.0 if difference else 40.0)


def test_events_are_written_and_shown(tmp_path):
    table = Matches.concatenate(
        matches("visibility", np.log([400, 900, 9000]), np.log([500, 9000, 9000]), method)
        for method in ("oi", "nearest")
    )
    scores = score_events(table)
    write_events(tmp_path / "events.csv", scores)
    lines = (tmp_path / "events.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS) and len(lines) == 1 + len(scores)
    section = events_section(table, scores, score_speeds(table), Wording(WORDS, SHORT))
    assert section is not None and "Fog" in str(section)
    assert events_section(table, [], [], Wording(WORDS, SHORT)) is None


def category_scores(*tables: Matches) -> dict[float, object]:
    return {s.limit: s for s in score_events(Matches.concatenate(tables)) if s.variable == CATEGORY}


def test_a_flight_category_is_scored_where_both_of_its_variables_were_reported():
    """LIFR by fog, IFR by a ceiling, VFR, and a visibility without a ceiling, which counts for nothing."""
    miles, feet = np.array([0.25, 9.0, 10.0, 0.25]) * MILE, np.array([9000.0, 700.0, 9000.0]) * FOOT
    scores = category_scores(
        matches("visibility", np.log(miles), np.log([400.0, 400.0, 16000.0, 400.0])),
        matches("ceiling", np.log(feet), np.log([200.0, 200.0, 200.0])),
    )
    lifr, ifr, mvfr = (scores[number] for number in (0.0, 1.0, 2.0))
    assert [score.n for score in (lifr, ifr, mvfr)] == [3, 3, 3]
    assert (lifr.events, lifr.pod, lifr.far) == pytest.approx((1, 1.0, 0.5))  # analysed: LIFR, LIFR, IFR
    assert (ifr.events, ifr.pod, ifr.far) == pytest.approx((2, 1.0, 1 / 3))
    assert ifr.brier == pytest.approx(1 / 3) and mvfr.csi == pytest.approx(2 / 3)
    assert [event_words(score) for score in (lifr, ifr, mvfr)] == ["LIFR", "IFR or worse", "MVFR or worse"]


def test_a_flight_category_with_probabilities_is_the_most_likely_one_and_scored_by_them():
    clear = np.log([16000.0, 16000.0])
    below = {f"below_{number}": [0.0, p] for number, p in ((1, 0.0), (2, 0.5), (3, 0.6), (4, 0.7))}
    visibility = matches("visibility", np.log([16000.0, 400.0]), clear, **below)
    ceiling = matches("ceiling", np.log([20000.0, 20000.0]), np.log([20000.0, 20000.0]), **below)
    scores = category_scores(visibility, ceiling)
    worse = 0.5 * (0.5 + 0.75)  # the mean of the same weather and of independence
    assert scores[0.0].pod == 1.0 and scores[0.0].brier == pytest.approx((1 - worse) ** 2 / 2)
    section = events_section(
        Matches.concatenate([visibility, ceiling]), list(scores.values()), [], Wording(WORDS, SHORT)
    )
    assert "flight category" in str(section) and "IFR or worse" in str(section)
