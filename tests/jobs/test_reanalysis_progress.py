"""What a reanalysis says of itself: its progress, as `mlrtma status` reads it, and that no slot has input."""

from dataclasses import replace

import pytest

from hpc import progress
from jobs import reanalysis
from mlrtma_dist import config
from mlrtma_dist.inference.slot_reader import SlotError
from mlrtma_dist.inference.slot_worker import Worker


@pytest.fixture
def run(small_reanalysis, tmp_path, monkeypatch, here):
    monkeypatch.chdir(tmp_path)
    return config.build(reanalysis.Run, config.parse_yaml(f"{small_reanalysis}output: out\n", "test"), "test")


def test_an_archive_without_any_input_is_no_success_from_which_a_campaign_goes_on(run, tmp_path, caplog):
    archive = replace(run.cases.archive, folder=str(tmp_path / "mistyped"))
    assert reanalysis.work(replace(run, cases=replace(run.cases, archive=archive))) == 4
    assert "no slot has input" in caplog.text and "mistyped" in caplog.text


def test_a_job_counts_its_slots_and_those_that_were_done_before(run, monkeypatch):
    monkeypatch.setenv(progress.VARIABLE, str(progress.path_of("5").absolute()))
    reanalysis.work(replace(run, elements=2))
    counted = progress.read("5")
    assert (counted.what, counted.done, counted.total) == ("slots", 4, 4)
    reanalysis.work(run)
    counted = progress.read("5")
    assert (counted.done, counted.total) == (8, 8) and counted.first >= 4


def test_a_job_that_set_slots_aside_has_counted_all_of_them_at_its_end(run, monkeypatch):
    def fails(self, slot, case, writer):
        raise SlotError("of no kind")

    monkeypatch.setattr(Worker, "_analyse", fails)
    monkeypatch.setenv(progress.VARIABLE, str(progress.path_of("6").absolute()))
    assert reanalysis.work(replace(run, attempts=1)) == 4
    assert (progress.read("6").done, progress.read("6").total) == (8, 8)
