"""METAR text as a table: cutting, dates, places, pressure, ceilings; real files, and truncated, fuzzed, empty ones."""

import gzip

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.file_kind import read_unpacked
from mlrtma_dist.observations.metar_text import is_metar_text, read_metar_text, split_reports
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.stations import StationList, read_stations
from mlrtma_dist.observations.table import Flag

BULLETIN = (
    "\x01\r\r\n455 \r\r\nSAUS70 KWBC 241200\r\r\nMETAR\r\r\n"
    "KDEN 241153Z 18005KT 10SM FEW050 BKN120 22/05 A3012 RMK AO2\r\r\n     T02170052=\r\r\n"
    "KAAA 241153Z NIL=\r\r\nKBBB 241155Z AUTO VRB03KT CAVOK 10/08 Q1013=\r\r\n\x03"
    "\x01\r\r\nFTUS80 KWBC 241130\r\r\nTAF KDEN 241130Z 2412/2512 18010KT P6SM SKC=\r\r\n\x03"
    "\x01\r\r\nSPUS70 KWBC 241200\r\r\nSPECI KDEN 241159Z 20010G20KT 1/2SM FG VV002 21/21 A3010=\r\r\n\x03"
    "\x01\r\r\nSAUS70 KWBC 241200\r\r\nMETAR KDEN 241153Z 18005KT 10SM FEW050 BKN120 22/05 A3012 RMK AO2 T02170052=\x03"
)
PLACES = StationList({"KDEN": (39.86, -104.67, 1656.0), "KBBB": (40.0, -100.0, np.nan)}, ("list",))
AUGUST = np.datetime64("2022-08-24T12:00:00")


def read(text, **more):
    return read_metar_text(text.encode("latin-1"), "x.txt", **{"stations": PLACES, "near": AUGUST, **more})


def test_bulletins_are_cut_into_reports_without_nil_forecasts_and_repetitions():
    assert [(report.station, report.time) for report in split_reports(BULLETIN)] == [
        ("KDEN", "241153"),
        ("KBBB", "241155"),
        ("KDEN", "241159"),
    ]
    lines = "KDEN 241153Z 18005KT 10SM CLR 22/05 A3012\nMETAR KBBB 241155Z 00000KT 9999 10/08 Q1013\n"
    assert [(report.station, report.body) for report in split_reports(lines)] == [
        ("KDEN", "18005KT 10SM CLR 22/05 A3012"),
        ("KBBB", "00000KT 9999 10/08 Q1013"),
    ]


def test_a_report_becomes_rows_in_si_with_station_pressure_from_the_altimeter_and_the_height():
    table = read(BULLETIN)
    first = {v: x for v, x, t in zip(table.variable, table.value, table.time, strict=True) if str(t)[11:16] == "11:53"}
    assert first["t2m"] == pytest.approx(294.85) and first["d2m"] == pytest.approx(278.35)
    assert first["u10"] == pytest.approx(0.0, abs=1e-12) and first["v10"] == pytest.approx(5 * 0.514444, abs=1e-5)
    assert first["visibility"] == pytest.approx(16093.44) and first["ceiling"] == pytest.approx(3657.6)
    n = 287.05287 * 0.0065 / 9.80665  # pressure altitudes of the standard atmosphere, station minus setting: 1656 m
    rise = 288.15 / 0.0065 * ((3012 * 33.86389 / 101325) ** n - (first["psfc"] / 101325) ** n)
    assert rise == pytest.approx(1656.0, abs=0.01)
    assert abs(first["psfc"] - 3012 * 33.86389) > 18000  # not the altimeter setting itself
    assert first["sky_cover"] == 0.75
    fog = {v: x for v, x, t in zip(table.variable, table.value, table.time, strict=True) if str(t)[11:16] == "11:59"}
    assert fog["ceiling"] == pytest.approx(60.96) and fog["sky_cover"] == 1.0
    assert fog["gust"] == pytest.approx(10.2889, abs=1e-4)
    variable = table[table.station == "KBBB"]
    assert set(variable.variable) == {"t2m", "d2m", "visibility", "ceiling"}  # VRB: no components; height not known
    assert variable.of("ceiling").value == [20000.0] and variable.of("visibility").value == [10000.0]
    assert set(table.network) == {"metar"} and set(table.source) == {"x.txt"}


