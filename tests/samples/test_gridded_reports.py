"""Points of gridded fields as reports and as cases: their values, places and heights, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gridded_fields import ERRORS, HOUR, LATITUDE, LONGITUDE, WHOLE, cases_of, fields, opened, section, write

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.hdf5 import content_hash
from mlrtma_dist.methods.draws import divide
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.statistics import gather_statistics
from mlrtma_dist.samples.store import Store

ROOT = Path(__file__).parents[2]


def test_every_third_point_reports_the_fields_value_at_its_own_place_and_height(tmp_path):
    cases = cases_of(write(tmp_path / "f.nc", (0, 1)))
    assert list(cases.time) == [HOUR, HOUR + np.timedelta64(1, "h")] and cases.is_judged
    static = load_static(load_domain("toy"))
    for number in (0, 1):
        table = cases.reports(number)
        terrain, values = fields(number)
        y, x = (index.ravel() for index in np.meshgrid(np.arange(0, 20, 3), np.arange(0, 28, 3), indexing="ij"))
        on = static.domain.contains(LATITUDE[y], LONGITUDE[x])
        assert 20 < on.sum() < len(on)
        for name in ERRORS:
            own = table.of(name)
            np.testing.assert_allclose(own.latitude, LATITUDE[y[on]], atol=1e-9)
            np.testing.assert_allclose(own.longitude, LONGITUDE[x[on]], atol=1e-9)
            np.testing.assert_allclose(own.elevation, terrain[y[on], x[on]], atol=1e-3)
            np.testing.assert_allclose(own.value, values[name][y[on], x[on]], rtol=1e-5)
            assert set(own.error) == {ERRORS[name]} and set(own.network) == {"gridded"} and not own.flags.any()
            assert set(own.time) == {cases.time[number]} and len(set(own.station)) == on.sum()


def test_the_points_nearest_to_stations_report_each_once_and_no_other(tmp_path):
    stations = tmp_path / "stations.csv"
    rows = ["A,41.51,-107.49,1000", "B,41.49,-107.51,5", "C,41.1,-108.4,0", "D,10.0,20.0,0"]
    stations.write_text("\n".join(["station,latitude,longitude,elevation", *rows]))
    table = cases_of(write(tmp_path / "f.nc"), every=0, stations=(str(stations),), network="mine").reports(0).of("t2m")
    assert [*table.station] == ["mine 12 14", "mine 14 18"] and set(table.network) == {"mine"}
    np.testing.assert_allclose(table.value, [283.4, 285.8], atol=1e-3)
    np.testing.assert_allclose(table.elevation, [134.0, 158.0])


def test_values_from_which_there_is_no_limit_are_the_largest_valid_one(tmp_path):
    path = write(tmp_path / "f.nc")
    plain, limited = (
        cases_of(path, **more).reports(0).of("visibility").value for more in ({}, {"unlimited": {"visibility": 5000.0}})
    )
    assert 0 < (plain >= 5000.0).sum() < len(plain)
    np.testing.assert_allclose(limited, np.where(plain >= 5000.0, 24000.0, plain))


def test_a_first_guess_that_is_constant_is_refused_of_methods_that_read_fields_alone(tmp_path):
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "store.h5", cases_of(write(tmp_path / "f.nc")), ranks)
    store, tile = Store(tmp_path / "store.h5"), Tile.split((120, 160), (1, 1), (0, 0), 1)
    with pytest.raises(InputError, match=r"expected values of background_u10 that vary, got the deviation 0\.0"):
        gather_statistics((store,), np.arange(1), tile, Transport.alone())
    statistics = gather_statistics((store,), np.arange(1), tile, Transport.alone(), constant=True)
    assert statistics.deviation[1] == 0.0 < statistics.deviation[0]


def test_missing_values_are_no_reports(tmp_path):
    every = cases_of(write(tmp_path / "f.nc")).reports(0).of("t2m")
    some = cases_of(write(tmp_path / "g.nc", missing=(9,))).reports(0).of("t2m")
    assert 0 < len(some) < len(every) and not (some.latitude == LATITUDE[9]).any() and np.isfinite(some.value).all()


def test_a_case_of_points_alone_gives_some_of_them_and_has_others_as_targets(tmp_path):
    case = cases_of(write(tmp_path / "f.nc"), every=1).case(0, WHOLE)
    assert case.used.sum() > 200 and not case.withheld.any()
    for draw in (0, 1, 2):
        inputs, targets = divide(case, draw)
        assert targets.any() and inputs.any() and not (inputs & targets).any()
        assert set(case.station_number[inputs]).isdisjoint(case.station_number[targets])


def test_a_store_of_points_is_the_same_on_tiles(tmp_path):
    cases = cases_of(write(tmp_path / "f.nc"), every=1)
    whole = cases.case_of_tile(0, WHOLE)
    for box in (Box(0, 60, 0, 160), Box(60, 120, 0, 80), Box(60, 120, 80, 160)):
        tile = cases.case_of_tile(0, box)
        np.testing.assert_array_equal(tile.background["t2m"], whole.background["t2m"][box.slices])
        np.testing.assert_array_equal(tile.observations.value, whole.observations.value)


@pytest.mark.parametrize(
    "keys, words",
    [
        ({"files": ()}, "expected files, and variables with the error of each"),
        ({"variables": {"snow": 1.0}}, "variables: expected some of t2m, .*got 'snow'"),
        ({"variables": {"t2m": 0.0}}, "t2m: expected an error above 0 in SI, got 0"),
        ({"every": 0}, "expected every from 1, or lists of stations, got every 0 and none"),
        ({"network": "a name that is far too long"}, "network: expected 1 to 16 characters"),
        ({"unlimited": {"ceiling": 3650.0}}, "unlimited: expected some of .*t2m, visibility, got 'ceiling'"),
        ({"minutes": -1.0}, "minutes: expected from 0 to 1440, got -1"),
        ({"codes": {"t2m": "snow"}}, "codes: .*snow"),
    ],
)
def test_sections_that_say_nothing_are_refused(keys, words):
    with pytest.raises(ValueError, match=words):
        section("f.nc", **keys)


@pytest.mark.parametrize(
    "file, keys, words",
    [
        ({"names": ("t2m",)}, {}, r"expected labels of t2m, visibility .*got none of visibility\. Set variables"),
        ({"missing": range(20)}, {}, r"expected values of t2m, visibility at 2026-01-01T06:00:00, got missing ones"),
        ({"shift": 20.0}, {}, r"lies outside the domain toy"),
        ({"units": {"visibility": "K"}}, {}, r"unit 'K' of visibility is not understood; those .* are m, km"),
        ({}, {"every": 500}, r"no point of the field lies on the domain toy.*: set gridded.every lower"),
        ({}, {"time": ("2026-01-02T06:00",)}, r"no field valid at 2026-01-02T06:00:00; the files have 2026-01-01T06"),
        ({}, {"files": ("gone*.nc",)}, r"no file gone\*\.nc: set files"),
    ],
)
def test_files_that_cannot_be_used_name_the_setting_and_the_way_out(tmp_path, file, keys, words):
    path = write(tmp_path / "f.nc", **file)
    with pytest.raises(InputError, match=words):
        cases_of(path, **keys).case(0, WHOLE)


def test_the_national_analysis_of_ceiling_and_visibility_reports_both_in_metres(real_data):
    run = config.load_yaml(config.find("samples", "gridded_ncv"))["cases"]
    keys = run["gridded"] | {"files": [f"{real_data}/ncv/*.grb2"], "stations": [], "every": 20}
    cases = opened(config.build(CasesSection, run | {"gridded": keys}, "run.yaml"), ("visibility", "ceiling"))
    assert list(cases.time) == [np.datetime64("2007-11-21T01:35:00")]
    table = cases.reports(0)
    visibility, ceiling = (table.of(name).value for name in ("visibility", "ceiling"))
    assert 500 < len(ceiling) <= len(visibility) < 1500
    assert (visibility < 4800.0).mean() < 0.2 and 15.0 <= ceiling.min() < 200.0
    assert 0.4 < (ceiling == 20000.0).mean() < 0.9 and not ((ceiling > 3649.0) & (ceiling < 20000.0)).any()


def test_files_are_looked_for_by_the_first_rank_alone(tmp_path):
    write(tmp_path / "a.nc")
    cases = CasesSection("toy", gridded=section(tmp_path / "*.nc"))
    first = cases.gridded.files_at
    write(tmp_path / "late.nc", (1,))  # has arrived before another rank would look
    other = cases.listed(lambda make: first)
    assert other == cases and list(opened(other).time) == [HOUR]
    anew = CasesSection("toy", gridded=section(tmp_path / "*.nc"))
    assert len(opened(anew).time) == 2 and CasesSection().listed(None).gridded is None


@pytest.mark.slow
def test_two_ranks_make_the_store_of_one(real_data, tmp_path):
    stores = [tmp_path / f"ranks{ranks}.h5" for ranks in (1, 2)]
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for ranks, output in enumerate(stores, start=1):
        command = [sys.executable, "-m", "jobs.command", "samples", "configs/samples/gridded_ncv.yaml"]
        command += ["--output", str(output)]
        for change in ("variables=[visibility,ceiling]", f"mesh={{x: {ranks}}}"):
            command += ["--set", change]
        command = ["mpiexec", "--oversubscribe", "-n", str(ranks), *command] if ranks > 1 else command
        done = subprocess.run(command, cwd=ROOT, env=os.environ | allowed, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    assert content_hash(stores[0]) == content_hash(stores[1])
    assert len(Store(stores[0]).reports(0)) > 4000
