"""A partition's limits are asked of Slurm before anything is queued; where it gives no answer nothing is refused."""

import pytest
from answers import SILENT

from hpc import limits
from hpc.machine import MachineError, load_machine

# as `scontrol --oneliner show partition` prints it
BATCH = (
    "PartitionName=batch AllowGroups=ALL AllowAccounts=weather,ocean AllowQos=ALL Default=YES MaxNodes={nodes}"
    " MaxTime={time} MinNodes=0 State={state} TotalCPUs=4 TotalNodes=4"
)
OPEN = (
    "PartitionName=open AllowAccounts=ALL DenyAccounts=guests Default=NO MaxNodes=UNLIMITED MaxTime=UNLIMITED State=UP"
    " TotalNodes=4"
)


def partitions(time="1-00:00:00", nodes="UNLIMITED", state="UP"):
    return f"{BATCH.format(time=time, nodes=nodes, state=state)}\n{OPEN}"


def check(machine, **wishes):
    profile = {"partitions": ["batch", "open"], "account": "weather", "nodes": 99, **machine}
    profile["jobs"] = {"train": {"nodes": 4, "time": "24:00:00", **wishes}}
    loaded = load_machine("slurm_test", profile)
    limits.check(loaded, "train", loaded.resources("train"))


@pytest.mark.parametrize(
    ("answer", "machine", "wishes", "message"),
    [
        (
            partitions(),
            {},
            {"time": "24:00:01"},
            "jobs.train.time: partition batch .* after 1-00:00:00 .MaxTime., got 24",
        ),
        (partitions(time="30:00"), {}, {"time": "00:30:01"}, "ends jobs after 30:00"),
        (partitions(nodes="2"), {}, {}, r"jobs.train.nodes: .* at most 2 nodes \(MaxNodes\), got 4"),
        (partitions(), {}, {"nodes": 5}, r"at most 4 nodes \(TotalNodes\), got 5"),
        (partitions(state="INACTIVE"), {}, {}, "takes no jobs, as it is INACTIVE; Slurm has batch, open"),
        (partitions(), {"account": "mine"}, {}, "account: .* takes the accounts weather,ocean, got 'mine'"),
        (partitions(), {"account": "guests"}, {"partition": "open"}, r"does not take 'guests' \(DenyAccounts\)"),
        (partitions(), {"partitions": ["gpu"]}, {}, "Slurm has no partition 'gpu'; it has batch, open"),
    ],
)
def test_what_a_partition_does_not_take_is_refused_with_limit_and_value(answers, answer, machine, wishes, message):
    answers(scontrol=answer)
    with pytest.raises(MachineError, match=message):
        check(machine, **wishes)


def test_what_a_partition_takes_and_what_slurm_does_not_answer_for_passes(answers):
    answers(scontrol=partitions())
    check({})
    check({"partitions": []})  # Slurm's default
    check({"account": None})
    check({}, partition="open", time="99-00:00:00")
    answers(scontrol=SILENT)
    check({}, time="99-00:00:00")
    asked = [call for call in answers.calls if "show partition" in call]
    assert len(asked) == 5


def test_a_profile_beyond_the_limits_is_refused_by_submit_in_words(answers, capsys):
    from jobs import command

    answers(scontrol=partitions(time="00:01:00"))
    assert command.main(["submit", "analyse", "toy.yaml", "--machine", "slurm_test", "--dry-run"]) == 2
    assert "jobs.analyse.time: partition batch of slurm_test ends jobs after 00:01:00" in capsys.readouterr().err