@pytest.mark.parametrize(
    ("sky", "ceiling", "cover"),
    [
        ("CLR", 20000.0, 0.0),
        ("SKC", 20000.0, 0.0),
        ("FEW010", 20000.0, 1.5 / 8),
        ("FEW010 SCT030", 20000.0, 3.5 / 8),
        ("CAVOK", 20000.0, None),
        ("NSC", 20000.0, None),
        ("SCT010 BKN030 OVC050", 914.4, 1.0),
        ("OVC000", 0.0, 1.0),
        ("VV///", None, 1.0),
        ("", None, None),
    ],
)
def test_ceiling_is_the_lowest_broken_layer_unlimited_where_the_sky_has_none_and_missing_where_unsaid(
    sky, ceiling, cover
):
    table = read(f"KDEN 241153Z 18005KT 5SM {sky} 22/05 A3012=")
    for variable, expected in (("ceiling", ceiling), ("sky_cover", cover)):
        values = table.of(variable).value.tolist()
        assert values == ([] if expected is None else [pytest.approx(expected)])


@pytest.mark.parametrize(
    ("near", "day", "expected"),
    [
        ("2022-08-24T12:00", "241153", "2022-08-24T11:53:00"),
        ("2022-09-01T00:00", "312353", "2022-08-31T23:53:00"),
        ("2022-12-31T23:50", "010010", "2023-01-01T00:10:00"),
        ("2020-03-01T00:00", "292355", "2020-02-29T23:55:00"),
        ("2022-08-24T12:00", "402553", "NaT"),
        ("2021-03-01T00:00", "302355", "NaT"),
    ],
)
def test_day_and_hour_fall_into_the_month_nearest_to_the_analysis(near, day, expected):
    table = read(f"KDEN {day}Z 18005KT 10SM CLR 22/05 A3012=", near=np.datetime64(near))
    if day == "302355":  # no 30 February; 30 January and 30 March are a month away, the nearer one is taken
        assert str(table.time[0]) == "2021-03-30T23:55:00"
    else:
        assert str(table.time[0]) == expected
        assert bool(table.flags[0] & int(Flag.TIME)) == (expected == "NaT")


def test_the_date_in_the_name_serves_where_no_time_is_given_and_its_absence_is_an_error(tmp_path):
    path = tmp_path / "metar_20190701_1200.txt"
    path.write_text("KDEN 010553Z 18005KT 10SM CLR 22/05 A3012=\n")
    assert str(read_observations(path, stations=PLACES).time[0]) == "2019-07-01T05:53:00"
    compact = path.rename(tmp_path / "2019070112.txt")
    assert str(read_observations(compact, stations=PLACES).time[0]) == "2019-07-01T05:53:00"
    bare = compact.rename(tmp_path / "today.txt")
    with pytest.raises(InputError, match="today.txt: METAR text tells day and hour.*--time"):
        read_observations(bare, stations=PLACES)
    assert str(read_observations(bare, stations=PLACES, near=AUGUST).time[0]) == "2022-09-01T05:53:00"


def test_a_station_in_no_list_stays_without_position_and_is_reported(caplog):
    table = read("KDEN 241153Z 22/05=\nKXYZ 241153Z 10SM CLR 20/05 A3012=\n")
    lost = table[table.station == "KXYZ"]
    assert len(lost.of("t2m")) == 1 and np.isnan(lost.latitude).all() and not len(lost.of("psfc"))
    assert (lost.flags & int(Flag.POSITION)).all() and not (table[table.station == "KDEN"].flags).any()
    assert "1 stations stand in no list (list, airportsdata)" in caplog.text and "KXYZ; give lists" in caplog.text


def test_without_a_list_the_places_are_those_of_the_aerodromes_and_a_list_of_the_user_precedes(tmp_path):
    path = tmp_path / "metar_20220824.txt"
    path.write_text("METAR KDEN 241153Z 18005KT 10SM CLR 22/05 A3012=\nMETAR PANC 241153Z 10SM CLR 12/05 A3012=\n")
    table = read_observations(path).of("t2m")
    np.testing.assert_allclose(table.latitude, [39.86, 61.17], atol=0.01)
    np.testing.assert_allclose(table.longitude, [-104.67, -150.0], atol=0.01)
    np.testing.assert_allclose(table.elevation, [1656.0, 46.0], atol=2.0)
    own = StationList({"KDEN": (40.0, -105.0, 1700.0)}, ("own.csv",))
    np.testing.assert_allclose(read_observations(path, stations=own).of("t2m").latitude, [40.0, 61.17], atol=0.01)


