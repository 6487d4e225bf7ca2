"""METAR text: every form written out by hand, and the real files record by record against MetPy's parser."""

import math
import warnings

import numpy as np
import pytest

from mlrtma_dist.io.file_kind import read_unpacked
from mlrtma_dist.observations.metar_parse import parse_metar
from mlrtma_dist.observations.metar_text import split_reports
from mlrtma_dist.observations.sky import DOUBTFUL

KNOT, MILE, FOOT, INCH = 0.514444, 1609.344, 0.3048, 3386.389


def near(value, expected, tolerance=1e-3):
    return (math.isnan(value) and math.isnan(expected)) or abs(value - expected) <= tolerance


@pytest.mark.parametrize(
    ("text", "direction", "speed", "gust"),
    [
        ("18005KT", 180, 5 * KNOT, math.nan),
        ("31012G20KT", 310, 12 * KNOT, 20 * KNOT),
        ("VRB03KT", math.nan, 3 * KNOT, math.nan),
        ("00000KT", 0, 0, math.nan),
        ("24008MPS", 240, 8, math.nan),
        ("24008G15MPS", 240, 8, 15),
        ("230P99KT", 230, 99 * KNOT, math.nan),
        ("120105KT", 120, 105 * KNOT, math.nan),
        ("18036KMH", 180, 10, math.nan),
        ("/////KT", math.nan, math.nan, math.nan),
        ("///22KT", math.nan, 22 * KNOT, math.nan),
        ("AUTO 10SM CLR", math.nan, math.nan, math.nan),
        ("99905KT", math.nan, 5 * KNOT, math.nan),
        ("E33009G15KT", 330, 9 * KNOT, 15 * KNOT),
        ("18005 KT", 180, 5 * KNOT, math.nan),
        ("18505G03KT", 185, 5 * KNOT, math.nan),
        ("18005KT 20010KT", math.nan, math.nan, math.nan),
        ("180O5KT", math.nan, math.nan, math.nan),
        ("2405KT", math.nan, math.nan, math.nan),
    ],
)
def test_wind_is_read_in_every_unit_calm_variable_gusty_and_missing(text, direction, speed, gust):
    metar = parse_metar(f"{text} 21/20 A3005")
    assert near(metar.direction, direction) and near(metar.speed, speed) and near(metar.gust, gust)


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("10SM", 10 * MILE),
        ("1 1/2SM", 1.5 * MILE),
        ("M1/4SM", 0.25 * MILE),
        ("P6SM", 6 * MILE),
        ("11/2SM", 1.5 * MILE),  # the blank is lost, as below
        ("21/2SM", 2.5 * MILE),
        ("13/4SM", 1.75 * MILE),
        ("113/4SM", 11.75 * MILE),
        ("M11/4SM", 1.25 * MILE),
        ("1 1/2 SM", 1.5 * MILE),
        ("10 SM", 10 * MILE),
        ("11/16SM", math.nan),  # 11/16 or 1 1/16
        ("4/4SM", math.nan),
        ("1 11/2SM", math.nan),
        ("1 10SM", math.nan),  # of "1 1/0SM"
        ("1/ 2SM", math.nan),
        ("1/2V2SM", math.nan),
        ("10SM 1/2SM", math.nan),
        ("1OSM", math.nan),
        ("M0400", 400),
        ("P6000", 6000),
        ("8999", math.nan),  # no step of the code
        ("99999", math.nan),
        ("3/0SM", math.nan),
        ("9999", 10e3),
        ("0350", 350),
        ("4000SW", 4000),
        ("5000NDV", 5000),
        ("15KM", 15e3),
        ("CAVOK", 10e3),
        ("////SM", math.nan),
        ("", math.nan),
        ("R06/P6000FT", math.nan),
        ("3000 1500NE", 3000),
    ],
)
def test_visibility_is_read_in_miles_fractions_metres_and_limits(text, metres):
    assert near(parse_metar(f"AUTO 18005KT {text} SCT020 21/20 A3005").visibility, metres)


def test_four_digits_after_the_temperature_and_a_forecast_are_no_visibility():
    assert math.isnan(parse_metar("18005KT 21/20 Q1013 2000").visibility)
    assert parse_metar("18005KT 8000 21/20 Q1013 TEMPO 2000 OVC002").visibility == 8000
    assert parse_metar("18005KT 8000 FEW030 21/20 Q1013 BECMG OVC002").sky == (("FEW", 3000 * FOOT),)


