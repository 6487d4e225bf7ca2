"""MADIS and SAO netCDF: values against another decoder, marks, gross errors; truncated, fuzzed, empty files."""

import gzip
import re

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.file_kind import read_unpacked
from mlrtma_dist.observations.madis import REJECTED, read_madis
from mlrtma_dist.observations.quality import check_reports
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.sao import read_sao
from mlrtma_dist.observations.stations import StationList
from mlrtma_dist.observations.table import Flag

MADIS, SAO = ("madis", "20050826_0000_metar.nc.gz"), ("sao", "95031800_sao.cdf")


@pytest.fixture(scope="module")
def madis(real_file):
    data = read_unpacked(real_file(*MADIS))
    with netCDF4.Dataset("peer", memory=data) as peer:
        names = ("temperature", "tempFromTenths", "windSpeed", "windDir", "altimeter", "elevation", "visibility")
        names += ("timeObs",)
        columns = {key: np.ma.filled(peer[key][:].astype(np.float64), np.nan) for key in names}
        columns["mark"] = peer["temperatureDD"][:].astype(str)
        columns["raw"] = netCDF4.chartostring(peer["rawMETAR"][:])
    columns_alone = read_madis(data.replace(b"rawMETAR", b"another_"), "madis.nc")
    return data, columns_alone, columns


def test_madis_values_are_those_that_the_netcdf_library_reads(madis):
    _, table, peer = madis
    tenths = np.where(np.isnan(peer["tempFromTenths"]), peer["temperature"], peer["tempFromTenths"])
    np.testing.assert_array_equal(table.of("t2m").value, tenths[np.isfinite(tenths)])
    np.testing.assert_array_equal(table.of("visibility").value, peer["visibility"][np.isfinite(peer["visibility"])])
    blows = np.isfinite(peer["windSpeed"]) & (np.isfinite(peer["windDir"]) | (peer["windSpeed"] == 0))
    np.testing.assert_allclose(
        np.hypot(table.of("u10").value, table.of("v10").value), peer["windSpeed"][blows], atol=1e-12
    )
    seconds = table.of("t2m").time.astype(np.int64)
    np.testing.assert_array_equal(seconds, peer["timeObs"][np.isfinite(tenths)])
    psfc = table.of("psfc")
    both = np.isfinite(peer["altimeter"]) & np.isfinite(peer["elevation"])
    high = psfc.elevation > 500
    assert len(psfc) == both.sum() and (peer["altimeter"][both][high] - psfc.value[high] > 5000).all()


def test_the_marks_of_madis_are_kept_and_those_of_failure_flag_the_row(madis):
    _, table, peer = madis
    temperatures = table.of("t2m")
    value = np.where(np.isnan(peer["tempFromTenths"]), peer["temperature"], peer["tempFromTenths"])
    np.testing.assert_array_equal(temperatures.mark, peer["mark"][np.isfinite(value)])
    rejected = (table.flags & int(Flag.PROVIDER)) != 0
    np.testing.assert_array_equal(rejected, np.isin(table.mark, REJECTED))
    assert 300 < rejected.sum() < 400 and set(table.mark[~rejected]) == {"", "C", "S", "V"}


def by_report(table) -> dict:
    minutes = table.time.astype("datetime64[m]").tolist()
    return dict(zip(zip(table.station.tolist(), minutes, strict=True), table.value, strict=True))


LIMIT = re.compile(r"\b(?:BKN|OVC|VV)\d{3}")


def test_where_madis_holds_a_text_its_values_are_those_of_the_text(madis):
    data, columns, peer = madis
    table = read_madis(data, "madis.nc")
    lowest = {}
    for raw, seconds in zip(peer["raw"], peer["timeObs"], strict=True):
        body = raw.split("RMK")[0]
        bases = [int(group[-3:]) * 30.48 for group in LIMIT.findall(body)]
        if bases:
            lowest[re.search(r"[A-Z]\w{3}(?= \d{6}Z)", body)[0], np.datetime64(int(seconds), "s")] = min(bases)

    def unlimited(observations):
        ceiling = observations.of("ceiling")
        keys = zip(ceiling.station.tolist(), ceiling.time, strict=True)
        return [key for key, value in zip(keys, ceiling.value, strict=True) if value == 20000.0 and key in lowest]

    assert len(lowest) > 900 and len(unlimited(columns)) >= 8 and not unlimited(table)
    assert abs(len(table.of("t2m")) - len(columns.of("t2m"))) < 20  # and nothing else is lost
    assert not (table.of("d2m").value == 273.15)[table.of("d2m").station == "KJAC"].any()  # "21/M" is no 0 degC


