"""How fast the ranks sum a tensor: what a training step waits for, measured with nothing else in the way."""

import time

import torch
import torch.distributed as dist

from mlrtma_dist.parallel.ranks import Ranks

REPEATS = 5


def fastest_sum(world: Ranks, size: int) -> float:
    """The fastest of some sums over all ranks, every one checked; s. Collective.

    Args:
        world: started with ``always_group``.
        size: of the tensor, bytes.

    Raises:
        ArithmeticError: a sum is wrong.
    """
    fastest = float("inf")
    for _ in range(REPEATS):
        tensor = torch.full((size // 4,), float(world.rank + 1), device=world.device)
        dist.barrier()
        started = time.perf_counter()
        dist.all_reduce(tensor)
        if world.device.type == "cuda":
            torch.cuda.synchronize()
        fastest = min(fastest, time.perf_counter() - started)
        expected = world.size * (world.size + 1) / 2
        if not bool((tensor == expected).all()):
            raise ArithmeticError(
                f"rank {world.rank}: expected {expected} in every place of the sum, got {tensor.unique().tolist()[:5]}"
            )
    return fastest
