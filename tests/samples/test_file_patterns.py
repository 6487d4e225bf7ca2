"""File patterns: names by closed form, over the ends of days, months and years; errors name field and pattern."""

import re
from pathlib import Path

import numpy as np
import pytest

from mlrtma_dist.config import ConfigError
from mlrtma_dist.samples.file_patterns import FilePattern

HRRR = "hrrr.{cycle:%Y%m%d}/conus/hrrr.t{cycle:%H}z.wrfsfcf{lead:02d}.grib2"
QUARTERS = "hrrr.{cycle:%Y%m%d}/conus/hrrr.t{cycle:%H}z.wrfsubhf{lead:02d}.grib2"
RAP = "rap.{time:%Y%m%d}/rap.t{time:%H}z.adpsfc.prepbufr.tm00"
GDAS = "prepbufr.gdas.{time:%Y%m%d%H}"


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "s")


def files(pattern: FilePattern, time: str) -> list[tuple[str, ...]]:
    return [each.files for each in pattern.resolve(at(time))]


def test_the_latest_cycle_comes_first_and_earlier_ones_follow_with_longer_leads():
    pattern = FilePattern(HRRR, shortest_lead=1, longest_lead=3)
    assert files(pattern, "2022-08-24T06:00") == [
        ("hrrr.20220824/conus/hrrr.t05z.wrfsfcf01.grib2",),
        ("hrrr.20220824/conus/hrrr.t04z.wrfsfcf02.grib2",),
        ("hrrr.20220824/conus/hrrr.t03z.wrfsfcf03.grib2",),
    ]


def test_without_a_shortest_lead_the_cycle_of_the_time_itself_comes_first():
    first = FilePattern(HRRR).resolve(at("2022-08-24T06:00"))[0]
    assert (first.files, first.cycle, first.lead) == (
        ("hrrr.20220824/conus/hrrr.t06z.wrfsfcf00.grib2",),
        at("2022-08-24T06:00"),
        0,
    )


@pytest.mark.parametrize(
    ("time", "first"),
    [
        ("2024-01-01T00:00", "hrrr.20231231/conus/hrrr.t23z.wrfsfcf01.grib2"),
        ("2024-03-01T00:00", "hrrr.20240229/conus/hrrr.t23z.wrfsfcf01.grib2"),
        ("2023-03-01T00:00", "hrrr.20230228/conus/hrrr.t23z.wrfsfcf01.grib2"),
        ("1970-01-01T00:00", "hrrr.19691231/conus/hrrr.t23z.wrfsfcf01.grib2"),
    ],
)
def test_cycles_cross_the_ends_of_years_and_months_of_any_length(time, first):
    assert files(FilePattern(HRRR, shortest_lead=1), time)[0] == (first,)


def test_a_time_between_two_files_of_a_forecast_has_both():
    pattern = FilePattern(HRRR, shortest_lead=1, longest_lead=2)
    assert files(pattern, "2022-08-24T06:15") == [
        ("hrrr.20220824/conus/hrrr.t05z.wrfsfcf01.grib2", "hrrr.20220824/conus/hrrr.t05z.wrfsfcf02.grib2")
    ]


@pytest.mark.parametrize(("minute", "lead"), [("00", "01"), ("15", "02"), ("30", "02"), ("45", "02")])
def test_a_file_of_four_quarters_serves_each_of_them_alone(minute, lead):
    pattern = FilePattern(QUARTERS, shortest_lead=1, holds_minutes=45)
    assert files(pattern, f"2022-08-24T06:{minute}")[0] == (f"hrrr.20220824/conus/hrrr.t05z.wrfsubhf{lead}.grib2",)


def test_a_time_before_the_first_quarter_of_a_file_needs_the_file_before_it_too():
    pattern = FilePattern(QUARTERS, shortest_lead=1, holds_minutes=45)
    assert [name[-8:-6] for name in files(pattern, "2022-08-24T06:05")[0]] == ["01", "02"]


def test_leads_in_minutes_name_the_file_of_every_quarter():
    pattern = FilePattern("f.{cycle:%Y%m%d%H%M}.{lead_minutes:04d}", lead_minutes=15, longest_lead=1.5)
    assert files(pattern, "2023-01-01T00:15") == [
        ("f.202301010000.0015",),
        ("f.202212312300.0075",),
    ]


def test_latency_leaves_out_cycles_that_are_not_yet_there_at_the_time():
    pattern = FilePattern(HRRR, latency_minutes=55, longest_lead=3)
    assert files(pattern, "2022-08-24T06:00")[0] == ("hrrr.20220824/conus/hrrr.t05z.wrfsfcf01.grib2",)
    assert files(pattern, "2022-08-24T05:45")[0][0] == "hrrr.20220824/conus/hrrr.t04z.wrfsfcf01.grib2"


def test_cycles_every_six_hours_begin_at_the_synoptic_hours():
    pattern = FilePattern("gfs.{cycle:%Y%m%d}/{cycle:%H}/f{lead:03d}", cycle_hours=6, longest_lead=12)
    assert files(pattern, "2022-08-24T07:00") == [("gfs.20220824/06/f001",), ("gfs.20220824/00/f007",)]


def test_no_candidate_where_no_lead_reaches_the_time():
    assert files(FilePattern(HRRR, cycle_hours=6, longest_lead=2), "2022-08-24T05:00") == []