def test_the_text_inside_madis_gives_the_same_temperatures_ceilings_and_visibilities(madis, tmp_path):
    """The file holds the raw reports, too: two readers, one truth."""
    _, table, peer = madis
    text = "\n".join(f"{raw.strip().rstrip('=')}=" for raw in peer["raw"])
    (tmp_path / "metar_20050826_0000.txt").write_text(text)
    columns = (table.station, table.latitude, table.longitude, table.elevation)
    places = {station: tuple(place) for station, *place in zip(*columns, strict=True)}
    spelled = read_observations(tmp_path / "metar_20050826_0000.txt", stations=StationList(places, ("madis",)))
    agreeing, compared = {}, {}
    # the columns' decoder loses a tenth of a degree here and there: 19.4 becomes 19.3
    tolerances = {"t2m": 0.11, "d2m": 0.11, "psfc": 8.0, "ceiling": 2.0, "sky_cover": 0.01, "u10": 0.01}
    for variable, tolerance in tolerances.items():
        one, two = by_report(table.of(variable)), by_report(spelled.of(variable))
        common = one.keys() & two.keys()
        compared[variable] = len(common)
        agreeing[variable] = np.mean([abs(one[k] - two[k]) <= tolerance for k in common])
    assert min(compared.values()) > 2500, compared
    assert min(agreeing.values()) > 0.985, agreeing


def write_madis(path, texts, covers, bases, **columns) -> bytes:
    """A small MADIS file; columns are over reports."""

    def letters(words):
        return netCDF4.stringtochar(np.array(words, dtype="S99"))

    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        for name, size in (("recNum", len(texts)), ("layer", len(covers[0])), ("letters", 99)):
            file.createDimension(name, size)
        for name, words in (("stationName", [f"K{n:03d}" for n in range(len(texts))]), ("rawMETAR", texts)):
            file.createVariable(name, "S1", ("recNum", "letters"))[:] = letters(words)
        file.createVariable("skyCover", "S1", ("recNum", "layer", "letters"))[:] = letters(covers)
        file.createVariable("skyLayerBase", "f4", ("recNum", "layer"))[:] = bases
        for name, values in columns.items():
            file.createVariable(name, "f8", ("recNum",))[:] = values
    return path.read_bytes()


def test_a_column_that_the_text_contradicts_gives_way_and_a_word_that_is_no_cover_is_no_clear_sky(tmp_path):
    texts = ["K000 260000Z 18005KT 1 1/2SM FEW008 BKN030CB 21/M A3000 RMK AO2", "K001 260000Z NIL", "", ""]
    covers = [["FEW", ""], ["BKN", ""], ["CLR", ""], ["FEW", "-BKN"]]
    bases = [[243.84, np.nan], [609.6, np.nan], [np.nan, np.nan], [300.0, 900.0]]
    place = {"latitude": 40.0, "longitude": -100.0, "elevation": 100.0, "timeObs": 1125014400.0}
    data = write_madis(tmp_path / "madis.nc", texts, covers, bases, **place, dewpoint=273.15, visibility=8851.0)
    table = read_madis(data, "madis.nc")
    ceilings = dict(zip(table.of("ceiling").station.tolist(), table.of("ceiling").value, strict=True))
    assert ceilings == {"K000": pytest.approx(914.4), "K001": pytest.approx(609.6), "K002": 20000.0}
    assert table.of("d2m").station.tolist() == ["K001", "K002", "K003"]
    assert table.of("visibility").value[0] == pytest.approx(2414.016)


