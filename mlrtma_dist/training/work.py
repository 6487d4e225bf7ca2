"""What a training step asks of a machine: operations, letters and sums, counted by running the code without data.

The network's forward and backward passes run on PyTorch's meta device under a transport that only counts
(`parallel.traffic`). Between the passes and the optimizer DeepSpeed 0.19 sends, for G bytes of gradients and W bytes
of weights on n ranks (ZeRO: Rajbhandari et al. 2020, section 7; `tests/training/test_work.py` holds it against what
its ranks send):

    stage 0   sum of G after the last pass
    stage 1   sum of G after the last pass, collection of W / n
    stage 2   sum of G after every pass,    collection of W / n
    stage 3   division of G after every pass; a weight of more than 100 000 numbers is collected twice every pass, a
              smaller one once a step
"""

import math
from collections import Counter
from dataclasses import dataclass

import torch

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.traffic import Collective, Counting, Round
from mlrtma_dist.training import engine_settings, memory
from mlrtma_dist.training.losses import global_sums
from mlrtma_dist.training.operators import Operators

PERSISTENT = 100_000  # numbers: DeepSpeed's stage3_param_persistence_threshold
NUMBER = 4  # bytes of the sum by which DeepSpeed learns the gradient's norm


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass of a micro-batch on a tile.

    Attributes:
        operators: how often one of so many (operations, bytes) runs; activations that are computed again count again.
        traffic: with the other tiles of the sample, in order.
    """

    operators: Counter
    traffic: tuple[Round | Collective, ...]


def of_pass(method, tile: Tile, micro_batch: int, settings: dict) -> Pass:
    """Count a pass.

    Args:
        method: a `methods.learned.LearnedMethod`; it is not changed.
        tile: whose work and letters are counted.
        micro_batch: samples at once.
        settings: the ``engine:`` section.

    Raises:
        TileError: the tile is too small for what the network asks of it, or begins off its alignment.
    """
    blank = memory.without_data(method, engine_settings.is_bf16(settings))
    sample = method.without_data(tile.shape, micro_batch)
    transport = Counting.among(tile.table[0] * tile.table[1], tile.rank)
    alone = transport.size == 1
    with Operators() as counter:
        blank.loss(sample, Alone(tile.domain, tile.periodic) if alone else Tiled(tile, transport))[0].backward()
    return Pass(counter.counts, tuple(transport.log))


def of_step(network: torch.nn.Module, ranks: int, passes: int, settings: dict) -> tuple[Collective, ...]:
    """What all ranks exchange in a step beside the passes: gradients, weights, and some single numbers.

    Args:
        network: for the sizes of its weights; ranks: all of them; passes: micro-batches of a rank.
        settings: the ``engine:`` section.
    """
    if ranks == 1:
        return ()
    sizes, low = [weight.numel() for weight in network.parameters()], 2 if engine_settings.is_bf16(settings) else 4
    single = [*_numbers(ranks), Collective("sum", NUMBER)]
    return (*_zero(sizes, low, ranks, passes, engine_settings.stage(settings)), *single)


def _zero(sizes: list[int], low: int, ranks: int, passes: int, stage: int) -> list[Collective]:
    total, share = sum(sizes), low * math.ceil(sum(sizes) / ranks)
    if stage == 0:
        return [Collective("sum", low * total)]
    if stage < 3:
        padded = share * ranks if stage == 1 and low == 2 else low * total
        return [Collective("sum", padded)] * (passes if stage == 2 else 1) + [Collective("collect", share)]
    parts = [low * math.ceil(size / ranks) for size in sizes]
    collectives = [Collective("divide", ranks * sum(parts))] * passes
    for size, part in zip(sizes, parts, strict=True):
        collectives += [Collective("collect", part)] * (2 * passes if size > PERSISTENT else 1)
    return collectives


def _numbers(ranks: int) -> list[Collective]:
    """The sum of single numbers of a step (loss, weight of the next one, stop), written down while it is asked for."""
    everyone = Counting.among(ranks, 0)
    global_sums([0.0] * 3, torch.device("cpu"), everyone)
    return everyone.log
