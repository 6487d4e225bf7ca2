"""Public station tables, read whole by the shipped mappings: small files in each archive's own form."""

import math

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.observations.csv_mapping import TableError
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.stations import StationList, read_stations
from mlrtma_dist.observations.table_csv import read_csv

KNOT, FOOT, MILE = 1852 / 3600, 0.3048, 1609.344
NONE = math.nan


def fahrenheit(value: float) -> float:
    return (value - 32) * 5 / 9 + 273.15


def station_pressure(inches: float, elevation: float) -> float:
    """Pa, by the pressure altitudes of the standard atmosphere."""
    n = 287.05287 * 0.0065 / 9.80665
    return 101325 * ((inches * 3386.389 / 101325) ** n - 0.0065 * elevation / 288.15) ** (1 / n)


def values(table, station: str, hour: int = 6) -> dict[str, float]:
    """Each variable of one station's report."""
    rows = table[(table.station == station) & (table.time.astype("datetime64[h]").astype(int) % 24 == hour)]
    return dict(zip(rows.variable.tolist(), rows.value.tolist(), strict=True))


def check(read_values: dict[str, float], **expected) -> None:
    present = {key: value for key, value in expected.items() if not math.isnan(value)}
    assert read_values.keys() == present.keys()
    for key, value in present.items():
        assert read_values[key] == pytest.approx(value, abs=1e-6 * max(1, abs(value))), key


IEM = (
    "station,valid,lon,lat,elevation,tmpf, dwpf, relh, drct, sknt, p01i, alti, mslp, vsby, gust, skyc1, skyc2, skyc3,"
    " skyc4, skyl1, skyl2, skyl3, skyl4, wxcodes, feel, metar\n"
    "DEN,2022-08-24 06:53,-104.67,39.86,1656.00,64.04,41.00,42.0,180.00,10.00,0.00,30.12,M,10.00,M,FEW,BKN,M,M,5000.00,"
    "12000.00,M,M,M,64.0,M\n"
    "LAX,2022-08-24 06:53,-118.39,33.94,30.00,66.02,61.00,80,M,0.00,T,29.92,1013.2,2.50,M,VV ,M,M,M,200.00,M,M,M,BR,66,"
    "M\n"
    "EGLL,2022-08-24 06:50,-0.46,51.47,25.00,64.40,59.00,82,240.00,8.00,M,30.03,M,6.21,20.00,CLR,M,M,M,M,M,M,M,M,64,M\n"
    "MKC,2022-08-24 06:54,-94.59,39.12,231.00,70.0,60.0,70,90.0,5.0,M,30.00,M,10.0,M,M,M,M,M,M,M,M,M,M,70,M\n"
)
COMMENTS = "#DEBUG: Format Typ    -> comma\n#DEBUG: Time Zone     -> {zone}\n#DEBUG: Entries Found -> 4\n"


@pytest.mark.parametrize("comments", ["", COMMENTS.format(zone="Etc/UTC")])
def test_a_table_of_the_iowa_environmental_mesonet_is_read_whole(tmp_path, comments):
    (tmp_path / "asos.txt").write_text(comments + IEM)
    table = read_observations(tmp_path / "asos.txt")
    check(
        values(table, "DEN"), t2m=fahrenheit(64.04), d2m=fahrenheit(41), u10=0, v10=10 * KNOT, visibility=10 * MILE,
        psfc=station_pressure(30.12, 1656), ceiling=12000 * FOOT, sky_cover=0.75,
    )  # fmt: skip
    check(
        values(table, "LAX"), t2m=fahrenheit(66.02), d2m=fahrenheit(61), u10=0, v10=0, visibility=2.5 * MILE,
        psfc=station_pressure(29.92, 30), ceiling=200 * FOOT, sky_cover=1.0,
    )  # fmt: skip
    london = values(table, "EGLL")
    assert london["gust"] == pytest.approx(20 * KNOT) and (london["ceiling"], london["sky_cover"]) == (20000.0, 0.0)
    assert "ceiling" not in values(table, "MKC") and "sky_cover" not in values(table, "MKC")
    assert set(table.network) == {"iem_asos"} and not table.flags.any()


