"""Analyse on ranks: every rank analyses its tile, and together they write the product that one process writes."""

import shutil

import netCDF4
import numpy as np
import pytest
from launch import mlrtma

pytestmark = pytest.mark.slow
STEM = "toy_20220824T0600Z"
SETS = ("--set", "variables=[t2m, u10, v10]", "--set", "formats=[netcdf, grib2]")


@pytest.fixture(scope="module")
def hour(toy, tmp_path_factory):
    """A folder with the files that configs/inference/toy.yaml names, and one process's analysis of them."""
    folder = tmp_path_factory.mktemp("hour")
    (folder / "output" / "demo").mkdir(parents=True)
    for file in (toy.observations, toy.background):
        shutil.copy(file, folder / "output" / "demo")
    mlrtma(folder, "analyse", "inference/toy.yaml", *SETS, "--output", "one")
    return folder


@pytest.mark.parametrize("mesh", ["null", "{x: 2}"], ids=["tiles in y", "tiles in x"])
def test_two_ranks_write_by_3d_var_the_product_of_one_process(hour, mesh):
    sets = (*SETS, "--set", f"mesh={mesh}", "--output", "two")
    shutil.rmtree(hour / "two", ignore_errors=True)
    printed = mlrtma(hour, "analyse", "inference/toy.yaml", *sets, ranks=2)
    assert printed.split() == [f"two/{STEM}/{STEM}.nc", f"two/{STEM}/{STEM}.grib2"]  # once, by rank 0
    one, two = hour / "one" / STEM, hour / "two" / STEM
    with netCDF4.Dataset(one / f"{STEM}.nc") as expected, netCDF4.Dataset(two / f"{STEM}.nc") as product:
        assert list(product.variables) == list(expected.variables)
        for name in expected.variables:
            np.testing.assert_array_equal(product[name][:], expected[name][:], err_msg=name)
        assert np.ptp(expected["t2m_increment"][:]) > 1.0, "the reports change the first guess"
    assert (two / f"{STEM}.grib2").read_bytes() == (one / f"{STEM}.grib2").read_bytes()
    pictures = sorted(path.name for path in (one / "maps").iterdir())
    assert sorted(path.name for path in (two / "maps").iterdir()) == pictures and len(pictures) > 3
    assert (two / "quality.txt").read_text() == (one / "quality.txt").read_text()


def test_members_about_3d_var_on_two_ranks_are_those_of_one_process(hour):
    members = (
        "--method",
        "diffusion",
        "--members",
        "3",
        "--set",
        "cases.reports.background=[]",
        "--set",
        "variables=[t2m, d2m, u10, v10]",
    )
    fields = []
    for output, ranks in (("members_one", 1), ("members_two", 2)):
        mlrtma(hour, "analyse", "inference/toy.yaml", *members, "--output", output, ranks=ranks)
        with netCDF4.Dataset(hour / output / STEM / f"{STEM}.nc") as product:
            fields.append([product[name][:].astype(np.float64) for name in ("t2m", "t2m_error", "d2m")])
    for one, two in zip(*fields, strict=True):
        np.testing.assert_allclose(two, one, atol=2.0**-7 + 1e-4 * np.ptp(one))  # the product's step, K
    assert np.ptp(fields[0][1]) > 0.0, "members differ by place"
