"""Times of CSV tables: zones in the text, declared, or UTC; never the machine's own."""

import time

import numpy as np
import pytest

from mlrtma_dist.observations.csv_mapping import TableError
from mlrtma_dist.observations.table import Flag
from mlrtma_dist.observations.table_csv import read_csv

DENVER = "America/Denver"


@pytest.fixture(params=["UTC", DENVER, "Asia/Kolkata"])
def machine_zone(request, monkeypatch):
    """The zone of the machine that reads."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def read(cell: str, **declared):
    mapping = {key: {"column": key} for key in ("station", "latitude", "longitude")} | {
        "time": {"column": "when", **declared},
        "variables": {"t2m": {"column": "t", "unit": "C"}},
    }
    return read_csv(f"station,when,latitude,longitude,t\nA,{cell},40,-105,20\n".encode(), "a.csv", mapping)


@pytest.mark.parametrize(
    ("cell", "declared", "utc"),
    [
        ("2022-08-24 06:00:00Z", {}, "2022-08-24T06:00:00"),
        ("2022-08-24T06:00", {}, "2022-08-24T06:00:00"),
        ("2022-08-24T00:00-06:00", {}, "2022-08-24T06:00:00"),
        ("2022-08-24T00:00:00-0600", {}, "2022-08-24T06:00:00"),
        ("2022-08-24T11:30+05:30", {}, "2022-08-24T06:00:00"),
        ("2022-08-24 06:00 UTC", {}, "2022-08-24T06:00:00"),
        ("2022-08-24 06:00 GMT", {"zone": DENVER}, "2022-08-24T06:00:00"),
        ("20220824T0600Z", {}, "2022-08-24T06:00:00"),
        ("2022-08-24 00:00", {"zone": DENVER}, "2022-08-24T06:00:00"),  # summer time
        ("2022-01-24 00:00", {"zone": DENVER}, "2022-01-24T07:00:00"),
        ("2022-08-24 00:00", {"zone": "-07:00"}, "2022-08-24T07:00:00"),
        ("2022-08-24 00:00-06:00", {"zone": "-07:00"}, "2022-08-24T06:00:00"),  # its own zone counts
        ("202208240605", {"format": "%Y%m%d%H%M"}, "2022-08-24T06:05:00"),
        ("08/24/2022 06:05", {"format": "%m/%d/%Y %H:%M"}, "2022-08-24T06:05:00"),
        ("08/24/2022 00:05", {"format": "%m/%d/%Y %H:%M", "zone": DENVER}, "2022-08-24T06:05:00"),
        ("08/24/2022 00:05 -0600", {"format": "%m/%d/%Y %H:%M %z"}, "2022-08-24T06:05:00"),
        ("08/24/2022 06:05 Z", {"format": "%m/%d/%Y %H:%M %z"}, "2022-08-24T06:05:00"),
        ("2022-08-24T06:05Z", {"format": "%Y-%m-%dT%H:%MZ"}, "2022-08-24T06:05:00"),
        ("08/24/2022 06:05 UTC", {"format": ["%Y-%m-%d", "%m/%d/%Y %H:%M UTC"]}, "2022-08-24T06:05:00"),
    ],
)
def test_times_are_utc_unless_text_or_mapping_have_another_zone(machine_zone, cell, declared, utc):
    table = read(cell, **declared)
    assert (str(table.time[0]), table.flags[0]) == (utc, 0)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M %Z", "%Z %Y-%m-%d %H:%M", "%Y%%%Z"])
def test_a_zone_s_name_is_refused_on_every_machine_and_the_ways_out_are_named(machine_zone, form):
    with pytest.raises(TableError, match=r"time.format: .*%Z is read by .*%z .*time.zone: America/Denver"):
        read("2022-08-24 00:00 MDT", format=form)


@pytest.mark.parametrize(
    ("cell", "declared", "message"),
    [
        (
            "2022-08-24 00:00 MDT",
            {},
            r"row 2, column 'when': expected a time like .*-06:00\), got '2022-08-24 00:00 MDT'",
        ),
        ("2022-08-24 00:00 MDT", {"format": "%Y-%m-%d %H:%M %z"}, "row 2, column 'when': .*got '2022-08-24 00:00 MDT'"),
        ("2022-08-24 00:00", {"zone": "MDT"}, "time.zone: 'MDT'; expected UTC, an offset such as -07:00"),
        ("2022-08-24 00:00", {"zone": "Mars/Olympus"}, "time.zone: 'Mars/Olympus'; expected UTC"),
        ("2022-08-24 00:00", {"zone": "-7"}, "time.zone: '-7'; expected UTC"),
        ("2022-08-24 00:00 -0600", {"format": "%Y-%m-%d %H:%M %z", "zone": DENVER}, "time.zone: .*expected none"),
        ("2022-08-24 00:00Z", {"format": "%Y-%m-%d %H:%MZ", "zone": DENVER}, "time.zone: .*expected none"),
        ("2022-08-24 00:00", {"zones": DENVER}, r"time: the keys \['zones'\] are not known"),
        ("2022-08-24 00:00", {"columns": ["when"]}, "time: .*expected {column: NAME} or {columns"),
    ],
)
def test_a_time_or_zone_that_cannot_be_read_is_an_error_that_names_it(cell, declared, message):
    with pytest.raises(TableError, match=f"a.csv: .*{message}"):
        read(cell, **declared)


@pytest.mark.parametrize(("cell", "flag"), [("2022-11-06 01:30", Flag.TIME), ("2022-03-13 02:30", Flag.TIME)])
def test_a_time_that_the_clocks_show_twice_or_never_is_flagged(cell, flag):
    table = read(cell, zone=DENVER)
    assert np.isnat(table.time[0]) and table.flags.tolist() == [int(flag)]
    assert str(read(cell.replace(":30", ":30-07:00"), zone=DENVER).time[0])[11:] in ("08:30:00", "09:30:00")
