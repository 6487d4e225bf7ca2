"""netCDF files filled slab by slab: what was put is what is read, in the chunks that were asked for."""

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.io.hdf5 import StoreError
from mlrtma_dist.io.netcdf_slabs import Part, fill
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf

FIELD = NetcdfVariable("field", ("time", "y", "x"), None, {"units": "K"}, chunks=(2, 3, 4))


@pytest.fixture
def path(tmp_path):
    return write_netcdf(tmp_path / "field.nc", {"time": 3, "y": 5, "x": 8}, [FIELD], {"title": "slabs"})


def test_slabs_that_cut_chunks_are_read_back_whole_and_the_rest_is_missing(path):
    values = np.random.default_rng(1).standard_normal((3, 5, 8)).astype(np.float32)
    fill(path, [Part.of(FIELD, (0, 0, 0), values[:1]), Part.of(FIELD, (1, 0, 0), values[1:, :2])], None)
    fill(path, [Part.of(FIELD, (1, 2, 0), values[1:, 2:4])], None)
    with netCDF4.Dataset(path) as dataset:
        read = dataset["field"][:]
        assert dataset["field"].chunking() == [2, 3, 4] and dataset["field"].filters()["zlib"]
    np.testing.assert_array_equal(np.ma.getmaskarray(read)[1:, 4], True)
    np.testing.assert_array_equal(read[0], values[0])
    np.testing.assert_array_equal(read[1:, :4], values[1:, :4])


def test_a_slab_that_leaves_its_variable_is_refused_by_place(path):
    with pytest.raises(StoreError, match=r"the slab \(2, 0, 0\) to \(4, 5, 8\) leaves field \(3, 5, 8\)"):
        fill(path, [Part.of(FIELD, (2, 0, 0), np.zeros((2, 5, 8), np.float32))], None)
