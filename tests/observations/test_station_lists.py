"""Operational station lists: each format by hand, what is wrong with a line, the real tables, and who is flagged."""

import glob

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.observations.error_table import fill_errors
from mlrtma_dist.observations.listed import check_lists, listed_names, wind_bin
from mlrtma_dist.observations.station_lists import read_station_lists
from mlrtma_dist.observations.sun import solar_elevation
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.physics.moisture import dew_point_error

NOON = np.datetime64("2022-06-21T18:40:00")  # at 100 W
STARS = "*" * 40


def reject(title, *names):
    lines = [f"'{name:8}| itype=999  lat=  999.0000  lon=  999.0000  loc=US  origin: sta----'" for name in names]
    return "\n".join([STARS, f"reject list for {title}   ", STARS, *lines]) + "\n"


def errors(kind="180", values="0.10000E+01 0.50000E+00 0.20000E+01 0.60000E+00 0.10000E+10", subtype=""):
    levels = [f"  {1100.0 - 30 * k:.5E} {values}" for k in range(33)]
    return "\n".join([f" {kind} OBSERVATION TYPE", *([subtype] if subtype else []), *levels]) + "\n"


@pytest.fixture
def lists_of(tmp_path):
    """A function from name=text to the lists that these files make."""

    def read(**texts):
        paths = []
        for name, text in texts.items():
            paths.append(tmp_path / name)
            paths[-1].write_text(text)
        return read_station_lists(paths)

    return read


def table(**columns):
    size = len(columns["variable"])
    usual = {"station": ["A"] * size, "latitude": 40.0, "longitude": -100.0, "time": NOON, "value": 290.0}
    return Observations.build(**{**usual, **columns})


def listed(observations, lists):
    return (check_lists(observations, lists).flags & np.uint32(Flag.STATION_LIST) != 0).tolist()


def test_each_reject_list_takes_out_its_own_variables_and_no_others(lists_of):
    names = ["t2m", "d2m", "psfc", "u10", "v10", "gust", "visibility"]
    titles = {"temperature obs": [0], "specific humidity obs": [1], "surface pressure obs": [2], "wind obs": [3, 4, 5]}
    for title, rows in titles.items():
        lists = lists_of(some_list=reject(title, "KXYZ", "A"))
        assert np.flatnonzero(listed(table(variable=names), lists)).tolist() == rows
        assert not any(listed(table(variable=names, station=["B"] * 7), lists))


def test_lists_of_the_day_and_of_the_night_follow_the_sun_at_the_station(lists_of):
    day = lists_of(day=reject("t-obs during day hours. made from diagnostic files", "A"))
    night = lists_of(night=reject("t-obs during night hours. made from diagnostic files", "A"))
    # at one time: noon in Kansas, midnight on the other side of the earth, and polar day beyond the circle there
    report = table(variable=["t2m"] * 4, longitude=[-100.0, 80.0, 80.0, np.nan], latitude=[40.0, 40.0, 75.0, 40.0])
    assert listed(report, day) == [True, False, True, False]
    assert listed(report, night) == [False, True, False, False]


def test_the_sun_stands_where_published_and_closed_forms_put_it():
    # Reda and Andreas (2004), table A5.1: zenith 50.11162 degrees with 0.0163 of refraction
    time = np.array("2003-10-17T19:30:30", dtype="datetime64[s]")
    assert solar_elevation(39.742476, -105.1786, time) == pytest.approx(90 - 50.11162 - 0.0163, abs=0.015)
    # at the equinox of 2022-03-20 15:33 the sun is in the equator: it rises at the equator where its hour angle is 90
    equinox = np.datetime64("2022-03-20T15:33:00")
    longitude = np.linspace(-180, 180, 3601)
    noon = longitude[np.argmax(solar_elevation(np.zeros(3601), longitude, np.full(3601, equinox)))]
    edges = solar_elevation(np.zeros(2), noon + np.array([-90.0, 90.0]), np.full(2, equinox))
    np.testing.assert_allclose(edges, 0.0, atol=0.1)
    # and every latitude sees it at its complement at noon
    latitude = np.linspace(-80, 80, 17)
    height = solar_elevation(latitude, np.full(17, noon), np.full(17, equinox))
    np.testing.assert_allclose(height, 90 - np.abs(latitude), atol=0.1)
    assert np.isnan(solar_elevation(0.0, 0.0, np.datetime64("NaT", "s")))


