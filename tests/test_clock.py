"""Times: every spelling of one hour is the same hour, and nothing else is a time."""

import numpy as np
import pytest

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError

SIX = np.datetime64("2022-08-24T06:00:00", "s")


@pytest.mark.parametrize(
    "text",
    [
        "2022-08-24T06:00",
        "2022-08-24 06Z",
        "2022-08-24T06",
        "2022082406",
        "202208240600",
        "2022-08-24T06:00:00Z",
        "2022-08-24 06:00:00+00:00",
    ],
)
def test_every_spelling_of_an_hour_is_that_hour(text):
    assert clock.parse_time(text) == SIX
    assert clock.parse_time(text).dtype == np.dtype("datetime64[s]")


def test_a_date_alone_is_its_midnight():
    assert clock.parse_time("20220824") == clock.parse_time("2022-08-24") == np.datetime64("2022-08-24T00:00:00")


@pytest.mark.parametrize(
    "text", ["", "today", "now", "NaT", "2022", "2022-08", "2022-13-01T00:00", "20220824061", "2022-08-24T06:00+02:00"]
)
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="expected a UTC time such as 2022-08-24T06:00"):
        clock.parse_time(text)


def test_the_analysis_hour_is_nearest_to_the_median_whatever_a_few_stray_times_say():
    minutes = np.array([-25, -5, 0, 5, 28, 9000, -9000])
    assert clock.nearest_hour(SIX + minutes.astype("timedelta64[m]")) == SIX
    late = np.array([SIX + np.timedelta64(31, "m"), np.datetime64("NaT")])
    assert clock.nearest_hour(late) == SIX + np.timedelta64(1, "h")


def test_the_hour_of_no_times_asks_for_the_option():
    with pytest.raises(InputError, match="--time"):
        clock.nearest_hour(np.array(["NaT"], dtype="datetime64[s]"))


def test_files_without_a_single_value_are_told_from_values_without_a_time():
    with pytest.raises(InputError, match="expected observations, found none"):
        clock.nearest_hour(np.array([], dtype="datetime64[s]"))


def test_a_time_in_a_file_name_reads_back():
    assert clock.compact(SIX) == "20220824T0600Z"
    assert clock.parse_time(clock.compact(SIX).replace("T", "")) == SIX


def test_the_day_of_the_year_carries_its_fraction():
    noon = np.datetime64("2024-12-31T12:30:00")  # a leap year
    assert clock.day_of_year(noon) == pytest.approx(365 + 12.5 / 24)
    assert clock.day_of_year(np.datetime64("2024-01-01T00:00:00")) == 0.0


def test_a_range_of_times_is_every_hour_or_every_step_of_it_with_both_ends():
    hours = clock.parse_times(["2022-08-24T22:00/2022-08-25T01:00"])
    assert hours.dtype == np.dtype("datetime64[s]")
    assert [str(time) for time in hours] == [f"2022-08-2{day}:00:00" for day in ("4T22", "4T23", "5T00", "5T01")]
    quarters = clock.parse_times(["2022-08-24T06:00", "2022082406/2022-08-24T07:10/PT15M"])
    assert [str(time)[11:16] for time in quarters] == ["06:00", "06:15", "06:30", "06:45", "07:00"]
    assert len(clock.parse_times(["2022-01-01/2022-12-31/P1D"])) == 365
    assert len(clock.parse_times(["2022-01-01/2022-01-03/P1DT12H"])) == 2 and len(clock.parse_times([])) == 0


@pytest.mark.parametrize(
    "text",
    [
        "2022-08-24T07:00/2022-08-24T06:00",
        "2022-08-24T06:00/2022-08-24T07:00/1h",
        "2022-08-24T06:00/2022-08-24T07:00/PT0M",
        "2022-08-24T06:00/2022-08-24T07:00/P",
        "2022-08-24T06:00/2022-08-24T07:00/PT1H/PT1H",
        "2022-08-24T06:00/",
        "0022-08-24T06:00/2022-08-24T07:00",
    ],
)
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="expected a (range|UTC time)"):
        clock.parse_times([text])
