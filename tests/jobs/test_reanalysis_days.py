"""Files of the days of a reanalysis, and what killed processes left of its products."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray

from jobs import reanalysis
from jobs.reanalysis_days import write_days
from jobs.reanalysis_slots import slots_of
from mlrtma_dist import config
from mlrtma_dist.inference.slot_worker import Worker
from mlrtma_dist.io.file_digest import sha256_of
from mlrtma_dist.io.unfinished import unfinished_path
from mlrtma_dist.training.stop_signal import AGAIN

NAMES = ("north", "south")
TIMES = ("24T23:00", "24T23:30", "25T00:00", "25T00:30")


@pytest.fixture
def run(small_reanalysis, tmp_path):
    """The small reanalysis."""
    text = small_reanalysis + f"output: {tmp_path}/output\n"
    return config.build(reanalysis.Run, config.parse_yaml(text, "test"), "test")


def products(output: Path) -> dict[str, str]:
    """The digests of the products by their names, without the files of days."""
    return {path.name: sha256_of(path) for path in sorted(output.glob("*/2022/*/*/*.nc"))}


@pytest.mark.slow
def test_a_day_per_file_holds_the_products_of_the_day_and_is_made_again_where_one_of_them_is(run, here, tmp_path):
    pytest.importorskip("dask")
    output = Path(run.output)
    reanalysis.work(run)
    whole = products(output)
    run = replace(run, day_files=True)
    reanalysis.work(run)
    assert products(output) == whole  # the option is no part of what a product is
    files = sorted(output.glob("*/days/*.nc"))
    assert [path.name for path in files] == [f"{name}_2022082{day}.nc" for name in NAMES for day in (4, 5)]
    same = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}
    with xarray.open_mfdataset(f"{output}/north/days/*.nc", **same) as period:
        np.testing.assert_array_equal(period.time, [np.datetime64(f"2022-08-{time}") for time in TIMES])
        assert period.attrs["slots_missing"] == "none" and "configuration" not in period.attrs  # each time has its own
        singles = sorted((output / "north/2022").rglob("*.nc"))
        for time, path in zip(period.time.values, singles, strict=True):
            with xarray.open_dataset(path) as single:
                xarray.testing.assert_equal(period.sel(time=[time]).load(), single)
    changed = [path.stat().st_mtime_ns for path in files]
    singles[0].unlink()
    reanalysis.work(run)  # makes the product again, an equal one: the files of the days stay
    assert singles[0].exists() and [path.stat().st_mtime_ns for path in files] == changed
    reanalysis.work(replace(run, variables=("t2m",)))
    with netCDF4.Dataset(files[0]) as day:
        assert "d2m" not in day.variables and day["t2m"].shape == (2, 20, 24)


def test_a_day_in_which_something_remains_has_no_file_and_one_without_input_says_which(run, here, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(run.cases.archive.folder, folder, copy_function=shutil.copy2)
    damaged = replace(run.cases, archive=replace(run.cases.archive, folder=str(folder)))
    next(folder.glob("*202208242300*")).write_bytes(b"\x00\x01 no reports \xff")
    run = replace(run, cases=damaged, day_files=True, attempts=1)
    assert reanalysis.work(run) == 4
    with netCDF4.Dataset(Path(run.output) / "north/days/north_20220824.nc") as day:
        assert day.slots_missing == "north_20220824T2300Z" and len(day.dimensions["time"]) == 1
    whole_day = Path(run.output) / "north/days/north_20220825.nc"
    whole_day.unlink()
    for path in (Path(run.output) / "north/2022/08/25").glob("*.nc"):
        path.unlink()
    assert write_days(run, slots_of(run), [0, 1]) == [] and not whole_day.exists()


def test_a_damaged_product_costs_the_file_of_its_day_alone(run, here, caplog):
    run = replace(run, day_files=True)
    reanalysis.work(run)
    shutil.rmtree(Path(run.output) / "north/days")
    path = Path(run.output) / "north/2022/08/24/north_20220824T2300Z.nc"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2 :: 7] = b"\xff" * len(whole[len(whole) // 2 :: 7])
    path.write_bytes(whole)  # of the same size: no run tells it from a whole one
    assert reanalysis.work(run) == 4 and f"2022-08-24 has no file: {path}" in caplog.text
    assert [each.name for each in (Path(run.output) / "north/days").iterdir()] == ["north_20220825.nc"]
    path.unlink()
    assert reanalysis.work(run) == 0 and len(list((Path(run.output) / "north/days").iterdir())) == 2


def test_an_array_has_the_days_whose_files_are_missing_and_a_signal_puts_them_off(run, here, monkeypatch):
    reanalysis.work(run)
    assert run.array() == "none of 2"
    run = replace(run, day_files=True)  # only now
    assert run.array() == "0,1 of 2"
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "run", lambda *_: signal.raise_signal(signal.SIGUSR1) is None)  # after the last slot
        assert reanalysis.work(run) == AGAIN and run.array() == "0,1 of 2"
    assert reanalysis.work(replace(run, element=1, elements=2)) == 0
    assert run.array() == "0 of 2"


def test_what_a_killed_process_left_of_a_product_is_removed_and_what_another_one_writes_is_not(run, here):
    folder = Path(run.output) / "north/2022/08/24"
    folder.mkdir(parents=True)
    child = os.fork()
    if not child:
        unfinished_path(folder / "north_20220824T0000Z.nc").touch()
        os._exit(0)
    os.waitpid(child, 0)
    (left,) = folder.iterdir()
    living = unfinished_path(folder / "north_20220824T0000Z.nc")
    living.touch()
    assert reanalysis.work(run) == 0 and len(products(Path(run.output))) == 8
    assert living.exists() and not left.exists()
