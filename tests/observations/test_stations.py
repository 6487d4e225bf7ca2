"""Lists of stations: the operational form, CSV, what is wrong with a line, and the real lists."""

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.observations.stations import aerodromes, read_stations


def write(tmp_path, text, name="list.dat"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_columns_with_and_without_a_network_and_csv_say_the_same(tmp_path):
    forms = (
        "KDEN   1656.00    187.00    512.00     39.86   -104.67    -7\n# a remark\n\nXXXX 1 2 3 99.99 -99.99 0\n",
        "KDEN   MesoWest 1656.00    187.00    512.00     39.86   -104.67    -7\n",
        "station,elevation,latitude,longitude\nKDEN,1656,39.86,255.33\n\n",
    )
    for number, text in enumerate(forms):
        stations = read_stations([write(tmp_path, text, f"{number}.dat")])
        latitude, longitude, elevation = stations.find(np.array(["KDEN", "XXXX"]))
        assert latitude[0] == 39.86 and longitude[0] == pytest.approx(-104.67) and elevation[0] == 1656.0
        assert np.isnan([latitude[1], longitude[1], elevation[1]]).all()


def test_the_lists_that_archives_publish_are_read_in_their_own_columns(tmp_path):
    forms = {
        "our.csv": '"ident","type","latitude_deg","longitude_deg","elevation_ft"\n"KDEN","large",39.86,-104.67,5433\n',
        "iem.csv": "stid,station_name,lat,lon,elev,begints\nKDEN,Denver,39.86,-104.67,1655.98,1995\nKXXX,None,,,,\n",
        "isd.csv": '"USAF","WBAN","LAT","LON","ELEV(M)"\n"KD","EN","+39.86","-104.67","+1655.98"\n"A","B","","",""\n',
    }
    for name, text in forms.items():
        places = read_stations([write(tmp_path, text, name)]).places
        assert places == {
            "KD-EN" if name == "isd.csv" else "KDEN": (39.86, pytest.approx(-104.67), pytest.approx(1655.98, abs=0.01))
        }


def test_the_aerodromes_stand_where_a_real_list_puts_them(real_file):
    lists = read_stations([real_file("stations", "metar.dat")]).places
    both = [name for name in lists if name in aerodromes() and name.startswith("K")]
    ours, theirs = (np.array([places[name] for name in both]) for places in (aerodromes(), lists))
    assert len(both) > 1800
    kilometres = 111.2 * np.hypot(
        ours[:, 0] - theirs[:, 0], (ours[:, 1] - theirs[:, 1]) * np.cos(np.deg2rad(ours[:, 0]))
    )
    assert np.mean(kilometres < 5) > 0.99 and np.nanmean(np.abs(ours[:, 2] - theirs[:, 2]) < 30) > 0.97


def test_of_several_lists_the_first_counts_and_an_unknown_height_is_missing(tmp_path):
    one = write(tmp_path, "KDEN 9999 187 512 39.86 -104.67 -7\n", "one")
    two = write(tmp_path, "KDEN 5 187 512 10.0 -10.0 -7\nKLAX 30 187 512 33.94 -118.4 -8\n", "two")
    stations = read_stations([one, two])
    assert stations.places["KDEN"][:2] == (39.86, pytest.approx(-104.67)) and np.isnan(stations.places["KDEN"][2])
    assert stations.places["KLAX"][2] == 30.0 and stations.files == ("one", "two")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("KDEN 1656 187\n", "line 1: expected name, elevation"),
        ("KLAX 30 187 512 33.94 -118.4\nKDEN here is no number at all\n", "line 2: expected name"),
        ("station,latitude,longitude\nKDEN,north,west\n", "line 2: expected a station's name and numbers as"),
        ("latitude,longitude,station\n39.9,-104.7\n", "line 2: expected a station's name"),
        ("XXXX 1 2 3 99.99 -99.99 0\n", "found no line of one"),
        ("\n\n", "found no line of one"),
    ],
)
def test_a_line_that_is_no_station_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=f"list.dat: .*{message}"):
        read_stations([write(tmp_path, text)])


def test_an_empty_a_missing_and_a_binary_list_are_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("binary", "empty", "absent"):
        with pytest.raises(InputError, match=name):
            read_stations([tmp_path / name])


def test_flipped_bytes_give_a_list_or_a_named_error(tmp_path, real_file, seed):
    whole = real_file("stations", "metarak.dat").read_bytes()
    random = np.random.default_rng(seed)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, len(damaged), 3):
            damaged[place] = random.integers(256)
        path = tmp_path / "damaged"
        path.write_bytes(bytes(damaged))
        try:
            stations = read_stations([path])
        except InputError as error:
            assert "damaged" in str(error), f"seed {seed}"
        else:
            assert len(stations.places) > 200, f"seed {seed}"


@pytest.mark.parametrize(("name", "number"), [("metar.dat", 5600), ("mesoa.dat", 9000), ("mesohi.dat", 190)])
def test_the_real_lists_are_read(real_file, name, number):
    places = read_stations([real_file("stations", name)]).places
    assert len(places) >= number
    if name == "metar.dat":
        assert places["KDEN"] == (39.86, pytest.approx(-104.67), 1656.0)
