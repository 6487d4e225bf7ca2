"""Real PrepBUFR files: against a decode by other means, against metpy, and damaged on purpose."""

import metpy.calc
import numpy as np
import pytest
from metpy.units import units

from mlrtma_dist.io.bufr import BufrError, decode
from mlrtma_dist.observations.prepbufr import read_prepbufr
from mlrtma_dist.physics.moisture import sensible_temperature

COLUMNS = (
    "SID",
    "XOB",
    "YOB",
    "DHR",
    "ELV",
    "TYP",
    "T29",
    "RPT",
    "CAT",
    "POB",
    "PQM",
    "QOB",
    "QQM",
    "TOB",
    "TQM",
    "ZOB",
    "ZQM",
    "UOB",
    "VOB",
    "WQM",
    "DDO",
    "SOB",
    "TDO",
    "MXGS",
    "HOVI",
    "VTVI",
    "CEILING",
    "TOCC",
    "PMO",
    "ALSE",
    "SST1",
)


def column_of(rows, name) -> np.ndarray:
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


@pytest.mark.parametrize("name", COLUMNS)
def test_all_16751_records_agree_with_another_decoder(rap_reports, rap_rows, name):
    column = rap_reports.first(name)
    assert len(column) == len(rap_rows) == 16751
    if name == "SID":
        assert column.tolist() == [row["SID"] for row in rap_rows]
    else:
        np.testing.assert_allclose(column, column_of(rap_rows, name), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("variable", "column", "mark", "factor", "offset"),
    [
        ("t2m", "TOB", "TQM", 1, 273.15),
        ("d2m", "TDO", "QQM", 1, 273.15),
        ("u10", "UOB", "WQM", 1, 0),
        ("v10", "VOB", "WQM", 1, 0),
        ("psfc", "POB", "PQM", 100, 0),
        ("visibility", "HOVI", None, 1, 0),
        ("ceiling", "CEILING", None, 1, 0),
        ("gust", "MXGS", None, 1, 0),
    ],
)
def test_each_row_of_the_table_is_a_record_of_the_other_decoder(rap, rap_rows, variable, column, mark, factor, offset):
    rows = [row for row in rap_rows if row[column] and (column != "POB" or int(row["TYP"]) < 200)]
    table = rap.of(variable)
    assert table.station.tolist() == [row["SID"] for row in rows]
    np.testing.assert_allclose(table.value, column_of(rows, column) * factor + offset, rtol=0, atol=1e-9)
    np.testing.assert_allclose(table.latitude, column_of(rows, "YOB"), rtol=0, atol=1e-9)
    np.testing.assert_allclose(table.longitude % 360, column_of(rows, "XOB") % 360, rtol=0, atol=1e-9)
    elevation = column_of(rows, "ELV")
    np.testing.assert_array_equal(table.elevation, np.where(elevation == 9999, np.nan, elevation))
    seconds = (table.time - np.datetime64("2022-08-24T06")).astype(float)
    np.testing.assert_allclose(seconds, column_of(rows, "DHR") * 3600, rtol=0, atol=0.5)
    if mark:
        derived = np.isin(table.network, ["183", "192", "193"]) if variable == "psfc" else False
        np.testing.assert_array_equal(table.flags != 0, (column_of(rows, mark) > 3) | derived)


def test_every_wind_of_the_real_file_carries_the_type_of_its_mass_report(rap):
    pressure = rap.of("psfc")
    mass = {(s, t): n for s, t, n in zip(pressure.station, pressure.time, pressure.network, strict=True)}
    wind = rap.of("u10")
    assert len(wind) == 8085
    assert all(mass[s, t] == n for s, t, n in zip(wind.station, wind.time, wind.network, strict=True))


def test_sky_cover_lies_between_0_and_1_and_obscured_skies_are_1(rap, rap_rows):
    percent = np.array([float(row["TOCC"]) for row in rap_rows if row["TOCC"]])
    assert (percent > 100).sum() == 21
    np.testing.assert_allclose(rap.of("sky_cover").value, np.minimum(percent, 100) / 100, rtol=0, atol=1e-12)


def test_virtual_temperatures_of_gdas_are_those_that_metpy_makes_of_the_sensible_ones(gdas, gdas_bytes):
    (reports,) = decode(gdas_bytes, "gdas")
    virtual, humidity = reports.first("TOB"), reports.first("QOB") * 1e-6
    stepped = reports.first("TPC") == 8
    assert stepped.sum() == 457
    table = gdas.of("t2m")
    sensible = table.value[np.isin(np.flatnonzero(np.isfinite(virtual)), np.flatnonzero(stepped))]
    mixing = (humidity / (1 - humidity))[stepped] * units("kg/kg")
    peer_virtual = metpy.calc.virtual_temperature(sensible * units.K, mixing).to("degC").magnitude
    np.testing.assert_allclose(peer_virtual, virtual[stepped], rtol=0, atol=0.12)  # both are rounded to 0.1 K
    np.testing.assert_allclose(
        sensible_temperature(peer_virtual + 273.15, humidity[stepped]), sensible, rtol=0, atol=0.01
    )