def test_a_table_in_local_time_is_converted_by_its_comment_and_a_zone_that_is_none_is_an_error(tmp_path):
    local = IEM.replace("2022-08-24 06", "2022-08-24 01")
    (tmp_path / "asos.txt").write_text(COMMENTS.format(zone="America/Chicago") + local)
    table = read_observations(tmp_path / "asos.txt")
    assert {str(time)[:13] for time in table.time} == {"2022-08-24T06"}
    (tmp_path / "asos.txt").write_text(COMMENTS.format(zone="CDT") + local)
    with pytest.raises(TableError, match="asos.txt: its comments name the time zone 'CDT'"):
        read_observations(tmp_path / "asos.txt")


def test_columns_that_were_not_ordered_are_left_out_and_places_come_from_the_list_of_aerodromes(tmp_path):
    (tmp_path / "asos.txt").write_text("station,valid,tmpf\nDEN,2022-08-24 06:53,64.04\nEGLL,2022-08-24 06:50,M\n")
    table = read_observations(tmp_path / "asos.txt")
    assert table.variable.tolist() == ["t2m"] and table.latitude[0] == pytest.approx(39.86, abs=0.01)
    assert table.elevation[0] == pytest.approx(1656, abs=2)
    (tmp_path / "asos.txt").write_text("station,valid,tmpf\n???,2022-08-24 06:53,64.04\n")
    with pytest.raises(InputError, match=r"asos.txt: none of its stations .*\?\?\?; .*--stations"):
        read_observations(tmp_path / "asos.txt")


def test_where_the_report_stands_beside_its_decode_the_report_counts(tmp_path):
    """A decode that stopped at CB, took 21/M for 32 degF, 11/2SM for 5.5 miles, and wrote local time."""
    header = "station,valid,lon,lat,elevation,tmpf,dwpf,vsby,alti,skyc1,skyl1,metar\n"
    place = "-104.67,39.86,1656"
    one = "KDEN 240653Z 18005KT 11/2SM FEW008 BKN030CB 21/M A3012"
    two = "KDEN 240753Z 18005KT 10SM 0VC010 21/05 A3012 RMK T02060051"
    rows = (
        f"DEN,2022-08-24 00:53,{place},69.8,32.0,5.5,30.12,FEW,800,{one}\n"
        f"DEN,2022-08-24 07:53,{place},69.8,32.0,10,30.12,CLR,M,{two}\n"
        f"DEN,2022-08-24 08:53,{place},69.8,32.0,10,30.12,CLR,M,M\n"
    )
    (tmp_path / "asos.csv").write_text(header + rows)
    table = read_observations(tmp_path / "asos.csv")
    psfc = station_pressure(30.12, 1656)
    wind = {"u10": 0, "v10": 5 * KNOT}
    first, second, third = values(table, "DEN"), values(table, "DEN", 7), values(table, "DEN", 8)
    check(first, t2m=294.15, d2m=NONE, **wind, visibility=1.5 * MILE, psfc=psfc, ceiling=3000 * FOOT, sky_cover=0.75)
    check(second, t2m=293.75, d2m=278.25, **wind, visibility=10 * MILE, psfc=psfc, ceiling=NONE, sky_cover=NONE)
    check(third, t2m=294.15, d2m=273.15, visibility=10 * MILE, psfc=psfc, ceiling=20000.0, sky_cover=0.0)


SYNOPTIC = (
    "# STATION: KDEN\n# STATION NAME: Denver\n# LATITUDE: 39.86\n# LONGITUDE: -104.67\n"
    "# ELEVATION [{length}]: {height}\n# STATE: CO\n"
    "Station_ID,Date_Time,altimeter_set_1,air_temp_set_1,dew_point_temperature_set_1d,wind_speed_set_1,"
    "wind_direction_set_1,visibility_set_1,ceiling_set_1,weather_cond_code_set_1\n,,{units},code\n{row}\n"
)


