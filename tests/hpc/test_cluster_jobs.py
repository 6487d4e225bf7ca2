"""Jobs on a real Slurm of four nodes: what reaches the ranks, what the journal says, and what runs again."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cluster import until
from payload import expected

from hpc import journal, slurm, status
from hpc.machine import ROOT, load_machine
from hpc.order import Order
from hpc.submit import submit, wait
from hpc.worklist import Task, read, remaining, write
from mlrtma_dist.clock import parse_time
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.simulation.simulated_hour import simulate_hour

pytestmark = pytest.mark.slow

PAYLOAD = Path(__file__).with_name("payload.py")


class PayloadOrder(Order):
    """The order of a job whose script is jobs/train.sbatch with the payload in the place of the training."""

    @property
    def script(self) -> Path:
        path = Path("payload.sbatch").absolute()
        text = (ROOT / "jobs" / "train.sbatch").read_text()
        assert text.count("-m jobs.command train") == 1
        path.write_text(text.replace("-m jobs.command train", str(PAYLOAD)))
        return path


def order(*arguments, nodes=1):
    """A payload job that writes into the present folder."""
    machine = load_machine("slurm_test")
    resources = replace(machine.resources("train"), nodes=nodes, time="00:05:00")
    return PayloadOrder(machine, "train", str(Path.cwd()), tuple(map(str, arguments)), resources)


def states():
    """The payload's states, in the order in which they were written."""
    return [float(line.split()[1]) for line in Path("states").read_text().splitlines()]


def log(job):
    return next(Path("output/logs").glob(f"*-{job}.log")).read_text()


def events(job):
    return [entry["event"] for entry in journal.read(journal.path(), job)]


def end(waited, job):
    """The status of a job that must be over within a minute."""
    assert until(lambda: slurm.state(job).ended), f"{slurm.state(job)}\n{log(job)}"
    return wait({job: waited}, 0)[job]


def test_a_check_sums_over_four_nodes_and_prints_bandwidth_and_versions(slurm_here, mlrtma, monkeypatch):
    monkeypatch.setenv("SBATCH_EXPORT", "NONE")  # what the job needs comes with it all the same
    done = mlrtma("check", "--machine", "slurm_test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"rank (\d): (n\d) cpu", done.stdout) == [("0", "n1"), ("1", "n2"), ("2", "n3"), ("3", "n4")], (
        done.stdout
    )
    bandwidths = re.findall(r"all-reduce by gloo over 4 ranks: +(\S+) MB in (\S+) ms, bus (\S+) GB/s", done.stdout)
    assert len(bandwidths) == 3
    megabytes, milliseconds, bus = map(float, bandwidths[-1])
    assert megabytes == 64.0 and bus == pytest.approx(1.5 * megabytes / milliseconds, rel=1e-2)
    assert "torch" in done.stdout and done.stdout.count("libmpi.so") == 1


STUBBORN = """\
import pathlib, signal, sys, time
for number in (signal.SIGTERM, signal.SIGCONT):
    signal.signal(number, lambda *_: None)
pathlib.Path(sys.argv[1]).touch()
while True:
    time.sleep(1.0)
"""


def test_what_slurm_ends_is_never_done_though_srun_ends_with_0(slurm_here, monkeypatch):
    # Ranks that outlive SIGTERM until Slurm kills them: srun gives up waiting for them, and ends with 0.
    Path("stubborn.py").write_text(STUBBORN)
    text = (ROOT / "jobs" / "train.sbatch").read_text()
    program = f'{Path("stubborn.py").absolute()} "$1"'
    Path("stubborn.sbatch").write_text(text.replace('-m jobs.command train "$@"', program))
    monkeypatch.setenv("MLRTMA_ROOT", str(ROOT))
    monkeypatch.setenv("MLRTMA_PYTHON", sys.executable)
    line = ("sbatch", "--parsable", "--no-requeue", "--signal=USR1@0", "--time=5")
    states = ("CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")
    jobs = {
        state: slurm_here.call(*line, f"--comment=mlrtma {state}", "stubborn.sbatch", state).strip() for state in states
    }
    assert until(lambda: all(Path(state).exists() for state in states)), slurm_here.call("squeue")
    assert slurm.own_jobs() == {f"mlrtma {state}": job for state, job in jobs.items()}
    assert all(slurm.runs(job) for job in jobs.values())
    down, busy = (
        slurm_here.call("squeue", "--noheader", "--format=%N", f"--jobs={jobs[state]}").strip()
        for state in ("NODE_FAIL", "PREEMPTED")
    )
    slurm_here.call("scancel", jobs["CANCELLED"])
    slurm_here.call("scontrol", "update", f"jobid={jobs['TIMEOUT']}", "endtime=now+1")
    slurm_here.call("scontrol", "update", f"nodename={down}", "state=down", "reason=test")
    urgent = ("--partition=urgent", f"--nodelist={busy}", "--exclusive", "--output=/dev/null")
    slurm_here.call("sbatch", *urgent, "--wrap=true")
    try:
        # The controller looks at time limits every half minute.
        assert until(lambda: not any(slurm.runs(job) for job in jobs.values())), slurm_here.call("squeue")
    finally:
        slurm_here.call("scontrol", "update", f"nodename={down}", "state=resume")
    assert {state: slurm.state(job).state for state, job in jobs.items()} == {state: state for state in states}
    for state, job in jobs.items():
        assert events(job)[0] == "started" and "done" not in events(job), state
    assert slurm.own_jobs() == {}


