"""A small program of the kind that jobs run: ranks that MPI starts, and sums by torch.distributed.

    payload.py FOLDER STEPS [--resume] [--runs=slow,hang]

The state follows x <- 0.9 x + mean over ranks of sin(step + rank), which `expected` computes without ranks. Rank 0
writes "step value" lines. --runs says what becomes of the first run of the job, of the second, ...: a slow one lasts,
in one that hangs rank 1 stops for ever; all later ones are quick.
"""

import math
import os
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

    runs = next((option.partition("=")[2].split(",") for option in options if option.startswith("--runs=")), [])
    number = int(os.environ.get("SLURM_RESTART_COUNT", 0))
    kind = runs[number] if number < len(runs) else "quick"
    with Ranks.start(always_group=True) as world:
        world.heartbeat.ending = ("the next run begins anew", 75)
        world.heartbeat.limit = 3.0 if kind == "hang" else world.heartbeat.limit
        value = 0.0
        for step in range(steps):
            world.heartbeat.beat()
            if kind == "hang" and step == 5 and world.rank == 1:
                time.sleep(1000.0)
            term = torch.tensor([math.sin(step + world.rank)], dtype=torch.float64)
            dist.all_reduce(term)
            value = 0.9 * value + float(term) / world.size
            if world.rank == 0:
                with (folder / "states").open("a") as file:
                    file.write(f"{step + 1} {value!r}\n")
            if kind == "slow":
                time.sleep(0.2)
        world.heartbeat.rest()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
