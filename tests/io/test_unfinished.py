"""Unfinished files: those of killed writers go, those of living ones and whole files stay."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from hpc.prune import PART
from mlrtma_dist.io import unfinished
from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.io.unfinished import UNTOUCHED, remove_unfinished, unfinished_path

WRITER = """\
import sys, time
from contextlib import nullcontext
from mlrtma_dist.io.atomic import written_atomically
with written_atomically(sys.argv[1]) as path:
    with written_atomically(path) if "twice" in sys.argv else nullcontext(path) as inner:
        inner.write_text("half")
        print(inner, flush=True)
        time.sleep(60)
"""


@pytest.fixture(params=["once", "twice"])
def writer(tmp_path, request):
    """A process that writes the product of a slot, and its unfinished file, or that by which this one is written."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "guam_0600.nc"), request.param], stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process, tmp_path / process.stdout.readline().strip()
        process.kill()


def test_the_file_of_a_living_writer_stays_until_it_is_killed(writer, tmp_path):
    process, path = writer
    assert path.read_text() == "half" and remove_unfinished(tmp_path, "guam_") == [] and path.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert remove_unfinished(tmp_path, "conus_") == [] and path.exists()  # not of its products
    assert remove_unfinished(tmp_path, "guam_") == [path] and not path.exists()


def test_a_process_removes_nothing_that_it_writes_itself(tmp_path):
    with written_atomically(tmp_path / "a.nc") as path:
        path.write_text("whole")
        assert remove_unfinished(tmp_path) == []
    assert [each.name for each in tmp_path.iterdir()] == ["a.nc"] and remove_unfinished(tmp_path / "none") == []


def test_another_process_of_the_same_number_is_not_the_writer(tmp_path):
    path = unfinished_path(tmp_path / "a.nc")
    other = path.with_name(re.sub(r"-\d+\.", "-1.", path.name))  # its start
    other.touch()
    path.touch()
    assert remove_unfinished(tmp_path) == [other]


@pytest.mark.parametrize("name", [".a.nc.{}.0123abcd.partial", ".a.nc.0123abcd.partial"])
def test_the_file_of_another_machine_or_of_an_older_version_goes_when_it_is_old(tmp_path, monkeypatch, name):
    there = unfinished._machine()
    monkeypatch.setattr(unfinished, "machine", lambda: "another boot")
    assert unfinished._machine() != there
    path = tmp_path / name.format(f"{there}-{os.getpid()}-1")
    path.touch()
    assert remove_unfinished(tmp_path) == []
    os.utime(path, (time.time() - UNTOUCHED - 60.0,) * 2)
    assert remove_unfinished(tmp_path) == [path]


def test_the_file_of_another_host_stays_where_the_system_names_no_start_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "machine", lambda: "pid:[4026531836]")  # of every host that runs in no container
    with monkeypatch.context() as patch:
        patch.setattr(unfinished.socket, "gethostname", lambda: "another")
        patch.setattr(unfinished.os, "getpid", lambda: 2**22 + 1)  # no process here has it
        path = unfinished_path(tmp_path / "a.nc")
    path.touch()
    assert remove_unfinished(tmp_path) == [] and path.exists()


def test_other_files_stay_and_prune_knows_the_name(tmp_path):
    for name in ("a.nc", ".a.nc.partial", "a.nc.0123abcd.partial", ".nfs0123", ".a.nc.0123abcd.partial.txt"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0.0, 0.0))
    assert remove_unfinished(tmp_path) == [] and len(list(tmp_path.iterdir())) == 5
    assert PART.fullmatch(unfinished_path(tmp_path / "a.nc").name)
