"""PrepBUFR reports written by hand: every rule of the reader."""

import metpy.calc
import numpy as np
import pytest
from metpy.units import units

from mlrtma_dist.io.bufr import BufrError
from mlrtma_dist.observations.prepbufr import read_prepbufr
from mlrtma_dist.observations.table import Flag

ELEMENTS = {
    "001194": ("SID", "CCITT IA5", 0, 0, 64),
    "006240": ("XOB", "DEG E", 2, -18000, 16),
    "005002": ("YOB", "DEG N", 2, -9000, 15),
    "004215": ("DHR", "HOURS", 5, -2400000, 23),
    "010199": ("ELV", "METER", 0, -1000, 17),
    "055007": ("TYP", "CODE TABLE", 0, 0, 10),
    "007245": ("POB", "MB", 1, 0, 14),
    "007246": ("PQM", "CODE TABLE", 0, 0, 5),
    "007249": ("PFC", "MB", 1, 0, 14),
    "013245": ("QOB", "MG/KG", 0, 0, 16),
    "013246": ("QQM", "CODE TABLE", 0, 0, 5),
    "013249": ("QFC", "MG/KG", 0, 0, 16),
    "012245": ("TOB", "DEG C", 1, -2732, 14),
    "012246": ("TQM", "CODE TABLE", 0, 0, 5),
    "012247": ("TPC", "CODE TABLE", 0, 0, 5),
    "012249": ("TFC", "DEG C", 1, -2732, 14),
    "012250": ("TOE", "DEG C", 1, 0, 10),
    "011003": ("UOB", "M/S", 1, -4096, 13),
    "011004": ("VOB", "M/S", 1, -4096, 13),
    "011240": ("WQM", "CODE TABLE", 0, 0, 5),
    "020010": ("TOCC", "PERCENT", 0, 0, 7),
    "011041": ("MXGS", "M/S", 1, 0, 12),
}
SEQUENCES = {
    "360002": ("DRP8BIT", ["101000", "031001"]),
    "348171": ("P__EVENT", ["007245", "007246"]),
    "348172": ("Q__EVENT", ["013245", "013246"]),
    "348173": ("T__EVENT", ["012245", "012246", "012247"]),
    "348175": ("W__EVENT", ["011003", "011004", "011240"]),
    "348193": ("T__BACKG", ["012250", "012249", "007249", "013249"]),
    "348029": ("CLOU2SEQ", ["020010"]),
    "348024": ("GUST1SEQ", ["011041"]),
    "348109": (
        "ADPSFC",
        [
            "001194",
            "006240",
            "005002",
            "004215",
            "010199",
            "055007",
            "360002",
            "348171",
            "360002",
            "348172",
            "360002",
            "348173",
            "360002",
            "348193",
            "360002",
            "348175",
            "360002",
            "348029",
            "360002",
            "348024",
        ],
    ),
}


@pytest.fixture
def one_message(bufr_writer):
    """A function from reports to a file; a report is a dictionary of header values and stacks of raw numbers."""

    def write(*reports: dict, date=(22, 8, 24, 6, 0), elements=ELEMENTS) -> bytes:
        bits = ""
        for report in reports:
            head = {"SID": "KDEN", "XOB": 255.33, "YOB": 39.85, "DHR": -0.25, "ELV": 1656, "TYP": 187} | report
            bits += bufr_writer.text(head["SID"], 8)
            for key in ("006240", "005002", "004215", "010199", "055007"):
                name, _, scale, reference, width = elements[key]
                value = head[name]
                bits += bufr_writer.number(None if value is None else round(value * 10**scale) - reference, width)
            for sequence in ("348171", "348172", "348173", "348193", "348175", "348029", "348024"):
                name, members = SEQUENCES[sequence]
                stack = report.get(name, [])
                bits += bufr_writer.number(len(stack), 8)
                for event in stack:
                    for key, value in zip(members, event, strict=True):
                        _, _, scale, reference, width = elements[key]
                        bits += bufr_writer.number(
                            None if value is None else round(value * 10**scale) - reference, width
                        )
        return bufr_writer.message(109, ("348109",), bits, len(reports), date=date)

    return write


@pytest.fixture
def tables(bufr_writer):
    return bufr_writer.tables(ELEMENTS, SEQUENCES, {109: "ADPSFC"})


def only(table, variable):
    (value,) = table.of(variable).value
    return value


@pytest.mark.parametrize(
    ("events", "value", "flag"),
    [
        ([(22.9, 2, 1)], 22.9, 0),
        ([(25.1, 2, 8), (22.9, 2, 1)], 22.9, 0),
        ([(25.1, 2, 8), (25.0, 2, 8), (22.9, 2, 1)], 22.9, 0),
        ([(25.1, 13, 10), (25.1, 2, 8), (22.9, 2, 1)], 22.9, Flag.PROVIDER),  # rejected after it was made virtual
        ([(25.1, 8, 8), (22.9, 2, 1)], 22.9, 0),  # VIRTMP's own mark speaks of the moisture
        ([(22.9, 14, 4), (22.9, 2, 1)], 22.9, Flag.PROVIDER),
    ],
)
def test_temperature_is_the_newest_event_that_is_not_virtual(one_message, tables, events, value, flag):
    row = read_prepbufr(tables + one_message({"T__EVENT": events}), "a").of("t2m")
    np.testing.assert_allclose(row.value, [value + 273.15], rtol=0, atol=1e-9)
    assert row.flags.tolist() == [flag]


def test_a_temperature_known_only_as_virtual_gives_no_row(one_message, tables):
    assert len(read_prepbufr(tables + one_message({"T__EVENT": [(25.1, 2, 8)]}), "a").of("t2m")) == 0


