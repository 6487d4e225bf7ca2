"""Scores through time: each period has the errors of its own times, and one time has no trend."""

import numpy as np
import pytest

from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.report_trend import trend_section
from mlrtma_dist.verification.report_words import Wording
from mlrtma_dist.verification.trend import COLUMNS, errors_of, trend, write_trend


def matches_at(*times: str, method="oi", domain="conus") -> Matches:
    """One error at each time: 1, 2, 3 ... K."""
    error = np.arange(1.0, len(times) + 1.0)
    return Matches.build(
        method=method,
        variable="t2m",
        domain=domain,
        time=np.array(times, dtype="datetime64[s]"),
        station=[f"S{number}" for number in range(len(times))],
        observation=np.full(len(times), 280.0),
        prediction=280.0 + error,
    )


def test_a_day_and_an_hour_of_the_day_pool_the_errors_of_their_times():
    matches = matches_at("2022-08-24T06", "2022-08-24T18", "2022-08-25T06", "2022-08-25T06")
    rows = {(row.by, row.period): row for row in trend(errors_of(matches), matches.methods)}
    assert {key: (row.n, row.bias) for key, row in rows.items()} == {
        ("time", "2022-08-24T06:00"): (1, 1.0),
        ("time", "2022-08-24T18:00"): (1, 2.0),
        ("time", "2022-08-25T06:00"): (2, 3.5),
        ("day", "2022-08-24"): (2, 1.5),
        ("day", "2022-08-25"): (2, 3.5),
        ("hour", "06"): (3, pytest.approx(8 / 3)),
        ("hour", "18"): (1, 2.0),
    }
    assert rows["hour", "06"].rmse == pytest.approx(np.sqrt((1 + 9 + 16) / 3))
    assert rows["hour", "06"].mae == pytest.approx(8 / 3)


def test_one_time_or_no_time_has_no_trend_and_no_section():
    for matches in (matches_at("2022-08-24T06", "2022-08-24T06"), matches_at("NaT", "NaT"), Matches.empty()):
        assert trend(errors_of(matches), matches.methods) == []
        assert trend_section(matches, trend(errors_of(matches), matches.methods), Wording()) is None


def test_domains_stand_by_themselves_and_together(tmp_path):
    times = "2022-08-24T06", "2022-08-24T07"
    matches = Matches.concatenate([matches_at(*times), matches_at(*times, domain="guam")])
    rows = trend(errors_of(matches), matches.methods)
    assert list(dict.fromkeys(row.domain for row in rows)) == ["all", "conus", "guam"]
    (day,) = (row for row in rows if (row.domain, row.by) == ("all", "day"))
    assert (day.n, day.bias) == (4, 1.5)
    write_trend(tmp_path / "trend.csv", rows)
    header, first, *_ = (tmp_path / "trend.csv").read_text().splitlines()
    assert header == ",".join(COLUMNS) and first == "all,time,2022-08-24T06:00,oi,t2m,2,1.0,1.0,1.0,1.0"


def test_the_section_has_a_figure_for_each_variable_and_a_table_for_each_kind_of_period_that_differs():
    matches = matches_at("2022-08-24T06", "2022-08-25T06", "2022-08-26T06")
    section = trend_section(matches, trend(errors_of(matches), matches.methods), Wording())
    assert [table.caption for table in section.content["tables"]] == [
        "Rmse at withheld stations by day",
        "Rmse at withheld stations by analysis time, UTC",
    ]
    (figure,) = section.content["figures"]
    assert "Rmse of t2m at 3 analysis times" in figure.svg
