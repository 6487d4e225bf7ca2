"""The BUFR decoder against messages written bit by bit and against ecCodes."""

import importlib.util
import pathlib

import eccodes
import numpy as np
import pytest

from mlrtma_dist.io.bufr import BufrError, decode

_SPEC = importlib.util.spec_from_file_location("bufr_writer", pathlib.Path(__file__).with_name("bufr_writer.py"))
bufr = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(bufr)

ELEMENTS = {
    "001194": ("SID", "CCITT IA5", 0, 0, 64),
    "012245": ("TOB", "DEG C", 1, -2732, 14),
    "012246": ("TQM", "CODE TABLE", 0, 0, 5),
    "010052": ("ALSE", "PASCALS", -1, 0, 14),
    "020003": ("PRWE", "CODE TABLE", 0, 0, 9),
    "005002": ("YOB", "DEG N", 2, -9000, 15),
}
SEQUENCES = {
    "360001": ("DRP16BIT", ["101000", "031002"]),
    "360002": ("DRP8BIT", ["101000", "031001"]),
    "360004": ("DRP1BIT", ["101000", "031000"]),
    "348173": ("T__EVENT", ["012245", "012246"]),
    "348143": ("T___INFO", ["360002", "348173", "360004", "348005"]),
    "348005": ("ALTIMSEQ", ["010052"]),
    "348013": ("PREWXSEQ", ["020003"]),
    "348109": ("ADPSFC", ["001194", "207003", "005002", "207000", "360004", "348143", "360001", "348013"]),
}
TABLES = bufr.tables(ELEMENTS, SEQUENCES, {109: "ADPSFC"})
NCEP = ("063000", "348109", "102000", "031001", "206001", "063255")
# station, latitude, events of (temperature, mark) or None, altimeter setting or None, weather codes
REPORTS = [
    ("KDEN", 39.84658, [(22.9, 2), (21.5, None)], 101690.0, []),
    ("KMSY", -89.5, None, None, [10, None, 508]),
    (None, 0.0, [(None, 14)], None, [7] * 300),
    ("CYPX", 60.81, [], 99990.0, []),
]


