"""Progress: a job is told the file, the verbs count into it, and what cannot be written is passed over."""

import subprocess
import sys
from pathlib import Path

import pytest

from hpc import progress
from hpc.progress import Counter
from jobs.progress import progress as progress_of_a_verb
from jobs.train_report import reporting


def test_a_job_tells_its_ranks_the_file_by_which_its_progress_is_read(answers, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    rank = "from hpc.progress import Counter; import os; os.chdir('/'); Counter('steps')(3, 10)"
    line = [sys.executable, "-m", "hpc.job", "--verb", "train", "--config", "c", sys.executable, "-c", rank]
    assert subprocess.run(line, capture_output=True, timeout=60).returncode == 0
    counted = progress.read("7_3")
    assert (counted.what, counted.done, counted.total) == ("steps", 3, 10)
    assert counted.rate is None and counted.seconds_left is None  # nothing was counted since it began
    assert progress.read("7") is None


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """The file of a job; reads it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(progress.VARIABLE, str(progress.path_of("5").absolute()))
    return lambda: progress.read("5")


def test_a_training_counts_its_steps_beside_its_metrics(counted, capsys):
    row = {"loss": 1.0, "samples_per_second": 2.0}
    with reporting(Path("run"), 4, 6, True) as report:
        report({"step": 4, **row})
        assert (counted().what, counted().done, counted().total) == ("steps", 5, 6)
        report({"step": 5, **row})
    assert (counted().done, counted().first) == (6, 5)
    with reporting(Path("other"), 0, 6, False) as report:  # another rank
        report({"step": 0, **row})
    assert counted().done == 6
    capsys.readouterr()


def test_a_verb_counts_the_share_of_what_it_is_at(counted, capsys):
    with progress_of_a_verb("verify conus") as show:
        show("folds", 0.5)
        assert (counted().what, counted().done, counted().total) == ("verify conus: folds", 0.5, 1.0)
        show("errors", 0.1)
    assert counted().what == "verify conus: errors"
    capsys.readouterr()


def test_elements_of_an_array_that_count_the_same_are_added_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for element, (done, total) in enumerate(((4.0, 10.0), (6.0, 10.0))):
        monkeypatch.setenv(progress.VARIABLE, str(progress.path_of(f"7_{element}")))
        Counter("slots")(done, total)
    whole = progress.of_array("7", 4)  # two have not begun
    assert (whole.what, whole.done, whole.total) == ("slots", 10.0, 40.0)
    assert progress.of_array("7", 2).total == 20.0 and progress.of_array("8", 2) is progress.of_array("7", 0) is None
    monkeypatch.setenv(progress.VARIABLE, str(progress.path_of("7_2")))
    Counter("folds")(1.0, 2.0)
    assert progress.of_array("7", 4) is None


def test_progress_that_cannot_be_written_or_read_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    monkeypatch.setenv(progress.VARIABLE, "file/5.json")
    Counter("steps")(1, 2)
    monkeypatch.delenv(progress.VARIABLE)
    Counter("steps")(1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    progress.path_of("5").parent.mkdir(parents=True)
    for text in ('{"what": "steps"', "[]", '{"what": "steps", "done": "many"}', '{"done": 1}'):
        progress.path_of("5").write_text(text)
        assert progress.read("5") is None
