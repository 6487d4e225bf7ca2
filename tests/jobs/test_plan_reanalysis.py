"""`mlrtma plan` of a reanalysis: slots, hours and disk are those of its measured slots times their number."""

from pathlib import Path

import pytest

from jobs import reanalysis
from jobs.command import main
from jobs.reanalysis_cost import measured
from jobs.reanalysis_slots import configuration_of, domains_of, slots_of
from mlrtma_dist import config
from mlrtma_dist.inference.slot_manifest import Day


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "nodes: 8\njobs:\n  reanalysis: {tasks_per_node: 2, at_once: 4, time: '10:00:00'}\n"
    )
    return str(tmp_path / "mine.yaml")


@pytest.fixture
def run(small_reanalysis, tmp_path):
    """The small reanalysis with two slots of a known cost on each domain, and one slow one that set the method up."""
    (tmp_path / "run.yaml").write_text(f"{small_reanalysis}output: {tmp_path}/out\n")
    run = config.load(reanalysis.Run, tmp_path / "run.yaml")
    for name, section in domains_of(run).items():
        slots = slots_of(run)
        names = [each for day in range(len(slots.days)) for each in slots.names(name, day)]
        for slot, seconds in zip(names, (90.0, 3.0, 5.0), strict=False):
            entry = {"id": slot, "checksum": f"{configuration_of(run, section)}-x", "method": "threedvar"}
            entry |= {"seconds": seconds, "path": "x", "bytes": 2_000_000, "sha256": "y"}
            Day(Path(run.output), name, slots.days[0]).note(entry)
    return run


def test_a_plan_multiplies_the_measured_slots_by_their_number(run, machine, tmp_path, capsys):
    assert {name: (cost.seconds, cost.size) for name, cost in measured(run).items()} == {
        "north": (4.0, 2e6),
        "south": (4.0, 2e6),
    }
    # 2020 has 366 days: 2 x 366 x 48 slots of 4 s and 2 MB; two processes of an element share its two days
    changes = ["cases.archive.start=2020-01-01", "cases.archive.end=2020-12-31T23:30", "days_per_element=2"]
    line = ["plan", "--machine", machine, "--config", str(tmp_path / "run.yaml")]
    assert main([*line, *(part for change in changes for part in ("--set", change))]) == 0
    text = capsys.readouterr().out
    assert "17,568 times on 2 domains by threedvar" in text
    assert "35,136 slots: 39.0 hours of one process, 70.3 GB" in text
    element = 35136 * 4 / 183 / 2 + 60
    assert (
        f"183 elements of 2 days, 4 at once with 1 nodes and 2 processes each: {46 * element / 3600:.1f} hours" in text
    )
    assert "days_per_element=92" in text  # a quarter of the days: the four elements at once do all


def test_a_domain_that_was_not_measured_is_scaled_by_its_points(run, machine, tmp_path, capsys):
    line = ["plan", "--machine", machine, "--config", str(tmp_path / "run.yaml"), "--domain", "conus_1km"]
    assert main(line) == 0
    ratio = 5954 * 4054 / 480  # of the domain's size in configs/domains
    assert f"that of north times {ratio:.1f} for its grid points" in capsys.readouterr().out


def test_without_a_measured_slot_a_few_are_analysed_here(small_reanalysis, machine, tmp_path, capsys):
    (tmp_path / "new.yaml").write_text(f"{small_reanalysis}output: {tmp_path}/new\n")
    assert main(["plan", "--machine", machine, "--config", str(tmp_path / "new.yaml")]) == 0
    assert "measured here" in capsys.readouterr().out and not (tmp_path / "new").exists()
