"""HDF5 files written and read in slabs: what was written is read, refused where it cannot be, and honestly counted."""

import numpy as np
import pytest

from mlrtma_dist.io import hdf5
from mlrtma_dist.io.hdf5 import Array, Reader, Slab, StoreError

VALUES = np.random.default_rng(1).standard_normal((3, 2, 100, 90)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "fields.h5"
    arrays = {"fields": Array(VALUES.shape, "float32", (1, 2, 32, 32)), "rows": Array((0,), "int64", (16,), grows=True)}
    hdf5.create(file, arrays, {"note": {"words": ["a", "b"], "number": 1.5}}, None)
    hdf5.write(file, [Slab("fields", (1, 0, 0, 0), VALUES[1:])], None)
    hdf5.write(file, [Slab("fields", (0, 0, 0, 0), VALUES[:1]), Slab("rows", (2,), np.arange(5))], None, {"rows": 7})
    return file


def test_what_was_written_in_slabs_is_read_in_boxes(path):
    with Reader(path) as reader:
        box = reader.read("fields", [range(1, 3), range(2), range(20, 70), range(33, 90)])
        np.testing.assert_array_equal(box, VALUES[1:3, :, 20:70, 33:90])
        np.testing.assert_array_equal(reader.read("rows", [range(1, 7)]), [0, 0, 1, 2, 3, 4])
        assert reader.read("rows", [range(3, 3)]).shape == (0,)
        assert reader.attributes["note"] == {"words": ["a", "b"], "number": 1.5}
        assert reader.chunks("fields") == (1, 2, 32, 32)


def test_the_bytes_counted_are_those_of_the_chunks_touched(path):
    with Reader(path) as reader:
        reader.read("fields", [range(1, 2), range(1), range(31, 33), range(32)])
        assert reader.bytes_read == 2 * (2 * 32 * 32 * 4)  # two chunks in y, one in x, both fields


def test_the_bytes_counted_are_those_that_the_system_was_asked_for(tmp_path):
    big = tmp_path / "big.h5"
    hdf5.create(big, {"fields": Array((1, 1, 1024, 1024), "float32", (1, 1, 32, 32))}, {}, None)
    hdf5.write(big, [Slab("fields", (0, 0, 0, 0), np.ones((1, 1, 1024, 1024), np.float32))], None)
    with Reader(big) as reader:
        before = asked_of_the_system()
        reader.read("fields", [range(1), range(1), range(100, 700), range(500)])
        asked = asked_of_the_system() - before
    # the tree of chunks comes on top: some 40 bytes for each of 1024 chunks
    assert reader.bytes_read <= asked < reader.bytes_read + 128 * 1024


def asked_of_the_system() -> int:
    with open("/proc/self/io") as counts:
        return int(next(line for line in counts if line.startswith("rchar")).split()[1])


def test_a_slab_that_leaves_its_array_is_refused(path):
    with pytest.raises(StoreError, match="leaves fields"):
        hdf5.write(path, [Slab("fields", (0, 0, 90, 0), VALUES[:1])], None)


@pytest.mark.parametrize(
    ("name", "ranges", "words"),
    [
        ("field", [range(1)], "expected an array field, found fields, rows"),
        ("fields", [range(1), range(2), range(101), range(5)], "expected a box within fields"),
        ("fields", [range(1), range(2), range(-1, 5), range(5)], "expected a box within fields"),
    ],
)
def test_a_read_that_cannot_be_says_what_there_is(path, name, ranges, words):
    with Reader(path) as reader, pytest.raises(StoreError, match=words):
        reader.read(name, ranges)


def test_a_missing_and_a_foreign_file_are_refused(tmp_path):
    foreign = tmp_path / "notes.h5"
    foreign.write_text("no HDF5")
    for path in (tmp_path / "none.h5", foreign):
        with pytest.raises(StoreError, match="mlrtma samples"):
            Reader(path)


def test_the_content_hash_sees_one_changed_value_attribute_or_chunk_and_nothing_else(path, tmp_path):
    def hash_of(name, value=0.0, note="a", edge=32):
        file = tmp_path / name
        hdf5.create(file, {"fields": Array((40, 40), "float32", (edge, edge))}, {"note": note}, None)
        for row in (20, 0) if name == "again" else (0, 20):  # laid down in another order on the disk
            hdf5.write(file, [Slab("fields", (row, 0), np.full((20, 40), value, np.float32))], None)
        return hdf5.content_hash(file)

    first = hash_of("first")
    assert hash_of("again") == first
    assert len({first, hash_of("value", value=1.0), hash_of("note", note="b"), hash_of("chunk", edge=16)}) == 4


def test_a_file_whose_making_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError), hdf5.made_together(tmp_path / "fields.h5", None) as partial:
        hdf5.create(partial, {}, {}, None)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
