"""What is left of jobs that are long over is removed: never an output, nor what a job that waits or runs may need."""

import json
import os
import time
from pathlib import Path

import pytest
from answers import SILENT

from hpc import journal
from jobs import prune
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError

OLD = 40 * 86400.0


def write(name, text="x", age=OLD):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.fixture
def folder(answers):
    """Files of jobs 1 to 5: 3 runs, 4 is an array that waits, 5 is young; the files that may go."""
    here = Path.cwd()
    running = f"3|3|RUNNING|None|n1|N/A|5:00|mlrtma train-a|{here}"
    answers(squeue=f"{running}\n4_0|4|PENDING|None||N/A|5:00|mlrtma worklist-b|{here}")
    for name in ("product.nc", "there/product.nc", "run.log", "data.part", "x.partial", ".nc.partial"):
        write(f"output/{name}")  # outputs, whatever their names
    for job in (3, "4_0", 5):
        write(f"output/logs/train-{job}.log", age=0.0 if job == 5 else OLD)
    write("output/logs/four-001.tsv", "a\toutput/a\tx\ttrue\n")
    write("output/done/kept.json", json.dumps({"job": "1", "output": str(Path("output/product.nc").absolute())}))
    write("output/progress/3.json")
    write("output/young.nc.part-77", age=100.0)
    lines = [
        ("1", "done", OLD),
        ("3", "started", OLD),
        ("4", "submitted", OLD),
        ("5", "done", 0.0),
        ("2_1", "failed", OLD),
    ]
    for job, event, age in lines:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age))
        entry = {
            "time": moment,
            "job": job,
            "event": event,
            "config": "output/logs/four-001.tsv" if job == "4" else "c",
        }
        with journal.path().open("a") as book:
            book.write(json.dumps(entry) + "\n" + ('{"torn' + "\n" if job == "1" else ""))
    waste = [
        write("output/logs/train-1.log"),
        write("output/logs/worklist-2_1.log"),
        write("output/logs/two-001.tsv", "a\toutput/gone.nc\tx\ttrue\nb\toutput/product.nc\tx\ttrue\n"),
        write("output/gone.nc.task"),
        write("output/progress/1.json"),
        write("output/done/gone.json", json.dumps({"job": "2", "output": "/no/such/output"})),
        write("output/done/torn.json", "{"),
        write("output/there/.product.nc.0123abcd.partial"),
        write("output/done/key.part-123"),
    ]
    write("output/product.nc.task")
    return waste


def files():
    return {path for path in Path("output").rglob("*") if path.is_file()}


def test_what_is_old_and_over_is_removed_and_nothing_else(folder, capsys):
    before = files()
    assert prune.main([]) == 0
    assert before - files() == set(folder)
    assert [entry["job"] for entry in journal.read(journal.path())] == ["3", "4", "5"]
    assert "removed: 9 files of 0.0 MB, 3 lines of the journal" in capsys.readouterr().out
    assert prune.main([]) == 0 and "removed: 0 files of 0.0 MB, 0 lines" in capsys.readouterr().out


def test_a_dry_run_prints_what_would_be_removed_and_removes_nothing(folder, capsys):
    before, lines = files(), journal.path().read_text()
    assert prune.main(["--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert files() == before and journal.path().read_text() == lines
    assert all(f"{path}: " in printed for path in folder) and "would be removed: 9 files" in printed
    assert prune.main(["--dry-run", "--days", "50"]) == 0 and "removed: 0 files" in capsys.readouterr().out


def test_nothing_is_removed_where_slurm_does_not_say_which_jobs_run_or_parts_may_be_young(folder, answers):
    before = files()
    answers(squeue=SILENT)
    with pytest.raises(InputError, match="Unable to contact slurm controller"):
        prune.main([])
    with pytest.raises(ConfigError, match="--days: expected 1 or more"):
        prune.main(["--days", "0"])
    assert files() == before


def test_the_list_of_a_waiting_array_stays_though_the_journal_has_no_line_of_it(folder, answers):
    journal.path().unlink()
    assert prune.main([]) == 0
    assert Path("output/logs/four-001.tsv").exists() and Path("output/logs/two-001.tsv").exists()


def test_lines_that_are_added_while_the_journal_is_pruned_stay(tmp_path):
    book = tmp_path / "journal.jsonl"
    for number in range(3):
        journal.append(book, job=str(number), event="done")
    with book.open("rb") as same_file:
        assert journal.prune(book, lambda entry: entry["job"] == "1") == 2
        journal.append(book, job="9", event="done")
        assert [entry["job"] for entry in journal.read(book)] == ["1", "9"]
        assert os.fstat(same_file.fileno()).st_ino == book.stat().st_ino  # whoever waits to append has this file open
    assert journal.prune(tmp_path / "none.jsonl", lambda entry: False) == 0
