"""A small program of the kind that jobs run: ranks that MPI starts, sums by torch.distributed, checkpoints, a resume.

    payload.py FOLDER STEPS [--resume] [--kill RANK] [--slow]

The state follows x <- 0.9 x + mean over ranks of sin(step + rank), which `expected` computes without ranks. Rank 0
writes "step value" lines. On SIGUSR1, seen by any rank, all save and end with exit code 75.
"""

import json
import math
import os
import signal
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


def main(folder: Path, steps: int, options: list[str]) -> int:
    """Run on every rank; returns the exit code."""
    received = []
    signal.signal(signal.SIGUSR1, lambda number, frame: received.append(number))
    import torch
    import torch.distributed as dist

    from mlrtma_dist.parallel.world import World

    with World.start(always_group=True) as world:
        checkpoint = folder / "checkpoint.json"
        step, value = 0, 0.0
        if "--resume" in options and checkpoint.exists():
            step, value = json.loads(checkpoint.read_text())
        doomed = int(options[options.index("--kill") + 1]) if "--kill" in options else None
        while step < steps:
            numbers = torch.tensor([math.sin(step + world.rank), float(bool(received))], dtype=torch.float64)
            dist.all_reduce(numbers)
            if numbers[1] > 0:
                time.sleep(2.0)  # the signal reaches the ranks one after another
                numbers[1] = float(bool(received))
                dist.all_reduce(numbers)
                if world.rank == 0:
                    checkpoint.write_text(json.dumps([step, value]))
                    (folder / "signalled").write_text(f"{int(numbers[1])}\n")
                dist.barrier()
                return 75
            value = 0.9 * value + float(numbers[0]) / world.size
            step += 1
            if world.rank == 0:
                with (folder / "states").open("a") as file:
                    file.write(f"{step} {value!r}\n")
            if world.rank == doomed and step == 3:
                (folder / "killed").write_text(repr(time.time()))
                os.kill(os.getpid(), signal.SIGKILL)
            if "--slow" in options and "--resume" not in options:
                time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