@pytest.mark.slow
def test_every_gross_error_of_the_24_sao_hours_is_flagged(real_file):
    counts = dict.fromkeys(("longitude", "dew point", "direction", "visibility", "altimeter"), 0)
    for hour in range(24):
        path = real_file("sao", f"950318{hour:02d}_sao.cdf")
        with netCDF4.Dataset(path) as peer:
            keys = ("lon", "TD", "DIR", "SPD", "VIS", "ALTIM", "elev")
            raw = {key: np.ma.filled(peer[key][:].astype(np.float64), np.nan) for key in keys}
        table = read_observations(path)
        checked = check_reports(table, time=np.datetime64(f"1995-03-18T{hour:02d}:00"), window=np.timedelta64(24, "h"))
        with np.errstate(invalid="ignore"):
            wrong = {
                "longitude": (np.abs(raw["lon"]) > 180),
                "dew point": raw["TD"] > 40,
                "direction": ((raw["DIR"] < 0) | (raw["DIR"] > 360)) & (raw["SPD"] > 0),
                "visibility": (raw["VIS"] < 0) | (raw["VIS"] > 80),
                "altimeter": np.isfinite(raw["elev"]) & ((raw["ALTIM"] < 400) | (raw["ALTIM"] > 1200)),
            }
        for name, mask in wrong.items():
            counts[name] += int(mask.sum())
        assert len(table.of("d2m")) == np.isfinite(raw["TD"]).sum()  # none is lost
        assert len(table.of("u10")) == (np.isfinite(raw["SPD"]) & (np.isfinite(raw["DIR"]) | (raw["SPD"] == 0))).sum()
        dew = checked.of("d2m")
        assert (dew.flags[dew.value > 313.15] & int(Flag.RANGE)).all()
        assert (dew.value > 5000).sum() == (raw["TD"] > 5000).sum()
        assert (checked.flags[~np.isfinite(checked.value)] & int(Flag.RANGE)).all()
        assert ((checked.flags & int(Flag.POSITION)) != 0).sum() == np.isnan(checked.latitude).sum()
        good = checked[checked.good]
        assert np.abs(good.longitude).max() <= 180 and np.isfinite(good.value).all()
        for variable, low, high in (("d2m", 200, 310), ("visibility", 0, 80e3), ("psfc", 45e3, 108.5e3)):
            assert good.of(variable).value.min() >= low and good.of(variable).value.max() <= high
    assert counts["longitude"] >= 20 and counts["dew point"] >= 20 and min(counts.values()) > 0, counts


def test_sao_values_units_times_and_sky_are_those_of_the_file(real_file):
    path = real_file(*SAO)
    table = read_observations(path)
    with netCDF4.Dataset(path) as peer:
        celsius, visibility = (np.ma.filled(peer[key][:].astype(np.float64), np.nan) for key in ("T", "VIS"))
        times = ["".join(row.astype(str)) for row in peer["time"][:].filled(b" ")]
        codes = peer["CC"][:].filled(b"/").astype(str)
    np.testing.assert_allclose(table.of("t2m").value, celsius[np.isfinite(celsius)] + 273.15, atol=1e-9)
    np.testing.assert_allclose(table.of("visibility").value, visibility[np.isfinite(visibility)] * 1e3, atol=1e-6)
    expected = [np.datetime64(f"{t[:4]}-{t[5:7]}-{t[8:10]}T{t[11:16]}") for t in times]
    np.testing.assert_array_equal(table.of("t2m").time, np.array(expected, dtype="datetime64[s]")[np.isfinite(celsius)])
    clear = (codes == "0").any(axis=1).sum()
    assert (table.of("sky_cover").value == 0).sum() == clear > 200
    assert (table.of("ceiling").value == 20000).sum() > clear and set(table.network) == {"sao"}


