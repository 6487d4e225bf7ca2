"""Division: which elements of an array are sent where a verb says in which pieces of its work something remains."""

from dataclasses import replace

import pytest

from hpc.campaign import _is_done
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
    monkeypatch.setattr("hpc.submit.rehearsed", lambda each: _divided(each, f"# array elements: {next(answers)}\n"))
    assert [_is_done(order), _is_done(order)] == [True, False]
