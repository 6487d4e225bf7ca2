"""Letters and sums counted without sending are those of real ranks; their times are those of the equations."""

import pytest
from launch import launch

from mlrtma_dist.parallel.interconnect import Interconnect, Link
from mlrtma_dist.parallel.traffic import Collective, Round

pytestmark = pytest.mark.slow

WITHIN, BETWEEN = Link(1.0, 100.0), Link(10.0, 20.0)
WIRES = Interconnect(WITHIN, BETWEEN, 4)


@pytest.fixture(scope="module")
def messages():
    return launch("traffic", 4, timeout=240)


@pytest.mark.parametrize("table", ["(1, 4)", "(2, 2)"])
@pytest.mark.parametrize("network", ["unet", "unet recomputed", "vit"])
def test_counted_messages_and_bytes_are_what_four_ranks_hand_to_torch(messages, network, table):
    for rank, lists in enumerate(messages[f"{network} {table}"]):
        assert len(lists["real"]) > 10, "an empty list would agree with anything"
        assert lists["counted"] == lists["real"], f"rank {rank}"


def test_recomputed_activations_send_more(messages):
    kept, again = (messages[f"{name} (2, 2)"][0]["counted"] for name in ("unet", "unet recomputed"))
    assert len(again) > len(kept)


def test_letters_of_a_round_take_the_time_of_the_slower_kind_of_link():
    assert WIRES.seconds([Round(((1, 100), (2, 200)))], 0, 8) == 1.0 + 300 / 100
    assert WIRES.seconds([Round(((1, 100), (4, 200)))], 0, 8) == 10.0 + 200 / 20
    assert WIRES.seconds([Round(((1, 100_000), (4, 200)))], 0, 8) == 1.0 + 100_000 / 100
    assert WIRES.seconds([Round(())], 0, 8) == 0.0


def test_collectives_take_trees_of_latencies_and_rings_of_bytes():
    assert WIRES.seconds([Collective("sum", 80)], 0, 4) == pytest.approx(2 * 2 * 1.0 + 2 * 3 / 4 * 80 / 100)
    assert WIRES.seconds([Collective("sum", 80)], 0, 16) == pytest.approx(2 * (2 + 2 * 10) + 2 * 15 / 16 * 80 / 20)
    assert WIRES.seconds([Collective("collect", 80)], 0, 8) == pytest.approx(2 + 10 + 7 * 80 / 20)
    assert WIRES.seconds([Collective("divide", 80)], 0, 2) == pytest.approx(1 + 1 / 2 * 80 / 100)
    assert WIRES.seconds([Collective("sum", 80)] * 5, 0, 1) == 0.0
