"""Campaigns before they run: their period, the graph with its cost, what the dry run of a step is told of others."""

import json
import subprocess
from datetime import UTC, datetime

import pytest

from hpc import campaign, order
from hpc.chain import ChainError, Step, load_campaign
from hpc.graph import graph, longest_path
from hpc.machine import ROOT, MachineError, folder, load_machine
from hpc.period import PeriodError, filled, words_of
from jobs import submit, train
from mlrtma_dist import config
from mlrtma_dist.config import ConfigError

NOW = datetime(2026, 11, 27, 15, 30, tzinfo=UTC)
PERIOD = {"days": "30", "lookback_days": "3"}


def test_a_period_is_the_days_before_its_end():
    words = words_of(PERIOD, "2026-11-20", "c.yaml", NOW)
    assert words == {"start": "2026-10-21T00:00", "end": "2026-11-20T00:00", "until": "20261120"}
    words = words_of({"days": "0.5"}, "2026-11-20T06:00+02:00", "c.yaml", NOW)
    assert words == {"start": "2026-11-19T16:00", "end": "2026-11-20T04:00", "until": "20261120T0400"}
    assert filled("a/${until}/${MLRTMA_REAL_DATA}", words) == "a/20261120T0400/${MLRTMA_REAL_DATA}"
    assert words_of(None, None, "c.yaml") == {}


@pytest.mark.parametrize(
    ("section", "until", "message"),
    [
        (PERIOD, "2026-11-25", r"--until: expected at the latest 2026-11-24T15:30 \(3 days ago.*what comes late"),
        (PERIOD, None, "period: expected its end, --until TIME in UTC, at the latest 2026-11-24T15:30"),
        (PERIOD, "soon", "expected a time such as 2026-11-20"),
        (None, "2026-11-20", "c.yaml has no section period:"),
        ({"days": "0"}, "2026-11-20", "expected days above 0"),
        ({"days": "x"}, "2026-11-20", "expected numbers of days"),
        ({"day": "3"}, "2026-11-20", "period: expected days and perhaps lookback_days"),
        ("30", "2026-11-20", "period: expected days"),
    ],
)
def test_a_period_that_is_none_or_too_recent_is_refused(section, until, message):
    with pytest.raises(PeriodError, match=message):
        words_of(section, until, "c.yaml", NOW)


def test_the_steps_of_a_campaign_are_those_of_its_period(tmp_path):
    path = tmp_path / "monthly.yaml"
    path.write_text(
        "period: {days: 30}\nsteps:\n  samples:\n    verb: samples\n    config: s.yaml\n"
        '    set: ["cases.archive.start=${start}", "output=out/${until}/s.h5"]\n'
        "  promote: {verb: promote, config: 'out/${until}/release', after: [samples]}\n"
    )
    samples, promote = load_campaign(path, "2020-03-31")
    assert samples.set == ("cases.archive.start=2020-03-01T00:00", "output=out/20200331/s.h5")
    assert promote.config == "out/20200331/release"
    assert load_campaign(path, "2020-04-30")[0] != samples  # another month has steps of its own
    path.write_text("steps: {a: {verb: analyse, config: x}}\nperiods: {}\n")
    with pytest.raises(ChainError, match="expected the sections steps: and period:, got periods, too"):
        load_campaign(path)
    with pytest.raises(ConfigError, match="--until: only campaigns have a period"):
        submit.main(["analyse", "x.yaml", "--machine", "local", "--until", "2020-01-01"])


STEPS = (
    Step("samples", "samples", "s.yaml"),
    Step("one", "train", "t.yaml", after=("samples",)),
    Step("two", "train", "t.yaml", ("schedule.seed=2",), after=("samples",)),
    Step("gate", "gate", "g.yaml", after=("one", "two")),
)


def test_the_graph_shows_states_and_sums_what_is_to_be_submitted():
    machine = load_machine("slurm_test")  # limits of five minutes; a training on four nodes
    orders = {step.name: campaign.order_of(machine, step) for step in STEPS}
    lines = graph(STEPS, orders, ["samples"], {"one": "17"}).splitlines()
    assert [line.split()[1] for line in lines[:5]] == ["step", "samples", "one", "two", "gate"]
    assert "done" in lines[1] and "job 17" in lines[2] and "to submit" in lines[3]
    assert "one, two" in lines[4]
    assert lines[5] == "# 2 steps to submit, at most 0.42 node-hours and 0.0 MB"  # 4 x 5 min and 1 x 5 min
    assert lines[6] == "# at most 0.17 hours one after another: one -> gate"
    assert longest_path(STEPS, orders) == (pytest.approx(0.25), ["samples", "one", "gate"])


