"""Profiles: what is shipped loads, and what is wrong is refused with its key."""

import pytest
import yaml

from hpc.chain import load_campaign
from hpc.machine import MachineError, Resources, folder, load_machine


@pytest.mark.parametrize("name", ["local", "slurm_test", "gpu_cluster"])
def test_every_shipped_profile_says_what_each_job_script_asks_for(name):
    machine = load_machine(name)
    scripts = {path.stem for path in (folder().parents[1] / "jobs").glob("*.sbatch")}
    assert machine.name == name and scripts == set(machine.jobs)


def test_time_limits_are_hours():
    assert Resources(time="1-12:30:00").hours == 36.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("launchr: srun", r"unknown key 'launchr' \(did you mean 'launcher'\?\)"),
        ("jobs: {train: {node: 2}}", r"jobs\.train: unknown key 'node' \(did you mean 'nodes'\?\)"),
        ("launcher: torchrun", "launcher: expected one of srun, mpiexec, none, got 'torchrun'"),
        ("nodes: many", "nodes: expected a whole number in decimal digits, got 'many'"),
        ("memory: 64G", 'exclusive nodes need "0"'),
        ("scheduler: none", "srun needs scheduler: slurm"),
        ("nodes: 2\njobs: {train: {nodes: 3}}", r"jobs\.train\.nodes: .* at most 2 nodes, 3"),
        ("gpus_per_node: 4\njobs: {train: {tasks_per_node: 5}}", "a rank has a GPU of its own"),
        ("partitions: [gpu]\njobs: {train: {partition: cpu}}", "expected one of partitions: gpu, got 'cpu'"),
        ("jobs: {train: {time: 30}}", "time: expected \"hours:minutes:seconds\" in quotes, got '30'"),
        ("nodes: 010", "nodes: expected a whole number in decimal digits, got '010'"),
        ("nodes: 1_0", "nodes: expected a whole number in decimal digits, got '1_0'"),
        ("exclusive: yes", "exclusive: expected true or false, got 'yes'"),
        ("jobs: {train: {time: 12:30}}", "time: expected \"hours:minutes:seconds\" in quotes, got '12:30'"),
        ("jobs: {train: {time: '00:00:00'}}", "time: expected a limit above 0"),
        ("jobs: {train: 5}", "jobs: expected a section with a verb's section each"),
        ("partitions: gpu", "partitions: expected a list of texts, got 'gpu'"),
        ("variables: {NCCL_DEBUG: null}", "variables: expected a section of texts"),
        ("hardware: 5", "hardware: expected a section with keys, got '5'"),
        ("cores_per_node: 0", "cores_per_node: expected 1 or more, got 0"),
        ("array_limit: 0", "array_limit: expected 1 or more, got 0"),
        ("timeout_seconds: 0", "timeout_seconds: expected 1 or more, got 0"),
        ("poll_seconds: 0", "poll_seconds: expected more than 0, got 0"),
        ("jobs: {train: {time: '30'}}", "hours:minutes:seconds"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_wrong_profile_is_refused_with_file_and_key(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(MachineError, match=message) as error:
        load_machine(str(path))
    assert str(error.value).startswith(str(path))


def test_a_profile_that_is_no_text_is_refused_with_its_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MachineError, match="mine.yaml: cannot be read: .*utf-8"):
        load_machine(str(path))


def test_words_of_a_profile_are_what_is_written(tmp_path):
    (tmp_path / "off.yaml").write_text(
        "account: 007\npython: null\npartitions: [no, on, 1.10]\njobs: {train: {time: 1:00:00}}\n"
        "variables: {OMP_NUM_THREADS: 4, LEVEL: 010, CLOCK: 12:30, NONE: ''}\n"
    )
    machine = load_machine(str(tmp_path / "off.yaml"))
    assert (machine.name, machine.account, machine.partitions, machine.python) == (
        "off",
        "007",
        ("no", "on", "1.10"),
        None,
    )
    assert machine.variables == {"OMP_NUM_THREADS": "4", "LEVEL": "010", "CLOCK": "12:30", "NONE": ""}
    assert machine.resources("train").hours == 1.0


def test_words_of_a_campaign_are_what_is_written(tmp_path):
    (tmp_path / "campaign.yaml").write_text(
        "steps:\n  no: {verb: analyse, config: a.yaml, set: [time=12:30]}\n"
        "  010: {verb: verify, config: b.yaml, after: [no]}\n"
    )
    first, second = load_campaign(tmp_path / "campaign.yaml")
    assert (first.name, first.set, second.name, second.after) == ("no", ("time=12:30",), "010", ("no",))


def test_an_unknown_machine_is_refused_with_the_shipped_names():
    with pytest.raises(MachineError, match="shipped are gpu_cluster, local, slurm_test"):
        load_machine("gpu_clutser")


def test_overrides_change_one_key_and_leave_its_neighbours():
    before, after = load_machine("slurm_test"), load_machine("slurm_test", {"jobs": {"train": {"nodes": 2}}})
    assert after.resources("train") == Resources(**{**vars(before.resources("train")), "nodes": 2})
    assert after.resources("analyse") == before.resources("analyse")


def test_the_documented_cluster_is_explained_setting_by_setting():
    text = (folder() / "gpu_cluster.yaml").read_text()
    undocumented = [line for line in text.splitlines() if line.startswith("  NCCL") and "#" not in line]
    assert undocumented == []
    assert {"NCCL_SOCKET_IFNAME", "NCCL_IB_HCA", "NCCL_DEBUG"} <= set(yaml.safe_load(text)["variables"])
