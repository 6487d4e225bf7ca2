"""A full disk: every writer ends in OSError with the system's reason and the path, and the program ends by itself.

The writers run in processes of their own, since HDF5 may crash at the end of one whose file it could not close: where
a user may mount a file system for a process, on one of few pages, and always with the largest size of a file limited,
which needs no privilege.
"""

import errno
import os
import pathlib
import re
import subprocess
import sys

import pytest

from mlrtma_dist.errors import InputError, exit_code
from mlrtma_dist.io.atomic import device_errors, write_text

ROOT = pathlib.Path(__file__).parents[2]
TMPFS = "unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size={kib}k tmpfs {folder} && exec {command}'"
LIMIT = "sh -c 'ulimit -f {kib}; exec {command}'"
REASONS = {TMPFS: "No space left on device", LIMIT: "File too large"}
HEAD = """
import pathlib, sys
import numpy as np
folder, values = pathlib.Path(sys.argv[1]), np.random.default_rng(0).random((200, 180), dtype=np.float32)
try:
    {write}
except OSError as error:
    print(error.errno, error.strerror, error.filename, sep="|")
"""
WRITERS = {
    "product.nc": """
    from mlrtma_dist.io.hdf5 import made_together
    from mlrtma_dist.io.netcdf_slabs import Part, fill, set_attributes
    from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf
    with made_together(folder / "product.nc", None) as path:
        fields = [NetcdfVariable(name, ("y", "x"), None) for name in "abc"]
        write_netcdf(path, {"y": 200, "x": 180}, fields, {"title": "t" * 1000})
        fill(path, [Part.of(field, (0, 0), values) for field in fields], None)
        set_attributes(path, {"history": "h" * 60000})""",
    "state.nc": """
    from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf
    fields = [NetcdfVariable(name, ("y", "x"), values) for name in "abc"]
    write_netcdf(folder / "state.nc", {"y": 200, "x": 180}, fields, {})""",
    "store.h5": """
    from mlrtma_dist.io import hdf5
    with hdf5.made_together(folder / "store.h5", None) as path:
        fields = hdf5.Array((3, 200, 180), "float32", (1, 64, 64))
        hdf5.create(path, {"fields": fields, "rows": hdf5.Array((0,), "float32", (4096,), True)}, {}, None)
        for number in range(3):
            rows = hdf5.Slab("rows", (number * 10000,), values.ravel()[:10000])
            slabs = [hdf5.Slab("fields", (number, 0, 0), values[None]), rows]
            hdf5.write(path, slabs, None, {"rows": (number + 1) * 10000})""",
    "fields.grib2": """
    from mlrtma_dist.io.grib_write import write_messages
    write_messages(folder / "fields.grib2", [b"GRIB" * 50000] * 3)""",
    "quality.txt": """
    from mlrtma_dist.io.atomic import write_text
    write_text(folder / "quality.txt", "x" * 500000)""",
}


def start(way: str, kib: int, folder: pathlib.Path, write: str) -> subprocess.CompletedProcess:
    """A writer in a process of its own, on a disk of so many KiB or with files of at most that length."""
    program = folder.parent / "write.py"
    program.write_text(HEAD.replace("{write}", write.strip()))
    command = f"{sys.executable} {program} {folder}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    text = way.format(kib=kib, folder=folder, command=command)
    return subprocess.run(text, shell=True, capture_output=True, text=True, env=environment, timeout=60)


def ways() -> list[str]:
    """The ways in which this user can have a full disk."""
    command = "unshare --user --map-root-user --mount sh -c 'mount -t tmpfs tmpfs /mnt'"
    return list(REASONS)[subprocess.run(command, shell=True, capture_output=True).returncode != 0 :]


@pytest.mark.parametrize("way", ways(), ids=["tmpfs", "limit"][-len(ways()) :])
@pytest.mark.parametrize("file", WRITERS)
def test_a_writer_names_the_reason_and_the_path_and_leaves_no_part(tmp_path, way, file):
    folder, kib = tmp_path / "out", 200 if way == TMPFS else 20  # full while the fields are written, or the header
    folder.mkdir()
    done = start(way, kib, folder, WRITERS[file])
    assert (done.returncode, done.stderr) == (0, "")
    number, reason, path = done.stdout.strip().split("|")
    assert reason == REASONS[way] == os.strerror(int(number)) and path == str(folder / file)
    assert list(folder.iterdir()) == []


def test_the_program_ends_with_the_code_of_input_that_cannot_be_used():
    assert exit_code(OSError(errno.ENOSPC, "No space left on device", "a.nc")) == InputError.exit_code == 3
    assert exit_code(RuntimeError("NetCDF: HDF error")) == 1


@pytest.mark.parametrize(
    ("error", "answer", "number"),
    [
        (RuntimeError("NetCDF: HDF error"), errno.ENOSPC, errno.ENOSPC),  # netCDF4, which gives no reason
        (RuntimeError("NetCDF: HDF error"), errno.EDQUOT, errno.EDQUOT),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos"),
            errno.ENOSPC,
            errno.ENOSPC,
        ),  # torch
        (RuntimeError("Can't decrement id ref count (write failed, errno = 28)"), None, errno.ENOSPC),  # HDF5
        (OSError(errno.ENOSPC, "Can't synchronously write data"), None, errno.ENOSPC),  # h5py, without the path
    ],
)
def test_what_libraries_raise_on_a_full_disk_is_told_by_what_the_system_answers(
    tmp_path, monkeypatch, error, answer, number
):
    def reserve(descriptor, offset, length):
        if answer is not None:
            raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(os, "posix_fallocate", reserve)
    partial = tmp_path / ".a.nc.partial"
    partial.write_bytes(b"begun")
    with pytest.raises(OSError, match="a.nc") as raised, device_errors(tmp_path / "a.nc", partial):
        raise error
    assert (raised.value.errno, raised.value.filename) == (number, str(tmp_path / "a.nc"))
    assert raised.value.strerror == os.strerror(number) and raised.value.__cause__ is error


@pytest.mark.parametrize("error", [RuntimeError("a fault"), ValueError("errno = 28"), PermissionError(13, "No", "b")])
def test_other_errors_pass_as_they_are_and_the_file_keeps_its_length(tmp_path, error):
    file = tmp_path / "a.nc"
    file.write_bytes(b"12345")
    with pytest.raises(type(error), match=re.escape(str(error))) as raised, device_errors(file):
        raise error
    assert raised.value is error and file.read_bytes() == b"12345"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        write_text(tmp_path / "file" / "a.txt", "")