def test_the_mark_of_a_mesonet_in_the_eighth_column_does_not_count():
    names = np.array(["ABCDE  a", "AB     x", "ABCDEFGa", "KDEN", "MAXa", "ABCDEF x"])
    assert listed_names(names).tolist() == ["ABCDE", "AB", "ABCDEFGa", "KDEN", "MAXa", "ABCDEF"]


def test_a_wind_belongs_to_the_bin_it_blows_from():
    from_degrees = np.array([1.0, 44.0, 46.0, 90.0, 359.0, 180.0])
    eastward, northward = -np.sin(np.deg2rad(from_degrees)), -np.cos(np.deg2rad(from_degrees))
    assert wind_bin(eastward, northward, 8).tolist()[:3] == [1, 1, 2]
    assert wind_bin(eastward, northward, 8).tolist()[4] == 8
    assert wind_bin(np.array([0.0]), np.array([-5.0]), 8).tolist() == [8]  # exactly from north


def test_a_mesonet_s_wind_needs_its_provider_its_station_or_its_direction_on_a_use_list(lists_of):
    lists = lists_of(
        providers=f"{STARS}\nUse list for mesonet data\n{STARS}\nRAWS    allsprvs\nFL-Meso FAWN\n",
        stnuselist="GOOD\n",
        bins="number of bins = 8\n"
        "TURN       APRSWXNE   42.9858  -113.1770    3\nTURN       APRSWXNE   42.9858  -113.1770    4\n",
    )
    rows = [  # station, network, provider, eastward wind, northward wind, allowed
        ("X", "188", "RAWS/any", 1.0, 1.0, True),
        ("X", "188", "FL-Meso/FAWN", 1.0, 1.0, True),
        ("X", "188", "FL-Meso/OTHER", 1.0, 1.0, False),
        ("GOOD", "188", "", 1.0, 1.0, True),
        ("TURN   a", "288", "", -5.0, 0.1, True),  # from 91 degrees: bin 3
        ("TURN", "288", "", 5.0, 0.1, False),  # from 269 degrees: bin 6
        ("X", "188", "", 1.0, 1.0, False),
        ("X", "187", "", 1.0, 1.0, True),  # an airport
        ("X", "my network", "SOMEBODY", 1.0, 1.0, False),
    ]
    station, network, provider, east, north, allowed = (list(column) for column in zip(*rows, strict=True))
    for variable, value in (("u10", east), ("v10", north)):
        both = {"station": station * 2, "network": network * 2, "provider": provider * 2, "value": east + north}
        report = table(variable=["u10"] * 9 + ["v10"] * 9, latitude=np.tile(30.0 + np.arange(9), 2), **both)
        flags = np.array(listed(report, lists)).reshape(2, 9)[0 if variable == "u10" else 1]
        assert (~flags).tolist() == allowed and len(value) == 9
    gust = table(variable=["gust"] * 9, station=station, network=network, provider=provider)
    assert (~np.array(listed(gust, lists))).tolist() == [*allowed[:4], False, *allowed[5:]]
    assert not any(listed(table(variable=["t2m"] * 9, network=network, provider=provider), lists))


def test_a_mesonet_s_visibility_needs_its_station_on_the_list(lists_of):
    lists = lists_of(vis_uselist="PWR\nK3K3\n")
    names, kinds = ["PWR", "X", "X", "X"], ["188", "188", "187", "188"]
    report = table(variable=["visibility"] * 3 + ["t2m"], station=names, network=kinds)
    assert listed(report, lists) == [False, True, False, False]