ASKS_AGAIN = """\
#!/bin/sh
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then exit 0; fi
touch began
while [ ! -e end ]; do sleep 0.1; done
exit 75
"""


def test_a_job_that_is_to_be_queued_again_while_the_controller_is_down_waits_for_it(slurm_here, monkeypatch):
    Path("asks_again.sh").write_text(ASKS_AGAIN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    line = f"exec {sys.executable} -m hpc.job --verb train --config c sh asks_again.sh"
    options = ("--parsable", "--nodes=1", "--requeue", "--open-mode=append", "--output=waits.log")
    job = slurm_here.call("sbatch", *options, f"--wrap={line}").strip()
    assert until(Path("began").exists), slurm_here.call("squeue")
    slurm_here.stop_controller()
    try:
        Path("end").touch()
        assert until(lambda: "this job is queued again when it does" in Path("waits.log").read_text())
        assert events(job) == ["started", "again"]
    finally:
        slurm_here.start_controller()
    assert until(lambda: slurm.state(job).ended), Path("waits.log").read_text()
    assert events(job) == ["started", "again", "started", "done"] and slurm.state(job).done
    assert journal.read(journal.path(), job)[2]["restarts"] == 1


def test_a_rank_that_hangs_and_a_node_that_dies_cost_a_job_of_four_nodes_one_run_each(slurm_here):
    four = order(100, "--runs=hang,slow", nodes=4)
    job = submit(four)
    assert until(lambda: events(job)[1:] == ["started", "again"]), log(job)
    assert "rank 1 of 4 on n2 has made no progress for 3 s; it stands at payload.py" in log(job)
    Path("states").unlink()
    assert until(lambda: Path("states").exists()), log(job)
    slurm_here.kill_node("n3")  # its slurmd, its rank and all else at once
    try:
        assert until(lambda: events(job)[3:] == ["started", "again"]), log(job)
        Path("states").unlink()
        assert journal.read(journal.path(), job)[-1]["reason"] == "no answer from n3"
        (seen,) = status.jobs([job])
        assert seen.state in status.ALIVE and seen.reason.endswith("queued again: no answer from n3"), seen
    finally:
        slurm_here.boot_node("n3")
    ending = end(four, job)
    assert ending.done and ending.restarts == 2 and events(job)[5:] == ["started", "done"]
    # Nothing was checkpointed before: each run begins anew, and the last one leaves all states.
    assert states() == pytest.approx(expected(100, 4), abs=1e-12)


def test_only_the_tasks_of_an_array_that_failed_run_again(slurm_here, mlrtma):
    tasks = [
        Task(f"hour{i}", f"hour{i}.txt", f"sum{i}", f"sh -c 'echo run >> runs{i}; cp source{i} hour{i}.txt'")
        for i in range(3)
    ]
    write(Path("tasks.tsv"), tasks)
    for i in (0, 2):
        Path(f"source{i}").write_text(str(i))
    first = mlrtma("submit", "worklist", "tasks.tsv", "--machine", "slurm_test", "--wait")
    assert first.returncode == 1 and "3 array elements" in first.stdout, first.stderr
    assert [task.id for task in remaining(read(Path("tasks.tsv")))] == ["hour1"]
    Path("source1").write_text("1")
    second = mlrtma("submit", "worklist", "tasks.tsv", "--machine", "slurm_test", "--wait")
    assert second.returncode == 0 and "1 array element;" in second.stdout, second.stderr
    assert [Path(f"hour{i}.txt").read_text() for i in range(3)] == ["0", "1", "2"]
    assert [Path(f"runs{i}").read_text().count("run") for i in range(3)] == [1, 2, 1]


def test_a_list_longer_than_an_array_runs_two_tasks_at_a_time_and_ends_one_that_hangs(slurm_here, mlrtma):
    command = "sh -c 'date +%s.%N >> times{0}; sleep 0.5; {1}date +%s.%N >> times{0}; touch out{0}'"
    tasks = [
        Task(f"t{i}", f"out{i}", "x", command.format(i, "sleep 60; " if i == 2 else "")) for i in range(6)
    ]  # one element: t1 and t5
    write(Path("tasks.tsv"), tasks)
    options = ("--at-once", "2", "--task-time", "00:00:03", "--wait")
    done = mlrtma("submit", "worklist", "tasks.tsv", "--machine", "slurm_test", *options)
    assert done.returncode == 1 and "4 array elements" in done.stdout and "--array=0-3%2" in done.stdout, done.stderr
    assert [task.id for task in remaining(read(Path("tasks.tsv")))] == ["t2"]
    times = [tuple(map(float, Path(f"times{i}").read_text().split())) for i in range(6)]
    begins = [time[0] for time in times]
    ends = [time[-1] if len(time) == 2 else time[0] + 3.0 for time in times]
    assert max(sum(b <= begin < e for b, e in zip(begins, ends, strict=True)) for begin in begins) <= 2


@pytest.fixture(scope="module")
def hour(tmp_path_factory, clean_environment):
    """Files of a simulated hour on the toy domain, and the analysis of it by hand."""
    folder = tmp_path_factory.mktemp("hour")
    world = simulate_hour(load_static(load_domain("toy")), parse_time("2022-08-24T06:00"), stations=60, seed=1)
    write_csv(folder / "observations.csv", world.observations)
    write_state(folder / "background.nc", world.background)
    config = f"""\
cases:
  domain: toy
  reports:
    observations: [{folder}/observations.csv]
    background: [{folder}/background.nc]
    time: ["2022-08-24T06:00"]
method: oi
maps: false
variables: [t2m]
"""
    (folder / "toy.yaml").write_text(config + "output: by_job\n")
    command = [sys.executable, "-m", "jobs.command", "analyse", "toy.yaml", "--set", "output=by_hand"]
    subprocess.run(command, cwd=folder, env=clean_environment, check=True, capture_output=True)
    return folder


def test_an_analysis_by_a_job_is_that_by_hand_and_the_next_job_waits_for_it(slurm_here, mlrtma, hour, monkeypatch):
    monkeypatch.chdir(hour)
    Path("check.tsv").write_text(
        "size\tsize.txt\tx\tsh -c 'wc -c < by_job/toy_20220824T0600Z/toy_20220824T0600Z.nc > size.txt'\n"
    )
    Path("campaign.yaml").write_text(
        "steps:\n  size: {verb: worklist, config: check.tsv, after: [analyse]}\n"
        "  analyse: {verb: analyse, config: toy.yaml}\n"
    )
    done = mlrtma("submit", "campaign", "campaign.yaml", "--machine", "slurm_test", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    by_job, by_hand = (next(Path(folder).rglob("*.nc")) for folder in ("by_job", "by_hand"))
    assert int(Path("size.txt").read_text()) == by_job.stat().st_size
    with netCDF4.Dataset(by_job) as ours, netCDF4.Dataset(by_hand) as theirs:
        assert list(ours.variables) == list(theirs.variables) and len(ours.variables) > 3
        for name in ours.variables:
            np.testing.assert_array_equal(ours[name][:], theirs[name][:])
    again = mlrtma("submit", "campaign", "campaign.yaml", "--machine", "slurm_test", "--wait")
    assert again.returncode == 0 and again.stdout == "done before: analyse\ndone before: size\n", again.stderr


def test_a_job_waits_through_the_whole_chain_of_one_that_asks_to_be_run_again(slurm_here, mlrtma):
    # The first link ends with 75, as a training near its time limit does; the next one goes on and is done.
    first = "if [ -e link ]; then echo next >> order; touch a.txt; else echo first >> order; touch link; exit 75; fi"
    Path("first.tsv").write_text(f"a\ta.txt\tx\tsh -c '{first}'\n")
    Path("second.tsv").write_text("b\tb.txt\tx\tsh -c 'echo after >> order; touch b.txt'\n")
    Path("campaign.yaml").write_text(
        "steps:\n  first: {verb: worklist, config: first.tsv}\n"
        "  second: {verb: worklist, config: second.tsv, after: [first]}\n"
    )
    done = mlrtma("submit", "campaign", "campaign.yaml", "--machine", "slurm_test", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path("order").read_text().split() == ["first", "next", "after"]
    first, second = re.findall(r"^job (\d+): (?:first|second)$", done.stdout, re.MULTILINE)
    assert events(f"{first}_0") == ["started", "again", "started", "done"] and events(f"{second}_0")[-1] == "done"


def test_a_job_after_one_that_failed_never_runs_and_is_over(slurm_here, mlrtma):
    Path("first.tsv").write_text("a\ta.txt\tx\tfalse\n")
    Path("second.tsv").write_text("b\tb.txt\tx\ttouch b.txt\n")
    Path("campaign.yaml").write_text(
        "steps:\n  first: {verb: worklist, config: first.tsv}\n"
        "  second: {verb: worklist, config: second.tsv, after: [first]}\n"
    )
    done = mlrtma("submit", "campaign", "campaign.yaml", "--machine", "slurm_test", "--wait")
    first, second = re.findall(r"^job (\d+): ", done.stdout, re.MULTILINE)
    assert done.returncode == 1
    assert events(f"{first}_0") == ["started", "failed"] and events(f"{second}_0") == []
    assert slurm.state(first).state == "FAILED" and not slurm.state(second).done
    assert not Path("b.txt").exists()


def test_a_job_that_nobody_knows_is_unknown_and_done_if_its_outputs_are_there(slurm_here):
    assert slurm.state("999999") == slurm.Status() and not slurm.Status().ended
    assert slurm.runs("999999") is False
    assert slurm.wait(["999999"], finished=lambda job: True, poll_seconds=0)["999999"].done
    assert (
        slurm.wait(["999999"], finished=lambda job: False, poll_seconds=0, patience=2)["999999"].state == slurm.UNKNOWN
    )
