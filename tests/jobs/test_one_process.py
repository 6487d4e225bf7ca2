"""Verbs of one process are refused on several ranks, by whatever started these."""

import pytest

from jobs import command
from jobs.one_process import ON_RANKS


@pytest.mark.parametrize(
    "signs",
    [
        {"OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "1"},
        {"PMI_SIZE": "2", "PMI_RANK": "0"},
        {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "PMIX_RANK": "0"},
        {"RANK": "0", "WORLD_SIZE": "2"},
    ],
    ids=["mpiexec", "mpich", "srun", "torchrun"],
)
def test_a_verb_of_one_process_is_refused_on_ranks_and_says_so(tmp_path, monkeypatch, capsys, signs):
    monkeypatch.chdir(tmp_path)
    for name, value in signs.items():
        monkeypatch.setenv(name, value)
    for verb in sorted(set(command.VERBS) - set(ON_RANKS)):
        assert command.main([verb, "some.yaml"]) == 2
        assert capsys.readouterr().err.startswith(f"mlrtma {verb}: it is one process, got 2 ranks. Start it without")
    assert command.main(["analyse", "--dry-run"]) == 2  # which goes on to look at its keys
    assert "is missing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_verb_of_one_process_is_refused_by_the_dry_run_of_a_job_of_ranks_and_runs_in_a_batch_script(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for name, value in {"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7", "MLRTMA_RANKS": "4"}.items():
        monkeypatch.setenv(name, value)
    assert command.main(["demo", "--dry-run"]) == 2
    assert "it is one process, got 4 ranks" in capsys.readouterr().err
    assert command.main(["lineage", "nowhere.nc"]) == 3  # a batch script is one process: srun starts the tasks
    assert "one process" not in capsys.readouterr().err
