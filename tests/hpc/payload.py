"""A small program of the kind that jobs run: ranks that MPI starts, and sums by torch.distributed.

    payload.py FOLDER STEPS [--resume] [--slow]

The state follows x <- 0.9 x + mean over ranks of sin(step + rank), which `expected` computes without ranks. Rank 0
writes "step value" lines. --slow makes a run last, unless it is one that was started before.
"""

import math
import sys
import time
from pathlib import Path


def expected(steps: int, ranks: int) -> list[float]:
    """The states after each step, of an uninterrupted run."""
    states, value = [], 0.0
    for step in range(steps):
        value = 0.9 * value + sum(math.sin(step + rank) for rank in range(ranks)) / ranks
        states.append(value)
    return states


def main(folder: Path, steps: int, options: list[str]) -> None:
    """Run on every rank."""
    import torch
    import torch.distributed as dist

    from mlrtma_dist.parallel.ranks import Ranks

    with Ranks.start(always_group=True) as world:
        value = 0.0
        for step in range(steps):
            number = torch.tensor([math.sin(step + world.rank)], dtype=torch.float64)
            dist.all_reduce(number)
            value = 0.9 * value + float(number) / world.size
            if world.rank == 0:
                with (folder / "states").open("a") as file:
                    file.write(f"{step + 1} {value!r}\n")
            if "--slow" in options and "--resume" not in options:
                time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