def test_the_dry_run_of_a_step_is_told_of_the_outputs_of_those_before_it(monkeypatch, capsys):
    calls = []

    def run(command, env, **more):
        if "jobs.command" not in command:  # git, for the journal
            return subprocess.CompletedProcess(command, 0, "", "")
        calls.append((command, json.loads(env["MLRTMA_TO_COME"])))
        return subprocess.CompletedProcess(command, 0, f"output: out/{len(calls)}\n", "")

    monkeypatch.setattr(order.subprocess, "run", run)
    monkeypatch.setattr(campaign.record, "is_done", lambda key: key.startswith("samples"))
    machine = load_machine("local")
    assert campaign.submit_campaign(machine, STEPS, ("--resume",), dry_run=True) == {}
    verbs = [command[command.index("jobs.command") + 1] for command, _ in calls]
    assert verbs == ["train", "train", "gate"]  # what is done is there, and is not asked for
    assert [[step["output"] for step in earlier] for _, earlier in calls] == [[], ["out/1"], ["out/1", "out/2"]]
    assert calls[2][1][1] == {
        "verb": "train", "config": "t.yaml", "arguments": ["--set", "schedule.seed=2", "--resume"], "output": "out/2"
    }  # fmt: skip
    assert "# 3 steps to submit" in capsys.readouterr().out


def test_a_step_that_waits_or_runs_is_asked_for_its_output_and_not_submitted_again(monkeypatch, capsys):
    told = []
    monkeypatch.setattr(campaign, "rehearsed", lambda each, earlier: told.append((each, list(earlier))) or each)
    monkeypatch.setattr(campaign, "submit", lambda each: "18")
    machine = load_machine("slurm_test")
    queued = {campaign.order_of(machine, step).comment: "17" for step in STEPS[:2]}
    monkeypatch.setattr(campaign.slurm, "own_jobs", lambda: queued)
    orders = campaign.submit_campaign(machine, STEPS[:3], (), dry_run=False)
    assert list(orders) == ["17", "18"]
    assert told[1][0].arguments == ("--resume",)  # a training that runs has checkpoints
    assert orders["18"].after == ("17",) and len(told[2][1]) == 2


def test_a_step_asks_for_its_own_resources_and_its_other_ones_are_the_profiles(tmp_path):
    path = tmp_path / "c.yaml"
    step = "steps:\n  a: {verb: train, config: t.yaml, resources: %s}\n"
    path.write_text(step % '{nodes: 2, tasks_per_node: 1, time: "02:00:00"}')
    machine = load_machine("gpu_cluster")
    one = campaign.order_of(machine, *load_campaign(path))
    assert (one.resources.nodes, one.ranks, one.resources.time) == (2, 2, "02:00:00")
    assert one.resources.output_megabytes == machine.resources("train").output_megabytes
    assert one.again[one.again.index("--nodes") :][:2] == ("--nodes", "2")  # a resumed job asks for the same
    for text, message in (
        ("{node: 2}", r"steps.a.resources: expected a section with keys of nodes, .*; got node"),
        ("{nodes: two}", "steps.a.resources.nodes: expected a whole number, got 'two'"),
        ("[nodes]", "expected a section"),
    ):
        path.write_text(step % text)
        with pytest.raises(ChainError, match=message):
            load_campaign(path)
    path.write_text(step % "{nodes: 99}")
    with pytest.raises(MachineError, match="lends at most 32 nodes, 99 are asked for"):
        campaign.order_of(machine, *load_campaign(path))


@pytest.mark.parametrize("machine", sorted(path.stem for path in folder().glob("*.yaml")))
def test_the_trainings_of_shipped_campaigns_divide_their_batch_over_the_ranks_of_every_shipped_machine(machine):
    paths = sorted((ROOT / "configs" / "campaigns").glob("*.yaml"))
    steps = [step for path in paths for step in load_campaign(path) if step.verb == "train"]
    assert len(steps) == 3
    for step in steps:
        run = config.load(train.Run, ROOT / step.config, list(step.set))
        assert run.schedule.parts(campaign.order_of(load_machine(machine), step).ranks)