@pytest.mark.parametrize(
    ("text", "temperature", "dew_point"),
    [
        ("22/05 A3012", 22, 5),
        ("M02/M05 A2994", -2, -5),
        ("M00/M01 A2994", 0, -1),
        ("04/ A2994", 4, math.nan),
        ("06/// A2999", 6, math.nan),
        ("MM/MM A3013", math.nan, math.nan),
        ("19/14 A3012 RMK AO2 T01890144", 18.9, 14.4),
        ("00/M01 A3012 RMK AO2 T10041011", -0.4, -1.1),
        ("A3012 RMK AO2 T02330144", 23.3, 14.4),
        ("22/05 A3012 RMK T0221", 22.1, 5),
        ("22/05 A3012 RMK T01210052", 22, 5.2),  # 10 K from the whole degrees: a slip of the keyboard
        ("19/1 A3012", 19, math.nan),  # a digit is lost: 1, or 10 to 19
        ("23/-1 A3012", 23, math.nan),
        ("M03/M1 A3012", -3, math.nan),
        ("15/122 A3012", 15, math.nan),
        ("-05/-12 A3012", -5, -12),
        ("1/16 A3012", math.nan, math.nan),
        ("350/04 A3012", math.nan, math.nan),
        ("350/04 31/19 A3012", 31, 19),
        ("21/M A3021", 21, math.nan),
        ("M/M A3021", math.nan, math.nan),
        ("21/M05 A3021", 21, -5),
        ("22/05 12/05 A3012", math.nan, math.nan),
        ("19/1 A3012 RMK AO2 T01890144", 18.9, 14.4),
        ("23/11 A3019 RMK SLP228 T023390111", 23, 11),  # a digit too many
        ("19/14 A3012 RMK T0189014410272", 18.9, 14.4),  # the blank before the next group is lost
        ("19/14 A3012 AO2 SLP113 T01890144", 18.9, 14.4),  # RMK is lost
    ],
)
def test_temperatures_come_in_tenths_where_the_remarks_have_them(text, temperature, dew_point):
    metar = parse_metar(f"18005KT 10SM CLR {text}")
    assert near(metar.temperature - 273.15, temperature) and near(metar.dew_point - 273.15, dew_point)


@pytest.mark.parametrize(
    ("text", "pascals"),
    [
        ("A2992", 29.92 * INCH),
        ("Q1013", 101300),
        ("Q2992", 29.92 * INCH),
        ("QNH1013", 101300),
        ("QNH2992INS", 29.92 * INCH),
        ("Q1013 A2991", 29.91 * INCH),
        ("Q////", math.nan),
        ("A2297", math.nan),  # 778 hPa
        ("Q1332", math.nan),
        ("Q1015 A2297", 101500),
        ("Q1011 A2995", math.nan),  # 3 hPa apart
        ("A 3012", 30.12 * INCH),
    ],
)
def test_the_altimeter_setting_is_read_in_inches_and_hectopascals(text, pascals):
    assert near(parse_metar(f"18005KT 10SM CLR 22/05 {text} RMK SLP132").altimeter, pascals, 0.01)


def test_every_sky_word_and_its_base_is_read():
    sky = parse_metar("18005KT 2SM FEW004 SCT016TCU BKN120/// OVC/// VV002 SKC //////CB 22/05 A3012").sky
    assert [word for word, _ in sky] == ["FEW", "SCT", "BKN", "OVC", "VV", "SKC", DOUBTFUL]
    np.testing.assert_allclose([base for _, base in sky][:3], np.array([400, 1600, 12000]) * FOOT)
    assert math.isnan(sky[3][1]) and sky[4][1] == pytest.approx(200 * FOOT) and math.isnan(sky[5][1])


FILES = ("metar_20190701_1200.txt", "metar_20151105_0000.txt.gz", "metar_20191215_0000.txt", "metar_20200106_0000.wmo")
# Values of a record (it has seven and its sky) in which the two may differ on average, and why. Where ours is missing:
# "8000RA", "15/122", "18008KT(E)", groups run together. Where MetPy's is missing:
# all after a word that its grammar does not know (RTD, CCA, ////SM, M).
# Where both have a value: the altimeter of stations that give Q and A (MetPy takes Q, we the finer A), half-degree
# roundings of the remark's tenths, "1801KT 7000" (1801 m to MetPy), FEW to BKN beyond the fourth layer.
ALLOWED = {"ours missing": 0.004, "MetPy missing": 0.05, "both differ": 0.003, "altimeter differs": 0.012, "sky": 0.015}


@pytest.mark.parametrize("name", FILES)
def test_the_real_files_agree_with_metpy_record_by_record(real_file, name):
    peer = pytest.importorskip("metpy.io.metar", reason="MetPy is not installed")
    reports = split_reports(read_unpacked(real_file("metar", name)).decode("latin-1"))
    assert len({report.station for report in reports}) > 4500
    reports = reports[::8]
    differences = dict.fromkeys(ALLOWED, 0)
    compared = 0
    for station, time, body, _ in reports:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = peer.parse_metar(f"METAR {station} {time}Z {body}", 2019, 7, station_metadata={})
        ours = parse_metar(body)
        pairs = [
            (ours.direction, theirs.wind_direction, 0.1),
            (ours.speed, theirs.wind_speed * KNOT, 0.01),
            (ours.gust, theirs.wind_gust * KNOT, 0.01),
            (ours.visibility, theirs.visibility, 1.0),
            (ours.temperature - 273.15, theirs.temperature, 1.01),
            (ours.dew_point - 273.15, theirs.dewpoint, 1.01),
            (ours.altimeter, theirs.altimeter * INCH, 1.0),
        ]
        for number, (one, two, tolerance) in enumerate(pairs):
            if math.isnan(one) or math.isnan(two):
                differences["ours missing"] += math.isnan(one) and not math.isnan(two)
                differences["MetPy missing"] += math.isnan(two) and not math.isnan(one)
            else:
                compared += 1
                differences["altimeter differs" if number == 6 else "both differ"] += abs(one - two) > tolerance
        words = [w for w in (theirs.skyc1, theirs.skyc2, theirs.skyc3, theirs.skyc4) if isinstance(w, str)]
        differences["sky"] += words != [word for word, _ in ours.sky if word not in ("CAVOK", DOUBTFUL)][:4]
    assert compared > 4 * len(reports)
    assert {k: v for k, v in differences.items() if v > ALLOWED[k] * len(reports)} == {}