def subset(station, latitude, events, altimeter, weather) -> str:
    """One report as NCEP writes it: byte count, data, padding to a byte."""
    bits = (
        bufr.text(station, 8)
        + bufr.number(round(latitude * 1e5) + 9_000_000, 25)
        + bufr.number(int(events is not None), 1)
    )
    if events is not None:
        bits += bufr.number(len(events), 8)
        for value, mark in events:
            bits += bufr.number(None if value is None else round(value * 10) + 2732, 14) + bufr.number(mark, 5)
        bits += bufr.number(int(altimeter is not None), 1) + (
            "" if altimeter is None else bufr.number(round(altimeter / 10), 14)
        )
    bits += bufr.number(len(weather), 16) + "".join(bufr.number(code, 9) for code in weather)
    pad = -(16 + len(bits) + 8) % 8
    whole = len(bits) + 16 + 8 + pad
    return bufr.number(whole // 8, 16) + bits + bufr.number(pad, 8) + "0" * pad


def a_file(reports=REPORTS) -> bytes:
    return TABLES + bufr.message(109, NCEP, "".join(subset(*report) for report in reports), len(reports))


def test_every_value_comes_back_as_written_through_replications_of_1_8_and_16_bits():
    (reports,) = decode(a_file(), "a.bufr")
    columns = reports.columns
    assert reports.category == "ADPSFC"
    assert list(reports.time.astype(str)) == ["2022-08-24T06:00:00"] * 4
    assert list(columns[""].values("SID")) == ["KDEN", "KMSY", "", "CYPX"]
    assert columns[""].values("YOB").tolist() == [39.84658, -89.5, 0.0, 60.81]
    events = columns["T__EVENT"]
    np.testing.assert_array_equal(events.values("TOB"), [22.9, 21.5, np.nan])
    np.testing.assert_array_equal(events.values("TQM"), [2, np.nan, 14])
    assert (events.subset.tolist(), events.order.tolist()) == ([0, 0, 2], [0, 1, 0])
    np.testing.assert_array_equal(reports.first("ALSE"), [101690, np.nan, np.nan, 99990])
    assert columns["PREWXSEQ"].subset.tolist() == [1] * 3 + [2] * 300
    np.testing.assert_array_equal(columns["PREWXSEQ"].values("PRWE")[:4], [10, np.nan, 508, 7])


@pytest.mark.parametrize("between", [b"", b"\0" * 6, b"\0\0\1\2\0\0\1\2", b"\r\r\nISIE01 KWBC 240600\r\r\n"])
def test_padding_record_lengths_and_bulletin_headings_between_messages_are_passed_over(between):
    one = bufr.message(109, NCEP, subset(*REPORTS[0]))
    (reports,) = decode(TABLES + between + one + between + one, "a.bufr")
    assert reports.first("TOB").tolist() == [22.9, 22.9]


def test_a_message_lost_by_a_damaged_start_is_an_error_and_not_a_gap():
    one = bufr.message(109, NCEP, subset(*REPORTS[0]))
    with pytest.raises(BufrError, match=f"a.bufr: .*byte {len(TABLES + one)} belong to no BUFR message"):
        decode(TABLES + one + one.replace(b"BUFR", b"BUVR") + one, "a.bufr")


def peer_message(descriptors: list[int], counts: list[int], values: dict, edition: int = 3) -> bytes:
    """A compressed message encoded by ecCodes with WMO's own tables."""
    handle = eccodes.codes_bufr_new_from_samples(f"BUFR{edition}")
    year = {"typicalYearOfCentury": 22} if edition == 3 else {"typicalYear": 2022}
    for key, value in {
        "masterTablesVersionNumber": 29,
        "dataCategory": 109,
        "numberOfSubsets": 3,
        "compressedData": 1,
        **year,
        "typicalMonth": 8,
        "typicalDay": 24,
        "typicalHour": 6,
        "typicalMinute": 0,
    }.items():
        eccodes.codes_set(handle, key, value)
    if counts:
        eccodes.codes_set_array(handle, "inputDelayedDescriptorReplicationFactor", counts)
    eccodes.codes_set_array(handle, "unexpandedDescriptors", descriptors)
    for key, value in values.items():
        eccodes.codes_set_array(handle, key, value)
    eccodes.codes_set(handle, "pack", 1)
    message = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return message


WMO = {
    "001015": ("NAME", "CCITT IA5", 0, 0, 160),
    "012101": ("T", "K", 2, 0, 16),
    "010004": ("P", "PA", -1, 0, 14),
    "011001": ("DD", "DEGREE TRUE", 0, 0, 9),
}


def test_compressed_messages_and_operators_agree_with_eccodes():
    temperature, pressure, direction = [293.1234, 250.0001, 301.5], [101325.2, 99990.0, 54321.9], [10, 350, 180]
    descriptors = [1015, 201136, 202130, 12101, 202000, 201000, 207002, 10004, 207000, 101000, 31001, 11001]
    written = peer_message(
        descriptors,
        [2],
        {
            "#1#stationOrSiteName": ["DENVER", "OSLO", "X"],
            "#1#airTemperature": temperature,
            "#1#nonCoordinatePressure": pressure,
            "#1#windDirection": direction,
            "#2#windDirection": [5] * 3,
        },
    )
    (reports,) = decode(bufr.tables(WMO, {}, {109: "TEST"}) + written, "peer")
    assert reports.first("NAME").tolist() == ["DENVER", "OSLO", "X"]
    np.testing.assert_allclose(reports.first("T"), temperature, rtol=0, atol=5e-5)
    np.testing.assert_allclose(reports.first("P"), pressure, rtol=0, atol=0.05)
    assert reports.columns["011001"].values("DD").tolist() == [10, 5, 350, 5, 180, 5]


@pytest.mark.parametrize("edition", [3, 4])
def test_missing_values_and_the_date_are_read_as_eccodes_writes_them_in_both_editions(edition):
    gone = eccodes.CODES_MISSING_DOUBLE
    written = peer_message(
        [12101, 10004], [], {"#1#airTemperature": [290.0, gone, 291.5], "#1#nonCoordinatePressure": [gone] * 3}, edition
    )
    (reports,) = decode(bufr.tables(WMO, {}, {109: "TEST"}) + written, "peer")
    np.testing.assert_array_equal(reports.first("T"), [290.0, np.nan, 291.5])
    assert np.isnan(reports.first("P")).all()
    assert str(reports.time[0]) == "2022-08-24T06:00:00"


def test_edition_4_is_read_like_edition_3():
    parts = [bufr.message(109, NCEP, subset(*REPORTS[0]), edition=edition) for edition in (3, 4)]
    third, fourth = (decode(TABLES + part, "a")[0] for part in parts)
    assert third.time.tolist() == fourth.time.tolist()
    assert third.first("TOB").tolist() == fourth.first("TOB").tolist() == [22.9]


GOOD = bufr.message(109, NCEP, subset(*REPORTS[0]))


def changed(at: int, *new: int) -> bytes:
    return GOOD[:at] + bytes(new) + GOOD[at + len(new) :]


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (changed(7, 9), "edition 9"),
        (changed(len(GOOD) - 2, 0), "no end mark 7777"),
        (changed(4, 0, 255, 0), "the file is cut off"),
        (changed(8, 0, 1, 0), "a section at byte .* has length 256"),
        (changed(11, 1), "master table 1"),
        (changed(18, 200), "version 200"),
        (changed(21, 13), "is no date"),
        (changed(30, 0, 9), "9 subsets need at least|reaches|do not fit|lies behind"),
        (bufr.message(109, ("012101",), "0" * 16), "012101 is in no table B"),
        (bufr.message(109, ("301001",), "0" * 16), "301001 is in no table D"),
        (bufr.message(109, ("203010", "012245"), "0" * 16), "operator 203010 is not supported"),
        (bufr.message(109, ("102000", "031001"), "0" * 16), "reaches over the end of its sequence"),
        (bufr.message(109, ("101000", "012245"), "0" * 16), "instead of a count"),
        (bufr.message(109, ("103255", "102255", "101255", "012245"), "0" * 16), "subsets need at least"),
        (bufr.message(109, ("101000", "031002", "012245"), "1" * 16), "65535 repetitions of 012245 .* do not fit"),
        (bufr.message(109, ("012246",), "0" * 64), "59 bits are left in section 4"),
        (bufr.message(109, NCEP, bufr.number(60, 16) + subset(*REPORTS[0])[16:]), "bytes long, its count says 60"),
        (
            bufr.message(109, ("101000", "031002", "001194"), "1" * 15 + "0" * 65 + "000000", 65535, compressed=True),
            "grow|within|left|many",
        ),
    ],
)
def test_a_damaged_message_gives_an_error_that_names_file_byte_and_cause(damaged, message):
    with pytest.raises(BufrError, match=f"a.bufr: message at byte {len(TABLES)}: .*({message})"):
        decode(TABLES + damaged, "a.bufr")


