"""Check: one MPI library a process, and the versions that are really there."""

import importlib.metadata
import os
import pathlib
import subprocess
import sys

import pytest

from jobs import check, command

ROOT = pathlib.Path(__file__).parents[2]
NAMES = ("libmpi.so", "libmpich.so")


def maps_line(path: str) -> str:
    return f"7f5c0a000000-7f5c0a100000 r-xp 00000000 08:01 131 {' ' * 12}{path}\n"


def make_maps(tmp_path, *paths) -> pathlib.Path:
    file = tmp_path / "maps"
    file.write_text(maps_line("[heap]").replace("[heap]", "") + "".join(map(maps_line, paths)) + maps_line("[stack]"))
    return file


def test_two_libraries_in_one_process_are_both_named(tmp_path):
    maps = make_maps(
        tmp_path,
        "/opt/a/libmpi.so.40.30.1",
        "/usr/lib/libc.so.6",
        "/usr/lib/libmpich.so.12",
        "/opt/a/libmpi.so.40.30.1",
        "/opt/a/libmpi_cxx.so.40",
        "/opt/b/mylibmpi.so",
    )
    assert check.mapped_libraries(maps, NAMES) == ["/opt/a/libmpi.so.40.30.1", "/usr/lib/libmpich.so.12"]


def test_one_library_under_two_names_is_one(tmp_path):
    (tmp_path / "libmpi.so.40.30").write_text("")
    (tmp_path / "libmpi.so.40").symlink_to(tmp_path / "libmpi.so.40.30")
    maps = make_maps(tmp_path, tmp_path / "libmpi.so.40.30", tmp_path / "libmpi.so.40")
    assert check.mapped_libraries(maps, NAMES) == [str((tmp_path / "libmpi.so.40.30").resolve())]


def test_a_path_with_blanks_is_read_whole_and_no_maps_are_no_libraries(tmp_path):
    maps = make_maps(tmp_path, "/opt/my site/libmpi.so.40")
    assert check.mapped_libraries(maps, NAMES) == ["/opt/my site/libmpi.so.40"]
    assert check.mapped_libraries(tmp_path / "none", NAMES) == []


def test_two_mpi_libraries_end_with_3_and_the_way_out(monkeypatch, capsys):
    monkeypatch.setattr(check, "_gpu", lambda: "none")
    monkeypatch.setattr(check, "_mpi", lambda: (["/a/libmpi.so", "/b/libmpich.so"], "two"))
    assert command.main(["check"]) == 3
    told = capsys.readouterr()
    assert "expected one MPI library in the process, found 2: /a/libmpi.so, /b/libmpich.so" in told.err
    assert "rebuild mpi4py" in told.err


@pytest.mark.slow
def test_this_installation_loads_one_mpi_and_says_its_versions():
    code = "import sys; from jobs.command import main; sys.exit(main(['check']))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 0, ended.stderr
    rows = dict(line.split(None, 1) for line in ended.stdout.splitlines())
    for name in ("numpy", "torch", "h5py", "netCDF4", "pyproj"):
        assert rows[name] == importlib.metadata.version(name)
    assert rows["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert rows["MPI"].count("libmp") == 1 or rows["MPI"].startswith("none: ")
    assert rows["HDF5"].endswith(("parallel (h5py)", "serial (h5py)"))


def test_without_mpi_it_says_so_and_is_content(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # import fails
    loaded, text = check._mpi()
    assert loaded == [] and text.startswith("none: ")


@pytest.mark.parametrize("name", check.PACKAGES)
def test_each_package_has_a_version_or_is_not_installed(name):
    version = check._version(name)
    assert version == "not installed" or version[0].isdigit()