@pytest.mark.parametrize(
    ("length", "height", "units", "row"),
    [
        ("ft", "5433", "Pascals,Celsius,Celsius,m/s,Degrees,Statute miles,Meters",
         "KDEN,2022-08-24T06:53:00Z,101998.04,17.8,5.0,5.144444,180.0,10.0,3657.6,1"),
        ("m", "1655.98", "INHG,Fahrenheit,Fahrenheit,Miles/hour,Degrees,Miles,Feet",
         "KDEN,08/24/2022 06:53 UTC,30.12,64.04,41.0,11.5078,180.0,10.0,12000,1"),
        ("ft", "5433", "Millibars,Kelvin,Kelvin,knots,Degrees,km,ft",
         "KDEN,2022-08-24T00:53:00-0600,1019.9804,290.95,278.15,10.0,180.0,16.09344,12000,1"),
    ],
)  # fmt: skip
def test_a_time_series_of_synoptic_data_is_read_in_the_units_of_its_own_rows(tmp_path, length, height, units, row):
    text = SYNOPTIC.format(length=length, height=height, units=units, row=row)
    (tmp_path / "KDEN.csv").write_text(text)
    table = read_observations(tmp_path / "KDEN.csv")
    assert {str(time) for time in table.time} == {"2022-08-24T06:53:00"} and set(table.latitude) == {39.86}
    np.testing.assert_allclose(table.elevation, 1655.98, atol=0.01)
    for variable, value in values(table, "KDEN").items():
        truth = {"t2m": 290.95, "d2m": 278.15, "u10": 0.0, "v10": 5.144444, "visibility": 16093.44, "ceiling": 3657.6}
        truth["psfc"] = station_pressure(30.12, 1655.98)
        assert value == pytest.approx(truth[variable], rel=1e-5, abs=1e-9), variable


def test_units_and_comments_that_cannot_be_used_are_named_together(tmp_path):
    text = SYNOPTIC.format(length="ells", height="1", units="code,K,m,m/s,Degrees,Miles,Feet", row="KDEN" + "," * 9)
    (tmp_path / "KDEN.csv").write_text(text.replace("# LATITUDE: 39.86\n", ""))
    with pytest.raises(TableError) as error:
        read_observations(tmp_path / "KDEN.csv")
    for words in ("no comment 'LATITUDE'", "elevation in 'ells'", "d2m in 'm'", "altimeter in 'code'"):
        assert words in str(error.value)


def test_local_climatological_data_are_read_by_their_reports_in_utc(tmp_path):
    header = (
        '"STATION","DATE","LATITUDE","LONGITUDE","ELEVATION","NAME","REPORT_TYPE","HourlyDryBulbTemperature","REM"\n'
    )
    start = '"72565003017","2022-08-23T23:53:00","39.86","-104.67","1656","DENVER, CO US"'
    report = "MET09508/23/22 23:53:02 KDEN 240653Z 18010KT 10SM OVC120 18/05 A3012 RMK AO2 T01780050"
    rows = f'{start},"FM-15","64","{report}"\n{start},"SOD  ","",""\n'
    (tmp_path / "lcd.csv").write_text(header + rows)
    table = read_observations(tmp_path / "lcd.csv")
    check(
        values(table, "72565003017"), t2m=290.95, d2m=278.15, u10=0, v10=10 * KNOT, visibility=10 * MILE,
        psfc=station_pressure(30.12, 1656), ceiling=12000 * FOOT, sky_cover=1.0,
    )  # fmt: skip
    assert {str(time) for time in table.time} == {"2022-08-24T06:53:00"}