def test_a_sequence_that_contains_itself_is_an_error():
    endless = bufr.tables(ELEMENTS, {"348109": ("ADPSFC", ["348109", "012245"])}, {109: "ADPSFC"})
    with pytest.raises(BufrError, match="calls itself"):
        decode(endless + GOOD, "a.bufr")


def test_sequences_that_double_at_each_level_do_not_exhaust_memory():
    levels = {f"348{n:03d}": (f"S{n}", [f"348{n + 1:03d}"] * 2) for n in range(100, 125)} | {
        "348125": ("S", ["012245"])
    }
    with pytest.raises(BufrError, match="more than 20000 descriptors"):
        decode(bufr.tables(ELEMENTS, levels, {109: "ADPSFC"}) + bufr.message(109, ("348100",), "0" * 16), "a.bufr")


@pytest.mark.parametrize("data", [b"", b"no message at all", b"BUFR", b"BUFR\0\0"])
def test_what_is_no_bufr_file_is_an_error(data):
    with pytest.raises(BufrError, match=r"a\.bufr: "):
        decode(data, "a.bufr")


def test_a_file_cut_anywhere_is_an_error_or_ends_after_a_whole_message():
    whole = a_file()
    for length in range(0, len(whole), 3):
        with pytest.raises(BufrError):
            decode(whole[:length], "a.bufr")
    assert len(decode(whole, "a.bufr")[0].time) == 4


def test_flipped_bytes_give_a_bufr_error_or_a_readable_table(seed):
    """400 single bytes; what is not noticed changes values but never the number of rows a value needs."""
    random = np.random.default_rng(seed)
    whole, noticed = a_file(), 0
    for _ in range(400):
        at = int(random.integers(len(whole)))
        damaged = bytearray(whole)
        damaged[at] ^= int(random.integers(1, 256))
        try:
            for reports in decode(bytes(damaged), "a.bufr"):
                for column in reports.columns.values():
                    for mnemonic in column.mnemonics:
                        assert len(column.values(mnemonic)) == len(column.parent), (seed, at)
        except BufrError as error:
            assert str(error).startswith("a.bufr: "), (seed, at)
            noticed += 1
    assert noticed > 60, (seed, noticed)