def test_the_background_of_gdas_is_of_the_same_quantity_as_the_observation(gdas):
    # Taken as it stands TFC would be 1.9 K too warm, and 2.1 K at the ships without humidity.
    for variable, limit in (("t2m", 0.4), ("d2m", 1.5), ("u10", 0.5), ("v10", 0.5), ("psfc", 60.0)):
        table = gdas.of(variable)
        table = table[table.good & np.isfinite(table.background)]
        assert len(table) > 400, variable
        assert abs(np.median(table.value - table.background)) < limit, variable


def test_observation_errors_of_gdas_are_in_si(gdas):
    errors = {
        v: sorted(set(np.round(gdas.of(v).error[np.isfinite(gdas.of(v).error)], 6))) for v in ("t2m", "psfc", "u10")
    }
    assert errors == {"t2m": [2.5], "psfc": [160.0], "u10": [2.2, 2.5]}


@pytest.fixture(scope="session")
def short_gdas(gdas_bytes) -> bytes:
    """The tables and the first two messages with reports."""
    start = 0
    for _ in range(9):
        start = gdas_bytes.index(b"BUFR", start) + int.from_bytes(gdas_bytes[start + 4 : start + 7], "big")
        start = gdas_bytes.index(b"BUFR", start)
    return gdas_bytes[:start]


def test_flipped_bytes_in_a_real_file_give_an_error_or_touch_few_rows(short_gdas, seed):
    """A flip in section 4 that no reader can notice changes the rows of one subset, not of its neighbours."""
    random = np.random.default_rng(seed)
    intact = read_prepbufr(short_gdas, "gdas")
    tables_end = short_gdas.index(b"BUFR", 50000)
    keys = {
        (s, str(t), v, x, a, o)
        for s, t, v, x, a, o in zip(
            intact.station, intact.time, intact.variable, intact.value, intact.latitude, intact.longitude, strict=True
        )
    }
    for trial in range(40):
        at = int(random.integers(tables_end if trial % 2 else 0, len(short_gdas)))
        damaged = bytearray(short_gdas)
        damaged[at] ^= 1 << int(random.integers(8))
        try:
            table = read_prepbufr(bytes(damaged), "gdas")
        except BufrError as error:
            assert str(error).startswith("gdas: "), (seed, trial)
            continue
        assert np.isfinite(table.value).all(), (seed, trial)
        assert (
            (np.abs(table.latitude) <= 90).all() and (table.longitude >= -180).all() and (table.longitude < 180).all()
        ), (seed, trial)
        if at > tables_end:
            columns = table.station, table.time, table.variable, table.value, table.latitude, table.longitude
            rows = zip(*columns, strict=True)
            strange = [row for row in rows if (row[0], str(row[1]), *row[2:]) not in keys]
            assert len(strange) <= 20, (seed, trial, at)


def test_a_real_file_cut_anywhere_is_an_error(short_gdas, seed):
    last = short_gdas.rindex(b"BUFR")
    for length in np.random.default_rng(seed).integers(last + 1, len(short_gdas.rstrip(b"\0")), 10):
        with pytest.raises(BufrError, match="gdas: "):
            read_prepbufr(short_gdas[:length], "gdas")


def test_ships_and_buoys_keep_their_own_network_and_stand_at_the_waters_level(gdas):
    """Types of table 2 of PREPBUFR processing: 180, 280 ships and buoys, 282 moored buoys of the tropics, 183 land."""
    marine = gdas[np.isin(gdas.network, ("180", "280", "282"))]
    assert len(np.unique(marine.station)) > 300 and {"180", "282"} <= set(marine.network)
    assert (gdas.network == "180").sum() > 4000
    height = marine.elevation[np.isfinite(marine.elevation)]
    assert np.isfinite(marine.elevation).mean() > 0.95
    assert np.mean(np.abs(height) < 20) > 0.95 and height.max() < 500  # buoys of the Great Lakes at 75 to 183 m
    pressure = marine.of("psfc")
    usable = pressure[pressure.flags == 0]
    assert len(usable) > 300 and np.all((usable.value > 92000) & (usable.value < 107000))
