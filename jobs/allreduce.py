"""Sum tensors over all ranks, check the sums, and say how fast: what `mlrtma check --machine NAME` runs there.

    bash hpc/launch.sh python -m jobs.allreduce [MB]

Bandwidth is that of the bus, 2 (n - 1) / n times bytes over seconds: what each rank must send at least, so that figures
for different numbers of ranks compare (NVIDIA nccl-tests, doc/PERFORMANCE.md).
"""

import os
import sys

from jobs.check import installation
from mlrtma_dist.parallel.bandwidth import fastest_sum
from mlrtma_dist.parallel.ranks import Ranks

SMALLEST = 1024  # bytes: the time of such a sum is latency


def main(megabytes: float = 64.0) -> None:
    """Run on every rank; rank 0 prints.

    Raises:
        ArithmeticError: a sum is wrong.
    """
    with Ranks.start(always_group=True) as world:
        largest = int(megabytes * 1e6)
        sizes = [size for size in (SMALLEST, largest // 64, largest) if size >= SMALLEST]
        rows = [(size, fastest_sum(world, size)) for size in sizes]
        places = _gather(world, f"{_node()} {world.device}")
        if world.rank == 0:
            _report(world, rows, places)


def _gather(world: Ranks, text: str) -> list[str]:
    return [text] if world.communicator is None else world.communicator.allgather(text)


def _node() -> str:
    return os.environ.get("SLURMD_NODENAME") or os.uname().nodename


def _report(world: Ranks, rows: list[tuple[int, float]], places: list[str]) -> None:
    lines, _ = installation()
    print(lines)
    for rank, place in enumerate(places):
        print(f"rank {rank}: {place}")
    backend = "NCCL" if world.device.type == "cuda" else "gloo"
    for size, seconds in rows:
        bus = 2 * (world.size - 1) / world.size * size / seconds / 1e9
        print(
            f"all-reduce by {backend} over {world.size} ranks: {size / 1e6:.3f} MB in {seconds * 1e3:.3f} ms, "
            f"bus {bus:.3f} GB/s"
        )


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
