"""What a step is counted to do: operators against PyTorch's own count, gradients and weights against DeepSpeed's."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from launch import launch
from torch.utils.flop_counter import FlopCounterMode

from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.vit import VisionTransformer, VisionTransformerConfig
from mlrtma_dist.parallel.interconnect import Interconnect, Link
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.training import memory, work
from mlrtma_dist.training.layouts import ModelledMachine, PlannedTraining, Planner, largest_tile, meshes
from mlrtma_dist.training.operators import Operators, Processor

NOTHING = Link(1e-30, 1e30)


def planner_of(memory=1e12, link=NOTHING, domain=(64, 96), batch=4, call=1e-30, micro_batch=1):
    method = UNetMethod(UNetSettings(widths=(8, 8), groups=2))
    machine = ModelledMachine(Processor(1e9, 1e30, call), memory, Interconnect(link, link, 4))
    return Planner(PlannedTraining(method, domain, "test", batch, micro_batch, {}), machine)


@pytest.fixture(scope="module")
def traffic(pytestconfig):
    kernel = pytestconfig.rootpath / "tests" / "training" / "kernels" / "traffic"
    return launch(str(kernel), 4, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_gradients_and_weights_counted_are_what_deepspeed_hands_to_torch(traffic, stage, bf16):
    """Sums of single numbers aside: DeepSpeed's own are a few bytes and differ by stage."""
    real, counted = (
        Counter(
            (kind, size)
            for kind, size in traffic[side][f"{stage} {bf16}"]
            if (stage == 3 and (kind != "sum")) or size > 8
        )
        for side in ("real", "counted")
    )
    assert real.total() >= 1 and counted == real


def test_operations_are_those_of_pytorchs_own_count_and_views_are_free():
    network = VisionTransformer(VisionTransformerConfig(width=16, depth=2)).to("meta")
    field, here = torch.empty(1, 3, 33, 47, device="meta"), Alone((33, 47))
    with FlopCounterMode(display=False) as theirs:
        network(field, here).sum().backward()
    with Operators() as ours:
        network(field, here).sum().backward()
    assert ours.operations == theirs.get_total_flops() > 0
    with Operators() as views:
        field.transpose(2, 3)[..., :5].unsqueeze(0)
    assert views.counts.total() == 0


def test_bytes_of_an_operator_are_those_it_reads_and_writes():
    with Operators() as operators:
        torch.ones(10, 20) @ torch.ones(20, 30)
    assert operators.counts[2 * 10 * 20 * 30, 4 * (10 * 20 + 20 * 30 + 10 * 30)] == 1


def test_an_operator_takes_the_longer_of_arithmetic_and_memory_and_calls_bound_all():
    operators = Counter({(100, 10): 2, (0, 60): 1})
    assert Processor(10.0, 2.0, 1e-9).seconds(operators) == 2 * 10.0 + 30.0
    assert Processor(10.0, 2.0, 100.0).seconds(operators) == 300.0


def test_operations_of_all_tiles_are_those_of_the_whole_where_nothing_is_computed_twice():
    method = UNetMethod(UNetSettings(widths=(8, 8), groups=2))

    def count(table, at):
        tile = Tile.split((64, 96), table, at, 4)
        return sum(times * done for (done, _), times in work.of_pass(method, tile, 1, {}).operators.items())

    tiles = sum(count((2, 2), (y, x)) for y in (0, 1) for x in (0, 1))
    assert tiles == count((1, 1), (0, 0)) > 0


def test_without_latency_data_ranks_are_perfectly_efficient():
    for ranks in (1, 2, 4):
        layout = planner_of().predict(Mesh(data=ranks), 0, 4)
        assert layout.efficiency == pytest.approx(1.0) and layout.tiles == 0.0


def test_one_rank_is_perfectly_efficient_however_many_samples_it_takes_at_once():
    planner = planner_of(batch=8, micro_batch=3, call=1.0)  # calls decide: two passes of three samples, one of two
    layout = planner.predict(Mesh(), 0, 8)
    assert layout.efficiency == pytest.approx(1.0)
    assert planner.predict(Mesh(data=8), 0, 8).efficiency == pytest.approx(3 / 8)  # of three passes eight are made