def test_where_no_station_is_in_a_list_the_way_out_is_named(tmp_path):
    path = tmp_path / "metar_20220824.txt"
    path.write_text("METAR QXQX 241153Z 18005KT 10SM CLR 22/05 A3012=\n")
    with pytest.raises(
        InputError, match=r"metar_20220824.txt: none of its stations .*airportsdata.*QXQX; .*--stations"
    ):
        read_observations(path)


REPORT = "18005KT 10SM CLR 22/05 A3012"
ONE, TWO = f"KDEN 041400Z {REPORT}", f"KBBB 041500Z {REPORT}"
FORMS = {
    "Ogimet": f"# METAR/SPECI from KDEN\n201905041400 METAR {ONE}=\n201905041500 METAR {TWO}=\n",
    "Ogimet, folded": f"201905041400 METAR {ONE.replace('10SM ', '10SM' + chr(10) + '             ')}=\n"
    f"201905041500 SPECI {TWO}=\n201905041730 TAF KDEN 041730Z 0418/0524 18005KT P6SM SKC=\n",
    "Ogimet, commas": f"KDEN,2019,05,04,14,00,METAR {ONE}=\nKBBB,2019,05,04,15,00,METAR {TWO}=\n",
    "cycles": f"2019/05/04 14:00\n{ONE}\n\n2019/05/04 15:00\n{TWO}\n",
    "dates of ISO 8601": f"2019-05-04T14:00:00Z {ONE}\n2019-05-04 15:00 UTC METAR {TWO}\n",
    "text in a table": f'station,valid,metar\nDEN,2019-05-04 14:00,{ONE}\nBBB,2019-05-04 15:00,"{TWO}"\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_the_lines_of_archives_are_read_with_their_own_dates(tmp_path, form):
    path = tmp_path / "archive.txt"  # neither the name nor --time has the date
    path.write_text(FORMS[form])
    assert [report.body for report in split_reports(FORMS[form])] == [REPORT, REPORT]
    table = read_observations(path, stations=PLACES, near=AUGUST)
    assert table.of("t2m").station.tolist() == ["KDEN", "KBBB"]
    assert [str(time) for time in table.of("t2m").time] == ["2019-05-04T14:00:00", "2019-05-04T15:00:00"]
    assert not table.flags.any() and (table.of("ceiling").value == 20000.0).all()


def test_a_date_holds_for_the_report_behind_it_alone_and_one_of_another_day_gives_no_time():
    text = (
        f"METAR KDEN 312355Z {REPORT}\n201905041400 METAR KBBB 041400Z {REPORT}=\nMETAR KDEN 010005Z {REPORT}=\n"
        f"2019-05-31 23:58 METAR KBBB 010002Z {REPORT}=\n201905041400 METAR KBBB 121400Z {REPORT}=\n"
    )
    table = read(text, near=np.datetime64("2022-09-01T00:00:00")).of("t2m")
    times = ["2022-08-31T23:55:00", "2019-05-04T14:00:00", "2022-09-01T00:05:00", "2019-06-01T00:02:00", "NaT"]
    assert [str(time) for time in table.time] == times
    assert table.flags.tolist() == [0, 0, 0, 0, int(Flag.TIME)]


def test_headings_prefixes_and_lost_blanks_of_the_head_are_no_part_of_a_report():
    text = (
        f"KDEN 241153Z {REPORT}\n\n455\nSAUS70 KWBC 241200 RRA\nMETAR\nKBBB 241155Z AUTO {REPORT}\n"
        f"METAR COR KDEN 241158Z {REPORT}\nSPECI KBBB241200Z{REPORT}$=\nMETAR KDEN 241210ZAUTO NIL=\n"
        "TAF AMD KDEN 241130Z 2412/2512 18010KT P6SM SKC=\nTAF COR KDEN 241130Z 241218 18010KT P6SM OVC002=\n"
    )
    reports = split_reports(text)
    assert [(report.station, report.time) for report in reports] == [
        ("KDEN", "241153"), ("KBBB", "241155"), ("KDEN", "241158"), ("KBBB", "241200"),
    ]  # fmt: skip
    assert [report.body for report in reports] == [REPORT, f"AUTO {REPORT}", REPORT, f"{REPORT}$"]
    assert (read(text).of("ceiling").value == 20000.0).all()


@pytest.fixture(scope="module")
def places(real_file):
    return read_stations([real_file("stations", "metar.dat"), real_file("stations", "metarak.dat")])


# Stations that the lists place; SPECI and reports of other hours make more reports than stations.
REAL = {
    "metar_20190701_1200.txt": ("2019-07-01T12:00", 3250),
    "metar_20151105_0000.txt.gz": ("2015-11-05T00:00", 3200),
    "metar_20191215_0000.txt": ("2019-12-15T00:00", 3200),
    "metar_20200106_0000.wmo": ("2020-01-06T00:00", 3200),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_recognised_and_its_values_are_those_of_that_hour_on_earth(real_file, places, name):
    time, stations = REAL[name]
    table = read_observations(real_file("metar", name), stations=places)
    placed = table[table.flags == 0]
    assert len(np.unique(placed.station)) > stations
    late = np.abs((table.time - np.datetime64(time, "s")) / np.timedelta64(1, "h"))
    assert np.nanmedian(late) < 0.5 and np.mean(late < 3) > 0.97
    for variable, low, high in (("t2m", 213, 325), ("psfc", 60000, 105000), ("ceiling", 0, 20000)):
        value = placed.of(variable).value
        assert np.mean((value >= low) & (value <= high)) > 0.999, variable
    assert np.mean(table.of("ceiling").value == 20000.0) > 0.3
    # altimeter settings differ little between stations, station pressures follow the height
    psfc = placed.of("psfc")
    assert np.corrcoef(np.log(psfc.value), psfc.elevation)[0, 1] < -0.98


def test_a_truncated_file_gives_what_it_holds_and_a_truncated_gzip_an_error(real_file, places, tmp_path):
    whole = read_unpacked(real_file("metar", "metar_20190701_1200.txt"))
    part = read_metar_text(whole[:100_003], "metar_20190701.txt", stations=places)
    full = read_metar_text(whole, "metar_20190701.txt", stations=places)
    assert 1000 < len(part) < len(full)
    assert set(part.station) <= set(full.station)
    assert np.array_equal(part.of("t2m").value, full.of("t2m").value[: len(part.of("t2m"))])
    packed = tmp_path / "cut.txt.gz"
    packed.write_bytes(gzip.compress(whole[:50_000])[:-50])
    with pytest.raises(InputError, match="damaged or cut off"):
        read_observations(packed, stations=places)


def test_flipped_bytes_give_a_table_or_a_named_error(real_file, places, seed):
    whole = bytearray(read_unpacked(real_file("metar", "metar_20190701_1200.txt"))[:60_000])
    random = np.random.default_rng(seed)
    for _ in range(25):
        damaged = bytearray(whole)
        for place in random.integers(0, len(damaged), 3000):
            damaged[place] = random.integers(256)
        table = read_metar_text(bytes(damaged), "metar_20190701.txt", stations=places)
        assert len(table) > 0 and not np.isinf(table.value).any(), f"seed {seed}"
    noise = random.bytes(20_000)
    with pytest.raises(InputError, match="expected METAR reports"):
        read_metar_text(noise, "metar_20190701.txt", stations=places)


@pytest.mark.parametrize("content", [b"", b"   \n", b"METAR\n\nNIL=\n", b"TAF KDEN 241130Z 2412/2512 18010KT=\n"])
def test_a_file_without_a_report_is_an_error(content):
    with pytest.raises(InputError, match="x.txt: expected METAR reports"):
        read_metar_text(content, "x.txt", stations=PLACES, near=AUGUST)


def test_text_is_known_as_metar_by_a_line_that_begins_like_a_report_and_csv_is_not():
    assert is_metar_text(BULLETIN.encode("latin-1")) and is_metar_text(b"  SPECI KDEN 241159Z 20010KT\n")
    assert not is_metar_text(b"station,time,report\nKDEN,2022,KDEN 241159Z 20010KT\n")
