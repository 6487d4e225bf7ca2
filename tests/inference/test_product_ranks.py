"""Products and maps do not depend on the number of ranks, and no rank is sent a field for netCDF."""

from pathlib import Path

import netCDF4
import pytest
from launch import launch

KERNEL = Path(__file__).parent / "kernels" / "products"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of what one process writes."""
    folder = tmp_path_factory.mktemp("alone")
    assert launch(str(KERNEL), 0, folder) == [1.0]
    return folder


def contents(path):
    """Everything in a netCDF file: dimensions, attributes, and every variable's bytes, chunks and attributes."""
    with netCDF4.Dataset(path) as dataset:
        dataset.set_auto_maskandscale(False)
        attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        variables = {
            name: (
                variable.dimensions,
                variable.chunking(),
                {key: str(variable.getncattr(key)) for key in variable.ncattrs()},
                variable[...].tobytes(),
            )
            for name, variable in dataset.variables.items()
        }
        return {name: len(dimension) for name, dimension in dataset.dimensions.items()}, attributes, variables


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_write_the_netcdf_grib_and_maps_of_one_process_to_the_last_bit(alone, ranks, tmp_path):
    shares = launch(str(KERNEL), ranks, tmp_path)
    assert len(shares) == ranks and max(shares) < 0.8
    paths = sorted(path.relative_to(alone) for path in alone.rglob("*.*"))
    assert [p.suffix for p in paths].count(".png") == 10 and len(paths) == 13
    assert paths == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    for path in paths:
        if path.suffix == ".nc":
            assert contents(tmp_path / path) == contents(alone / path), path
        else:
            assert (tmp_path / path).read_bytes() == (alone / path).read_bytes(), path
    # every chunk was compressed once: a chunk that is written again leaves a hole in the file
    one, many = ((folder / "tiled_20220824T0600Z.nc").stat().st_size for folder in (alone, tmp_path))
    assert abs(many - one) < 0.001 * one


def test_the_product_of_ranks_has_probabilities_and_flight_categories(alone):
    _, _, variables = contents(alone / "tiled_20220824T0600Z.nc")
    assert {"ceiling_below_152", "flight_category", "flight_category_lifr", "flight_category_vfr"} <= set(variables)
    assert variables["u10_quantile_25"][0] == ("time", "y", "x")
    assert variables["u10_members"][:2] == (("realization", "time", "y", "x"), [1, 1, 225, 250])


def test_a_series_holds_every_time_with_its_own_note_and_the_counts_of_all(alone):
    sizes, attributes, variables = contents(alone / "series.nc")
    assert sizes == {"time": 37, "y": 64, "x": 80}
    assert list(variables) == ["time", "y", "x", "elevation", "land"] + [
        name + kind for name in ("h", "u") for kind in ("", "_increment", "_error")
    ]
    assert variables["h"][0] == ("time", "y", "x") and variables["h"][1] == [16, 64, 80]
    assert attributes["comment"].split("; ") == [f"seed {number}" for number in range(37)]
    assert attributes["title"] == "Analysis, 80 x 64 points, 2022-08-24T06:00 to 2022-08-25T18:00 UTC"
    table = [line.split() for line in attributes["observations_by_flag"].splitlines()]
    assert table == [["variable", "read", "used", "unused"], *([name, "1110", "1110", "0"] for name in ("h", "u"))]