def test_a_latency_is_paid_for_every_message_of_a_step():
    latency = 0.25
    planner = planner_of(link=Link(latency, 1e30))
    layout = planner.predict(Mesh(y=1, x=2), 0, 4)
    tile = largest_tile(planner.training, (1, 2))
    sent = work.of_pass(planner.training.method, tile, 1, {}).traffic
    trips = sum(2 if getattr(item, "kind", "") == "sum" else 1 for item in sent)
    assert layout.tiles == pytest.approx(4 * trips * latency)  # four samples, one after the other


def test_layouts_that_do_not_fit_are_refused_with_what_they_need():
    planner = planner_of(memory=1.5e6)
    assert [layout.mesh for layout in planner.layouts(1)] == []
    assert "needs" in planner.refused[Mesh(), 0] and "there are 1 MiB" in planner.refused[Mesh(), 0]
    assert all(layout.mesh.tiles > 1 for layout in planner.layouts(16))


@pytest.mark.parametrize(
    ("bf16", "each"),
    [
        # Weights, gradients, their float32 sums, and float32 masters with two moments; 4 ranks divide from a stage on.
        (False, (4 + 4 + 8, 4 + 4 + 12 / 4, 4 + 4 / 4 + 12 / 4, 4 / 4 + 4 / 4 + 12 / 4)),
        (True, (2 + 2 + 12, 2 + (2 + 4) + 12 / 4, 2 + (2 + 4) / 4 + 12 / 4, 2 / 4 + (2 + 4) / 4 + 12 / 4)),
    ],
)
def test_zero_divides_bytes_of_a_weight_as_rajbhandari_et_al_say(bf16, each):
    method = UNetMethod(UNetSettings(widths=(8, 8), groups=2))
    numbers = sum(weight.numel() for weight in method.network.parameters())
    for stage, expected in enumerate(each):
        settings = {"bf16": {"enabled": bf16}, "zero_optimization": {"stage": stage}}
        assert memory.weights(method, 4, settings, averaged=False) == pytest.approx(expected * numbers, abs=3)
        more = memory.weights(method, 4, settings, averaged=True) - memory.weights(method, 4, settings, averaged=False)
        assert more == pytest.approx(4 * numbers / (4 if stage else 1), abs=3)


def test_tiles_smaller_than_what_must_not_be_cut_are_refused_by_the_tile():
    planner = planner_of(domain=(8, 12), batch=1)
    assert planner.layouts(64) == []
    assert "fewer than" in planner.refused[Mesh(1, 8, 8), 0]


def test_the_fastest_layout_comes_first_and_the_lower_stage_among_equals():
    layouts = planner_of(link=Link(1e-3, 1e9)).layouts(4)
    assert [layout.step for layout in layouts] == sorted(layout.step for layout in layouts)
    assert layouts[0].mesh == Mesh(data=4) and layouts[0].stage == 0


def test_every_share_between_samples_and_tiles_is_tried_with_tiles_near_squares():
    assert set(meshes(16, 4, (100, 100))) == {Mesh(1, 4, 4), Mesh(2, 2, 4), Mesh(4, 2, 2)}
    assert list(meshes(4, 1, (400, 100))) == [Mesh(1, 4, 1)]


def test_a_step_waits_for_reading_only_where_reading_takes_longer_than_all_else():
    plan = planner_of()
    stored = replace(plan.training, stored=2)
    slow, fast = (Planner(stored, replace(plan.machine, read_bandwidth=rate)) for rate in (1e3, 1e15))
    layouts = [each.predict(Mesh(), 0, each.training.batch) for each in (slow, fast)]
    rows, columns = slow.training.domain
    assert layouts[0].read == pytest.approx(4 * 2 * slow.training.batch * rows * columns / 1e3)
    assert layouts[0].step == layouts[0].read
    assert layouts[1].step == layouts[1].compute + layouts[1].tiles + layouts[1].engine