def test_sao_reports_without_a_position_stand_where_the_list_says(real_file):
    """One station of the file without a position is given one; nothing else changes."""
    data = real_file(*SAO).read_bytes()
    before = read_sao(data, "sao.cdf")
    lost = np.unique(before.station[np.isnan(before.latitude)])
    name, placed = str(lost[0]), before.station[np.isfinite(before.latitude)][0]
    places = {name: (40.5, -100.25, 900.0), str(placed): (0.0, 0.0, 0.0)}
    after = read_sao(data, "sao.cdf", stations=StationList(places, ("list.csv",)))
    listed = (after.station == name) & (after.latitude == 40.5)
    assert listed.any() and (after.longitude[listed] == -100.25).all() and (after.elevation[listed] == 900.0).all()
    assert not (after.flags[listed] & Flag.POSITION).any()
    rest = after[~listed]
    same = before[~((before.station == name) & np.isnan(before.latitude))]
    np.testing.assert_array_equal(rest.station, same.station)
    np.testing.assert_array_equal(rest.latitude, same.latitude)  # a position of the file's own stays
    np.testing.assert_array_equal(rest.flags, same.flags)


@pytest.mark.parametrize(("parts", "read"), [(MADIS, read_madis), (SAO, read_sao)])
def test_a_file_cut_anywhere_is_an_error_that_names_it(real_file, parts, read):
    data = read_unpacked(real_file(*parts))
    for kept in (1, 4, 7, 20, 1000, len(data) // 3, len(data) // 2):
        with pytest.raises(InputError, match="cut.nc"):
            read(data[:kept], "cut.nc")


@pytest.mark.parametrize(("parts", "read"), [(MADIS, read_madis), (SAO, read_sao)])
def test_flipped_bytes_give_a_table_or_a_named_error(real_file, parts, read, seed):
    data = read_unpacked(real_file(*parts))
    random = np.random.default_rng(seed)
    outcomes = {"read": 0, "refused": 0}
    for trial in range(30):
        damaged = bytearray(data)
        reach = 3000 if trial % 2 else len(data)  # the header is small and would hardly be met
        for place in random.integers(4, reach, random.integers(1, 30)):
            damaged[place] = random.integers(256)
        try:
            table = read(bytes(damaged), "damaged.nc")
        except InputError as error:
            assert "damaged.nc" in str(error), f"seed {seed}"
            outcomes["refused"] += 1
        else:
            placed = np.isfinite(table.latitude)
            assert (np.abs(table.latitude[placed]) <= 90).all(), f"seed {seed}"
            outcomes["read"] += 1
    assert min(outcomes.values()) > 0, f"seed {seed}: {outcomes}"


def test_both_are_known_by_their_variables_gzipped_or_not_whatever_the_name(real_file, tmp_path):
    for parts, network in ((MADIS, "madis"), (SAO, "sao")):
        data = read_unpacked(real_file(*parts))
        for name, content in (("plain.txt", data), ("packed.csv", gzip.compress(data, 1))):
            (tmp_path / name).write_bytes(content)
            assert set(read_observations(tmp_path / name).network) == {network}


def test_other_netcdf_and_netcdf_without_reports_say_what_was_expected(tmp_path):
    for form in ("NETCDF3_CLASSIC", "NETCDF4"):
        path = tmp_path / f"{form}.nc"
        with netCDF4.Dataset(path, "w", format=form) as file:
            file.createDimension("x", 3)
            file.createVariable("depth", "f4", ("x",))[:] = 1
        with pytest.raises(InputError, match=f"{form}.nc.*MADIS METAR.*SAO.*depth.*--background"):
            read_observations(path)
        with pytest.raises(InputError, match="lacks the variables stationName"):
            read_madis(path.read_bytes(), "x.nc")


def test_a_madis_file_without_a_report_gives_an_empty_table(tmp_path):
    path = tmp_path / "empty.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("recNum", None)
        file.createDimension("letters", 5)
        file.createVariable("stationName", "S1", ("recNum", "letters"))
        for key in ("latitude", "longitude", "elevation", "timeObs", "temperature"):
            file.createVariable(key, "f8", ("recNum",))
        file.createVariable("temperatureDD", "S1", ("recNum",))
    assert len(read_observations(path)) == 0
    (tmp_path / "nothing.nc").write_bytes(b"")
    with pytest.raises(InputError, match="nothing.nc: the file is empty"):
        read_observations(tmp_path / "nothing.nc")
