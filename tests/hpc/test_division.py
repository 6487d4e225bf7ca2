"""Division: which elements of an array are sent where a verb says in which pieces of its work something remains."""

from dataclasses import replace
from subprocess import CompletedProcess

import pytest
from answers import SILENT, comment_of, row

from hpc import journal, status
from hpc.campaign import _is_done
from hpc.chain import Step
from hpc.division import as_ranges, elements_of, pieces_of
from hpc.machine import load_machine
from hpc.order import Order, OrderError, _divided, environment, sbatch_line


def test_indices_become_ranges_that_stand_for_them_alone():
    for indices in ([4], [0, 1, 2, 5, 7, 8], list(range(50)), [1, 3, 5]):
        ends = [part.split("-") for part in as_ranges(indices).split(",")]
        assert [i for part in ends for i in range(int(part[0]), int(part[-1]) + 1)] == indices


@pytest.mark.parametrize(("total", "limit"), [(40, 1001), (40, 7), (1, 4), (1827, 1001)])
def test_every_piece_belongs_to_an_element_that_is_sent_and_no_element_is_sent_without_one(total, limit):
    pieces = [piece for piece in range(total) if piece % 3 == 0]
    indices, elements = elements_of(pieces, total, limit)
    assert elements <= limit and max(indices) < elements
    assert {piece % elements for piece in pieces} == set(indices)


def test_a_dry_run_without_pieces_is_a_single_job_and_one_with_pieces_an_array_of_those_that_remain():
    assert pieces_of("output: x\n") is None
    machine = replace(load_machine("slurm_test"), array_limit=4)
    order = Order(machine, "reanalysis", "c.yaml", (), replace(machine.resources("reanalysis"), at_once=2), key="k")
    assert _divided(order, "a: b\n") is order
    divided = _divided(order, "a: b\n# expected output: 5 bytes\n# array elements: 1,2,6,9 of 10\n")
    line = sbatch_line(divided)
    assert "--array=1-2%2" in line and line[-2:] == ["--of", "4"] and divided.elements == 2
    assert "MLRTMA_RECORD" not in environment(replace(divided, output="x"))  # one element does not stand for all
    with pytest.raises(OrderError, match="no part of the work remains"):
        _divided(order, "# array elements: none of 10\n")


def test_a_step_of_a_campaign_that_divides_its_work_is_done_when_nothing_of_it_remains(monkeypatch, tmp_path):
    machine = load_machine("slurm_test")
    order = Order(machine, "reanalysis", "c.yaml", (), machine.resources("reanalysis"), key="k")
    assert order.is_divided and not replace(order, verb="verify").is_divided
    answers = iter(["none of 10", "2,3 of 10"])
    answer = lambda *_: CompletedProcess((), 0, f"# array elements: {next(answers)}\n", "")  # noqa: E731
    monkeypatch.setattr("hpc.outputs.dry_run", answer)
    assert [_is_done(order), _is_done(order)] == [True, False]


@pytest.fixture
def remains(monkeypatch):
    """Sets what the dry run of a reanalysis prints; its calls are counted."""
    calls = []

    def set_to(text):
        calls.clear()
        answer = lambda *line: (calls.append(line), CompletedProcess((), 0, f"# array elements: {text}\n", ""))[1]  # noqa: E731
        monkeypatch.setattr("hpc.outputs.dry_run", answer)
        return calls

    return set_to


def test_an_array_that_slurm_has_forgotten_is_what_its_outputs_say_and_so_is_each_element(answers, submitted, remains):
    job = submitted("reanalysis", "toy.yaml")
    entry = {**journal.read(journal.path(), job)[0], "elements": 3, "arguments": ["--of", "3"]}
    journal.append(journal.path(), **{key: value for key, value in entry.items() if key != "time"})
    for element in range(3):
        journal.append(journal.path(), job=f"{job}_{element}", event="failed" if element == 1 else "done")
    calls = remains("none of 7")
    answers(squeue="")
    assert [(each.state, each.source) for each in status.jobs()] == [("done", "outputs")]
    assert [line[:2] for line in calls] == [("reanalysis", "toy.yaml")]
    remains("1,4 of 7")  # both belong to element 1 of 3
    (whole,) = status.jobs()
    assert (whole.state, whole.source, whole.action) == ("failed", "journal", f"mlrtma resume {job}")
    calls = remains("1,4 of 7")
    assert [each.state for each in status.jobs([job])] == ["failed", "done", "failed", "done"] and len(calls) == 1
    remains("3 of 7")  # the product of an element that was done is gone
    assert [status.jobs([f"{job}_{i}"])[0].state for i in range(3)] == ["failed", "done", "done"]
    assert status.jobs([f"{job}_0"])[0].reason == "1 of 3 parts of the work remain"


def test_a_campaign_asks_the_outputs_of_an_array_that_nobody_knows_of_as_its_submission_does(
    answers, submitted, remains
):
    machine, step = load_machine("slurm_test"), Step("r", "reanalysis", "toy.yaml")
    for reply in ("", SILENT):
        answers(squeue=reply)
        remains("none of 4")
        assert [(each.state, each.source) for each in status.campaign(machine, [step])] == [("done", "outputs")]
        remains("2 of 4")
        (seen,) = status.campaign(machine, [step])
        assert seen.state == ("unknown" if reply else "not submitted")
    job = submitted("reanalysis", "toy.yaml")
    remains("none of 4")
    answers(squeue="")
    assert [(each.job, each.state) for each in status.campaign(machine, [step])] == [(job, "done")]


def test_a_verb_that_divides_its_work_is_not_asked_while_its_array_runs(answers, submitted, remains):
    job = submitted("reanalysis", "toy.yaml")
    calls = remains("none of 4")
    answers(squeue=row(job, "RUNNING", comment=comment_of(job)))
    assert [each.state for each in status.jobs()] == ["running"] and calls == []
    answers(squeue=row(job, "COMPLETED", comment=comment_of(job)))
    remains("2 of 4")
    assert [(each.state, each.source) for each in status.jobs()] == [("failed", "outputs")]