def test_isd_lite_is_read_in_tenths_with_the_station_of_its_name_and_the_places_of_its_history(tmp_path):
    (tmp_path / "725650-03017-2022.txt").write_text(
        "2022 08 24 06   178    50 10132   180    51     8 -9999 -9999\n"
        "2022 08 24 07   -33 -9999 10132 -9999    51    12 -9999 -9999\n"
        "2022 08 24 08   -33   -51 -9999     0     0     9 -9999 -9999\n"
    )
    (tmp_path / "isd-history.csv").write_text(
        '"USAF","WBAN","STATION NAME","CTRY","STATE","ICAO","LAT","LON","ELEV(M)","BEGIN","END"\n'
        '"725650","03017","DENVER INTL","US","CO","KDEN","+39.833","-104.658","+1650.2","19940718","20251231"\n'
        '"999999","00001","NOWHERE","US","CO","","","","","19940718","20251231"\n'
    )
    stations = read_stations([tmp_path / "isd-history.csv"])
    table = read_observations(tmp_path / "725650-03017-2022.txt", mapping="isd_lite", stations=stations)
    assert set(table.station) == {"725650-03017"} and set(table.elevation) == {1650.2}
    check(values(table, "725650-03017"), t2m=290.95, d2m=278.15, u10=0, v10=5.1, sky_cover=1.0)
    check(values(table, "725650-03017", 7), t2m=269.85)
    check(values(table, "725650-03017", 8), t2m=269.85, d2m=268.05, u10=0, v10=0, sky_cover=1.0)


def test_meteostat_is_read_with_the_station_of_its_name(tmp_path):
    (tmp_path / "72565.csv").write_text(
        "year,month,day,hour,temp,temp_source,dwpt,rhum,wdir,wspd,wpgt,pres,coco\n"
        "2022,8,24,6,17.8,isd_lite,5.0,43,180,18.0,36.0,1013.2,1\n2022,8,24,7,,,,,,,,,\n"
    )
    stations = StationList({"72565": (39.86, -104.67, 1656.0)}, ("meteostat.csv",))
    table = read_observations(tmp_path / "72565.csv", stations=stations)
    check(values(table, "72565"), t2m=290.95, d2m=278.15, u10=0, v10=5.0, gust=10.0)
    assert set(table.station) == {"72565"} and set(table.elevation) == {1656.0}


def sky_mapping(**more) -> dict:
    columns = {"station": {"value": "A"}, "latitude": {"value": 40}, "longitude": {"value": 255}}
    sky = {"cover": ["c1", "c2"], "base": ["b1", "b2"], "unit": "ft"}
    return {**columns, "time": {"column": "t"}, "variables": {"sky": sky}, **more}


@pytest.mark.parametrize(
    ("cells", "feet", "cover"),
    [
        ("BKN,1000,OVC,2000", 1000, 1.0),
        ("few,1000,ovc,2000", 2000, 1.0),
        ("SCT,1000,,", 20000 / FOOT, 3.5 / 8),
        ("SKC,,,", 20000 / FOOT, 0.0),
        ("VV,300,,", 300, 1.0),
        ("BKN,,,", NONE, 0.75),
        (",,,", NONE, NONE),
        (",1000,,", NONE, NONE),  # a base without a cover
        ("FEW,1000,YYY,2000", NONE, NONE),
        ("OVC,1000,YYY,2000", 1000, 1.0),
        ("OVC,2000,YYY,1000", NONE, 1.0),
        ("BKN,1000,FEW,", 1000, 0.75),
    ],
)
def test_sky_words_and_bases_in_several_columns_become_ceiling_and_cover(cells, feet, cover):
    table = read_csv(f"t,c1,b1,c2,b2\n2022-08-24T06:00Z,{cells}\n".encode(), "a.csv", sky_mapping())
    check(values(table, "A"), ceiling=feet * FOOT, sky_cover=cover)


def test_an_altimeter_setting_without_an_elevation_gives_no_pressure_and_a_warning(caplog):
    mapping = sky_mapping(variables={"altimeter": {"column": "alti", "unit": "inHg"}})
    assert not len(read_csv(b"t,alti\n2022-08-24T06:00Z,30.12\n", "a.csv", mapping))
    assert "a.csv: altimeter settings give no station pressure: no station's elevation is known" in caplog.text


def test_a_measured_pressure_precedes_that_of_the_altimeter():
    variables = {"psfc": {"column": "p", "unit": "mb"}, "altimeter": {"column": "alti", "unit": "inHg"}}
    mapping = sky_mapping(variables=variables, elevation={"value": 1656, "unit": "m"})
    table = read_csv(b"t,p,alti\n2022-08-24T06:00Z,835.5,30.12\n2022-08-24T07:00Z,,30.12\n", "a.csv", mapping)
    np.testing.assert_allclose(table.value, [83550.0, station_pressure(30.12, 1656)])