def test_errors_fill_what_the_source_left_open_by_type_and_height(lists_of):
    falling = "\n".join(f"  {1100.0 - 30 * k:.5E} {1 + k / 10:.5E} 0.5 2.0 0.6 0.10000E+10" for k in range(33))
    text = f" 187 OBSERVATION TYPE\n{falling}\n{errors('287')}"
    lists = lists_of(errtable=text)
    report = table(
        variable=["t2m", "d2m", "u10", "psfc", "gust", "t2m", "t2m"],
        network=["187"] * 5 + ["187", "metar"],
        value=[290.0, 280.0, 3.0, 9e4, 9.0, 290.0, 290.0],
        elevation=0.0,
        error=[np.nan] * 5 + [0.7, np.nan],
        station=["A"] * 5 + ["B", "C"],
    )
    filled = fill_errors(report, lists.errors).error
    assert filled[0] == pytest.approx(1 + (1100.0 - 1013.25) / 300.0)  # linear in pressure, at sea level
    assert filled[1] == pytest.approx(dew_point_error(0.05, 280.0, 290.0))  # half a tenth of relative humidity
    assert filled[2] == 2.0 and filled[3] == 60.0 and filled[5] == 0.7
    assert np.isnan(filled[[4, 6]]).all()
    assert lists_of(nlqc=errors(subtype=" subtype    0    999    999    999    999")).errors is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "t_list",
            reject("temperature obs", "A") + "B | itype\n",
            r"t_list: line 5: expected a quote, a station's name",
        ),
        ("x_list", reject("happiness obs", "A"), r"x_list: line 2: expected 'reject list for' temperature"),
        ("prov", f"{STARS}\nUse list for mesonet data\n{STARS}\nRAWS\n", r"prov: line 4: expected a provider in eight"),
        ("bins", "number of bins = 8\nTURN       APRSWXNE   42.9858  -113.1770    9\n", r"bins: line 2: .* 1 to 8"),
        ("vis", "ABC\ntwo words\n", r"vis: line 2: expected a reject list, a use list"),
        ("plain", "ABC\n", r"plain: a plain list of stations does not say of what; .*rename it"),
        ("err", errors().rsplit("\n", 2)[0] + "\n", r"err: line 34: expected 6 numbers.*got the end"),
        ("err", errors() + errors(), r"err: line 35: expected the heading of a report type, each once"),
        ("err", errors(values="1.0 x 1.0 1.0 1.0"), r"err: line 2: expected 6 numbers"),
    ],
)
def test_a_damaged_list_is_an_error_that_names_file_and_line(lists_of, name, text, message):
    with pytest.raises(InputError, match=message):
        lists_of(**{name: text})


def test_bytes_that_are_no_text_and_an_empty_file_are_errors(tmp_path):
    (tmp_path / "binary").write_bytes(b"ab\xff\xfe")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(InputError, match=r"binary: byte 2 is not ASCII"):
        read_station_lists([tmp_path / "binary"])
    with pytest.raises(InputError, match=r"empty: the file is empty"):
        read_station_lists([tmp_path / "empty"])


def test_the_operational_tables_are_read_whole_and_flag_known_stations_of_a_real_hour(real_file, rap):
    folder = real_file("rtma_tables")
    paths = [path for word in ("*list*", "*errtable*", "nlqc*") for path in sorted(glob.glob(str(folder / word)))]
    lists = read_station_lists(paths)
    assert len(lists.files) == 14
    quoted = {}  # counted without the reader
    for key, name in (("t", "t"), ("q", "q"), ("p", "p"), ("w", "w"), ("t_day", "t_day"), ("t_night", "t_night")):
        lines = (folder / f"rtma_{name}_rejectlist").read_text().splitlines()
        quoted[key] = len({line[1:9] for line in lines if line.startswith("'")})
    assert {key: len(names) for key, names in lists.rejected.items()} == quoted
    assert len(lists.providers) == 17 and {("FL-Meso", "FAWN"), ("NOS-PORT", "allsprvs")} <= lists.providers
    bins = {(line[:8].strip(), int(line[-2:])) for line in (folder / "rtma_wbinuselist").read_text().splitlines()[1:]}
    assert sum(len(station_bins) for station_bins in lists.wind_bins.values()) == len(bins) > 8600 and lists.bins == 8
    assert lists.errors.look_up(181, "t2m", np.array([1e5])) == 1.0
    assert lists.errors.look_up(187, "u10", np.array([1e5])) == pytest.approx(1.5874)  # type 287
    assert lists.errors.look_up(187, "psfc", np.array([1e5])) == pytest.approx(53.89)
    checked = check_lists(rap, lists)
    taken = checked.flags & np.uint32(Flag.STATION_LIST) != 0
    for key, variable in (("t", "t2m"), ("q", "d2m"), ("p", "psfc"), ("w", "u10")):
        rows = rap.variable == variable
        expected = np.array([name.strip() in lists.rejected[key] for name in rap.station[rows]])
        if key == "t":  # the night's list: 06 UTC is night over the list's country
            expected |= np.array([name.strip() in lists.rejected["t_night"] for name in rap.station[rows]])
        assert 50 < expected.sum() < 400
        np.testing.assert_array_equal(taken[rows], expected)