def test_a_gridded_file_of_one_time_is_its_own_or_the_two_around():
    pattern = FilePattern("urma.{time:%Y%m%d%H}")
    assert files(pattern, "2022-08-24T06:00") == [("urma.2022082406",)]
    assert files(pattern, "2022-08-24T23:45") == [("urma.2022082423", "urma.2022082500")]


def test_the_analysis_of_an_hour_ago_can_be_a_background():
    pattern = FilePattern("urma.{time:%Y%m%d%H}", earlier_minutes=60, latency_minutes=45)
    assert files(pattern, "2024-01-01T00:00") == [("urma.2023123123",)]
    assert files(FilePattern("urma.{time:%Y%m%d%H}", latency_minutes=45), "2024-01-01T00:00") == []


def test_report_files_cover_the_window_around_the_time():
    pattern = FilePattern(GDAS, every_minutes=360, before_minutes=180, after_minutes=180)
    assert pattern.window(at("2020-12-31T23:00")) == ("prepbufr.gdas.2021010100",)
    assert pattern.window(at("2020-12-31T21:00")) == ("prepbufr.gdas.2020123118", "prepbufr.gdas.2021010100")
    assert FilePattern(RAP).window(at("2022-08-24T06:00")) == ("rap.20220824/rap.t06z.adpsfc.prepbufr.tm00",)
    assert FilePattern(RAP, before_minutes=30, after_minutes=30).window(at("2022-08-24T06:15")) == (
        "rap.20220824/rap.t06z.adpsfc.prepbufr.tm00",
    )


def test_a_window_between_two_files_has_no_file():
    assert FilePattern(RAP).window(at("2022-08-24T06:15")) == ()


def test_quarter_hourly_files_may_begin_off_the_hour():
    pattern = FilePattern("r.{time:%H%M}", every_minutes=60, offset_minutes=12, before_minutes=60)
    assert pattern.window(at("2022-08-24T00:30")) == ("r.0012",)
    assert FilePattern("r.{time:%H%M}", every_minutes=15).window(at("2022-08-24T00:45")) == ("r.0045",)


def test_the_time_of_a_name_undoes_the_name_of_a_time(generator):
    pattern = FilePattern("a.{time:%Y%m%d}/b.t{time:%H}z{time:%M}+.{time:%Y}.gz")
    for minutes in generator.integers(0, 2**25, 50):
        time = at("1990-01-01") + np.timedelta64(60 * int(minutes), "s")
        assert pattern.time_of(pattern.name(time)) == time
    assert pattern.time_of("a.20220824/b.t06z15+.2021.gz") is None  # two years
    assert pattern.time_of("a.20220832/b.t06z15+.2022.gz") is None  # no such day
    assert pattern.time_of("elsewhere") is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pattern": "a.grib2"}, "a.grib2: no time field: expected {time:%Y%m%d%H}, or"),
        ({"pattern": "a.{lead:02d}"}, "no time field"),
        ({"pattern": "a.{tme:%Y}"}, "a.{tme:%Y}: unknown field {tme}: known are"),
        ({"pattern": "a.{time}"}, "the field {time} has no format: expected e.g. {time:%Y%m%d%H}"),
        ({"pattern": "a.{cycle:%H}.{lead}"}, "the field {lead} has no format: expected e.g. {lead:02d}"),
        ({"pattern": "a.{time:%Q}"}, "the field {time}: expected directives"),
        ({"pattern": "a.{time:hour}"}, "the field {time}: expected directives"),
        ({"pattern": "a.{cycle:%H}.{lead:%H}"}, "the field {lead}: expected a format of integers"),
        ({"pattern": "a.{cycle:%H}"}, "{cycle} needs {lead:02d}"),
        ({"pattern": "a.{time:%H}.{lead:02d}"}, "{time} excludes {cycle} and {lead}"),
        ({"pattern": "a.{time:%H}}"}, "a brace that belongs to no field"),
        ({"pattern": GDAS, "every_minutes": 7}, "every_minutes: expected a divisor or a multiple of 1440, got 7"),
        ({"pattern": HRRR, "cycle_hours": 5}, "cycle_hours: expected a divisor of 24, got 5"),
        ({"pattern": HRRR, "shortest_lead": 3, "longest_lead": 2}, "0 <= shortest_lead <= longest_lead, got 3 and 2"),
        ({"pattern": QUARTERS, "holds_minutes": 60}, "holds_minutes from 0 to below it, got 60 and 60"),
        ({"pattern": GDAS, "before_minutes": -1}, "before_minutes: expected >= 0, got -1"),
    ],
)
def test_wrong_patterns_are_refused_with_pattern_and_field(settings, words):
    with pytest.raises(ConfigError) as error:
        FilePattern(**settings)
    assert words in str(error.value) and settings["pattern"] in str(error.value)


def test_every_pattern_of_the_page_on_archives_names_a_file():
    page = (Path(__file__).parents[2] / "docs" / "archives.md").read_text(encoding="utf-8")
    patterns = re.findall(r"^\| [^|]*\| `([^`]*\{[^`]*)` \|", page, re.MULTILINE)
    assert len(patterns) >= 10
    for pattern in patterns:
        assert "{" not in FilePattern(pattern).name(at("2024-02-29T06:00"), 60)


def test_reports_are_not_named_by_forecast_cycles():
    with pytest.raises(ConfigError, match="expected the field {time:...} for reports"):
        FilePattern(HRRR).window(at("2022-08-24T06:00"))
