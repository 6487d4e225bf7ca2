"""netCDF files filled slab by slab: what was put is what is read, in the chunks that were asked for."""

import netCDF4
import numpy as np
import pytest
from memory_communicator import on_threads

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


def test_ranks_send_points_of_a_chunk_to_the_rank_that_holds_most_of_it_and_the_file_is_that_of_one_rank(tmp_path):
    field = NetcdfVariable("field", ("y", "x"), None, step=2.0**-7, chunks=(20, 25))
    values = np.random.default_rng(2).standard_normal((45, 80)).astype(np.float32)
    values[11, 12] = np.nan
    boxes = [(0, 16, 0, 80), (16, 45, 0, 32), (16, 45, 32, 80)]

    def write(path, boxes):
        def fill_part(communicator):
            y0, y1, x0, x1 = boxes[communicator.rank]
            received = []
            exchange = communicator.alltoall
            communicator.alltoall = lambda sent: received.append(exchange(sent)) or received[0]
            fill(path, [Part.of(field, (y0, x0), values[y0:y1, x0:x1])], communicator)
            return sum(entry[2].size for entries in received[0] for entry in entries)

        write_netcdf(path, {"y": 45, "x": 80}, [field], {})
        return on_threads(len(boxes), fill_part)

    assert write(tmp_path / "one.nc", [(0, 45, 0, 80)]) == [0]
    sent = write(tmp_path / "three.nc", boxes)
    # by hand: rank 0 gets rows 16-19, which are nearest to its own; rank 2 columns 25-31 of rows 20-44
    assert sent == [4 * 80, 0, 25 * 7]
    contents = []
    for name in ("one.nc", "three.nc"):
        with netCDF4.Dataset(tmp_path / name) as dataset:
            dataset.set_auto_maskandscale(False)
            contents.append(dataset["field"][:])
    np.testing.assert_array_equal(*contents)
    rounded = np.round(values * 128) / 128
    rounded[11, 12] = netCDF4.default_fillvals["f4"]
    np.testing.assert_array_equal(contents[1], rounded)
    assert (tmp_path / "three.nc").stat().st_size == (tmp_path / "one.nc").stat().st_size


def test_a_field_of_one_chunk_is_written_in_turn_and_sent_to_nobody(tmp_path):
    field = NetcdfVariable("field", ("time", "y", "x"), None, chunks=(4, 6, 8))
    values = np.random.default_rng(3).standard_normal((5, 6, 8)).astype(np.float32)
    path = write_netcdf(tmp_path / "field.nc", {"time": 5, "y": 6, "x": 8}, [field], {})

    def fill_part(communicator):
        alltoall = communicator.alltoall  # in which the ranks meet: no one writes what another still reads
        communicator.alltoall = lambda sent: alltoall(sent) if not any(sent) else pytest.fail("points were sent")
        columns = slice(0, 5) if communicator.rank == 0 else slice(5, 8)
        parts = [Part.of(field, (time, 0, columns.start), values[time : time + 1, :, columns]) for time in range(5)]
        fill(path, parts, communicator)

    on_threads(2, fill_part)
    with netCDF4.Dataset(path) as dataset:
        np.testing.assert_array_equal(dataset["field"][:], values)
