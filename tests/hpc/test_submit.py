"""What would be queued: the sbatch line, what it costs, and what is refused before it is queued. No Slurm is needed."""

import re
import shlex
import subprocess

import pytest

from hpc import campaign
from hpc.chain import ChainError, Step, load_campaign, ordered
from hpc.machine import ROOT, MachineError, load_machine
from hpc.order import Order, describe, sbatch_line
from hpc.slurm import _parse_shown
from jobs import submit

TRAINING = str(ROOT / "configs" / "training" / "unet_exercise1_ci.yaml")


def order(machine="gpu_cluster", verb="train", **changes):
    profile = load_machine(machine)
    return Order(profile, verb, "run.yaml", ("--set", "a=b c"), profile.resources(verb), **changes)


def options(line):
    return dict(part[2:].split("=", 1) for part in line if part.startswith("--") and "=" in part)


def test_the_line_of_a_training_on_gpus_is_the_whole_profile():
    line = sbatch_line(order(after=("11", "12")))
    assert line[:2] == ["sbatch", "--parsable"]
    assert line[-5:] == ["--exclusive", str(ROOT / "jobs/train.sbatch"), "run.yaml", "--set", "a=b c"]
    assert options(line) == {
        "account": "my_project", "partition": "gpu", "nodes": "4", "ntasks-per-node": "4", "cpus-per-task": "16",
        "gpus-per-node": "4", "mem": "0", "time": "12:00:00", "signal": "USR1@300", "dependency": "afterok:11:12",
        "kill-on-invalid-dep": "yes", "output": "output/logs/%x-%j.log",
    }  # fmt: skip


def test_the_signal_goes_to_the_batch_script_where_srun_does_not_start_the_ranks(tmp_path):
    profile = tmp_path / "mine.yaml"
    profile.write_text("launcher: mpiexec\njobs: {train: {}, worklist: {}}\n")
    assert options(sbatch_line(order(str(profile))))["signal"] == "B:USR1@120"
    assert options(sbatch_line(order("slurm_test", "worklist", elements=3)))["signal"] == "B:USR1@20"


