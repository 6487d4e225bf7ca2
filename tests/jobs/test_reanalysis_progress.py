"""The progress of a reanalysis, as `mlrtma status` reads it: slots, those of earlier runs included."""

from dataclasses import replace

from hpc import progress
from jobs import reanalysis, reanalysis_work
from mlrtma_dist import config
from mlrtma_dist.inference.slot_reader import CaseSource


def test_a_job_counts_its_slots_and_those_that_were_done_before(small_reanalysis, tmp_path, monkeypatch):
    def read_here(run, prepared, *_):  # another process takes seconds to start
        return CaseSource({name: each.cases for name, each in prepared.items()})

    monkeypatch.setattr(reanalysis_work, "_reader", read_here)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(progress.VARIABLE, str(progress.path_of("5").absolute()))
    run = config.build(reanalysis.Run, config.parse_yaml(f"{small_reanalysis}output: out\n", "test"), "test")
    reanalysis.work(replace(run, elements=2))
    counted = progress.read("5")
    assert (counted.what, counted.done, counted.total) == ("slots", 4, 4)
    reanalysis.work(run)
    counted = progress.read("5")
    assert (counted.done, counted.total) == (8, 8) and counted.first >= 4