def test_the_background_is_virtual_where_the_file_has_virtual_temperatures_and_sensible_otherwise(one_message, tables):
    background = [(2.5, 26.0, 1000.0, 15000)]
    virtual = read_prepbufr(
        tables + one_message({"T__EVENT": [(25.1, 2, 8), (22.9, 2, 1)], "T__BACKG": background}), "a"
    ).of("t2m")
    plain = read_prepbufr(tables + one_message({"T__EVENT": [(22.9, 2, 1)], "T__BACKG": background}), "a").of("t2m")
    mixing = 0.015 / 0.985
    truth = 299.15 / metpy.calc.virtual_temperature(1.0 * units.K, mixing * units("kg/kg")).magnitude
    np.testing.assert_allclose(virtual.background, [truth], rtol=0, atol=1e-3)
    np.testing.assert_allclose(plain.background, [299.15], rtol=0, atol=1e-9)
    np.testing.assert_allclose(plain.error, [2.5], rtol=0, atol=1e-12)


def test_mass_and_wind_become_one_report_and_pressure_comes_once(one_message, tables):
    wind = {"TYP": 287, "ELV": None, "P__EVENT": [(830.0, 2)], "W__EVENT": [(-3.4, 5.6, 14)]}
    mass = {"TYP": 187, "P__EVENT": [(830.0, 2)], "GUST1SEQ": [(9.8,)], "CLOU2SEQ": [(113,)]}
    alone = {"TYP": 287, "SID": "KMSY", "P__EVENT": [(1001.0, 2)]}
    table = read_prepbufr(tables + one_message(wind, mass, alone), "a")
    assert set(table.network[table.station == "KDEN"]) == {"187"}
    assert table.of("u10").elevation.tolist() == [1656.0]
    assert dict(zip(table.of("psfc").station, table.of("psfc").value, strict=True)) == {
        "KDEN": 83000.0,
        "KMSY": 100100.0,
    }
    assert (table.of("gust").value.tolist(), table.of("gust").flags.tolist()) == ([9.8], [Flag.PROVIDER])
    assert (only(table, "u10"), only(table, "v10"), only(table, "sky_cover")) == (-3.4, 5.6, 1.0)
    assert set(table.time.astype(str)) == {"2022-08-24T05:45:00"}
    np.testing.assert_allclose(table.longitude, 255.33 - 360, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "mark", "flag"),
    [
        (181, 3, 0),
        (187, 2, 0),
        (183, 3, Flag.PROVIDER),
        (192, 2, Flag.PROVIDER),
        (180, 8, Flag.PROVIDER),
        (188, None, 0),
        (181, 9, Flag.PROVIDER),
        (181, 4, Flag.PROVIDER),
        (181, 0, 0),
    ],
)
def test_pressure_is_used_where_it_was_measured_and_its_mark_is_at_most_3(one_message, tables, kind, mark, flag):
    table = read_prepbufr(tables + one_message({"TYP": kind, "P__EVENT": [(830.0, mark)]}), "a")
    assert table.of("psfc").flags.tolist() == [flag]


def test_dew_point_is_made_from_humidity_where_the_file_gives_none(one_message, tables):
    table = read_prepbufr(tables + one_message({"P__EVENT": [(991.2, 2)], "Q__EVENT": [(16966, 3)]}), "a")
    truth = metpy.calc.dewpoint_from_specific_humidity(991.2 * units.hPa, 0.016966 * units("kg/kg")).to("K").magnitude
    np.testing.assert_allclose(only(table, "d2m"), truth, rtol=0, atol=0.01)
    assert table.good.all()


def test_a_missing_position_or_time_is_flagged_and_an_impossible_one_is_an_error(one_message, tables):
    table = read_prepbufr(tables + one_message({"YOB": None, "DHR": None, "T__EVENT": [(22.9, 2, 1)]}), "a")
    assert table.flags.tolist() == [Flag.POSITION | Flag.TIME]
    with pytest.raises(BufrError, match=f"a: message at byte {len(tables)}: report 'KDEN' is at latitude 97.1"):
        read_prepbufr(tables + one_message({"YOB": 97.1}), "a")
    with pytest.raises(BufrError, match="30.0 h from the cycle"):
        read_prepbufr(tables + one_message({"DHR": 30}), "a")


def test_messages_of_two_cycles_in_one_file_are_an_error(one_message, tables):
    report = {"T__EVENT": [(22.9, 2, 1)]}
    with pytest.raises(BufrError, match="is of 2022-08-25T06:00:00, those before it of 2022-08-24T06:00:00"):
        read_prepbufr(tables + one_message(report) + one_message(report, date=(22, 8, 25, 6, 0)), "a")
    later = tables + one_message(report) + tables + one_message(report, date=(22, 8, 25, 6, 0))
    assert len(read_prepbufr(later, "two files joined")) == 2


def test_a_unit_that_is_not_known_is_an_error(one_message, bufr_writer):
    elements = ELEMENTS | {"012245": ("TOB", "DEG F", 1, -2732, 14)}
    with pytest.raises(BufrError, match="TOB is in 'DEG F'"):
        read_prepbufr(
            bufr_writer.tables(elements, SEQUENCES, {109: "ADPSFC"}) + one_message({"T__EVENT": [(22.9, 2, 1)]}), "a"
        )


def test_a_bufr_file_of_another_kind_is_an_error(one_message, bufr_writer):
    data = bufr_writer.tables(ELEMENTS, SEQUENCES, {109: "ADPUPA"}) + one_message({})
    with pytest.raises(BufrError, match=r"no reports of type .*ADPSFC.*; found types \['ADPUPA'\]"):
        read_prepbufr(data, "a")