def test_what_a_profile_sets_for_a_verb_stands_before_what_the_user_sets(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(campaign, "rehearsed", lambda order: order)  # a dry run, which takes seconds
    profile, folder = tmp_path / "mine.yaml", str(ROOT / "configs" / "inference" / "toy.yaml")
    machine = "scheduler: none\nlauncher: none\njobs: "
    profile.write_text(machine + "{analyse: {set: [require.observations=500, method=oi]}}\n")
    submit.main(["analyse", folder, "--machine", str(profile), "--set", "method=nearest", "--dry-run"])
    line = shlex.split(capsys.readouterr().out.split("\n#")[0].replace("\\\n", ""))
    assert line[-6:] == ["--set", "require.observations=500", "--set", "method=oi", "--set", "method=nearest"]
    profile.write_text(machine + "{worklist: {set: [a=b]}}\n")
    with pytest.raises(MachineError, match="jobs.worklist.set: expected none"):
        load_machine(str(profile))


def test_an_array_has_an_element_a_task_and_a_log_an_element():
    sbatch_options = options(sbatch_line(order("slurm_test", "worklist", elements=3)))
    assert (sbatch_options["array"], sbatch_options["output"]) == ("0-2", "output/logs/%x-%A_%a.log")


def test_node_hours_are_nodes_times_the_limit_times_elements():
    assert order().node_hours == 48.0
    assert order("slurm_test", "worklist", elements=3).node_hours == pytest.approx(0.1)


def test_the_description_is_a_line_that_a_shell_reads_back():
    text = describe(order(size=2.5e9))
    command, comment = text.rsplit("\n#", 1)
    words = shlex.split(command.replace("\\\n", ""))
    assert words[words.index("sbatch") :] == sbatch_line(order())
    assert comment == " 4 nodes, 16 ranks, at most 48.00 node-hours; expected output 2500.0 MB"
    values = dict(word.split("=", 1) for word in words[: words.index("sbatch")])
    assert values["NCCL_SOCKET_IFNAME"] == "ib0" and values["MLRTMA_GPUS_PER_NODE"] == "4"
    assert values["MLRTMA_TIMEOUT_SECONDS"] == "900"


def test_a_dry_run_prints_line_cost_and_size_and_submits_nothing(environment, tmp_path, monkeypatch, mlrtma):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text("cases: {domain: toy, reports: {observations: [a.csv]}}\noutput: here\n")
    done = mlrtma(
        "submit", "analyse", "toy.yaml", "--machine", "gpu_cluster", "--set", "method=oi", "--nodes", "2", "--dry-run"
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^sbatch .*--nodes=2 .*analyse\.sbatch toy\.yaml --set method=oi$", done.stdout, re.MULTILINE)
    assert re.search(r"2 nodes, 2 ranks, at most 0\.67 node-hours; expected output \d+\.\d MB", done.stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["toy.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("analyse", "toy.yaml", "--set", "metod=oi"), "unknown key 'metod' (did you mean 'method'?)"),
        (("analyse", "toy.yaml", "--nodes", "99"), "lends at most 32 nodes, 99 are asked for"),
        (("anaylse", "toy.yaml"), "no section jobs: anaylse:; there are analyse"),
        (("analyse", "toy.yaml", "--resume"), "unrecognized arguments: --resume\nusage: mlrtma analyse"),
        (("train", TRAINING), "a multiple of the mesh's 16 data ranks, got 8. Use 16 or 32. Or give the job"),
        (("train", TRAINING, "--set", "mesh={y: 2}"), "data(1) * y(2) * x(1) = 2 != 16 ranks"),
    ],
)
def test_a_wrong_job_is_refused_before_it_is_queued(environment, tmp_path, monkeypatch, mlrtma, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text("cases: {domain: toy, reports: {observations: [a.csv]}}\noutput: here\n")
    done = mlrtma("submit", *arguments, "--machine", "gpu_cluster")
    assert done.returncode == 2 and message in done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").glob("*.sbatch")), ids=lambda path: path.name)
def test_job_scripts_are_short_right_for_bash_and_take_memory_with_exclusive_nodes(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    assert subprocess.run(["bash", "-n", path]).returncode == 0
    assert ("#SBATCH --exclusive" in text) == ("#SBATCH --mem=0" in text)
    assert f"#SBATCH --job-name={path.stem}\n" in text


def test_only_one_file_calls_slurm():
    commands = re.compile(r"""["'](sbatch|squeue|sacct|scontrol|scancel)["']""")
    callers = {
        path.name
        for folder in ("hpc", "jobs")
        for path in (ROOT / folder).iterdir()
        if path.suffix in (".py", ".sh", ".sbatch") and commands.search(path.read_text())
    }
    # hpc/order.py writes the line that hpc/slurm.py calls; hpc/nodes.py asks a job's own nodes, from within the job.
    assert callers == {"slurm.py", "order.py", "nodes.py"}


def test_slurms_own_words_for_a_job_are_understood():
    line = (
        "JobId=7 JobName=a JobState=FAILED Reason=NonZeroExitCode Restarts=2 ExitCode=75:0 NodeList=n[1-4] BatchHost=n1"
    )
    status = _parse_shown(line)
    assert (status.state, status.exit_code, status.restarts, status.nodes) == ("FAILED", 75, 2, "n[1-4]")
    assert status.ended and not status.done
    running = _parse_shown("JobState=RUNNING Reason=None Restarts=0 ExitCode=0:0 NodeList=(null)")
    assert (running.exit_code, running.nodes, running.ended) == (None, "", False)


def test_a_campaign_queues_each_step_after_those_it_waits_for(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text(
        "steps:\n  report: {verb: verify, config: v.yaml, after: [night, day]}\n"
        "  day: {verb: analyse, config: d.yaml}\n"
        "  night: {verb: analyse, config: n.yaml, set: [method=oi], after: [day]}\n"
    )
    steps = load_campaign(path)
    assert [(step.name, step.after) for step in steps] == [
        ("day", ()), ("night", ("day",)), ("report", ("night", "day"))
    ]  # fmt: skip
    assert steps[1].set == ("method=oi",)


def test_a_campaign_that_cannot_end_or_names_nobody_is_refused(tmp_path):
    with pytest.raises(ChainError, match="wait for each other: .* -> "):
        ordered([Step("a", "analyse", "x", after=("b",)), Step("b", "analyse", "x", after=("a",))])
    with pytest.raises(ChainError, match="steps.a.after: no step 'c'; the steps are a"):
        ordered([Step("a", "analyse", "x", after=("c",))])
    (tmp_path / "c.yaml").write_text("steps: {a: {verb: analyse, konfig: x}}")
    with pytest.raises(ChainError, match="steps.a: expected verb, config"):
        load_campaign(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("steps: {a: {verb: analyse, config: x, set: folds=5}}")
    with pytest.raises(ChainError, match=r"steps.a.set: expected a list, such as \[folds=5\], got 'folds=5'"):
        load_campaign(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("steps: {}")
    with pytest.raises(ChainError, match="expected one section, steps:, with a name for each step"):
        load_campaign(tmp_path / "c.yaml")
