"""Does hiding the halo behind the convolution pay? Time of a step of convolutions, rim first or rim hidden.

Claim: a convolution whose rim travels behind it takes no longer than one that waits for its rim, forward and backward.

    mpiexec -n 2 python benchmarks/halo_overlap.py [--device cuda]

Prints seconds for each tile and the ratio last (hidden / waiting; below 1 it pays).
"""

import argparse
import os
import time
from dataclasses import replace

import torch
import torch.distributed as dist
import torch.nn.functional as F

from mlrtma_dist.nn.neighbourhood import Rim
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks

CHANNELS, REPEATS = 32, 10


def seconds(step, device) -> torch.Tensor:
    """Time and processor time of the fastest of some runs, of the slowest rank."""
    times = []
    for _ in range(REPEATS):
        dist.barrier()
        begin = time.perf_counter(), time.process_time()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append([time.perf_counter() - begin[0], time.process_time() - begin[1]])
    slowest = torch.tensor(times[1:], device=device)
    dist.all_reduce(slowest, dist.ReduceOp.MAX)
    return slowest.min(0).values.cpu()


def measure(world, rows: int, columns: int) -> torch.Tensor:
    """Of forward and backward, rim first (row 0) and rim hidden (row 1): time and processor time (columns)."""
    here = world.neighbourhood(world.tile((rows, columns)))
    field = torch.randn(1, CHANNELS, *here.box.shape, device=world.device, requires_grad=True)
    weight = (torch.randn(CHANNELS, CHANNELS, 3, 3, device=world.device) / 17).requires_grad_()

    def waiting():
        F.conv2d(here.rim(field, Rim.around(1, 1), "replicate"), weight).sum().backward()

    def hidden():
        replace(here, hide_from=0).convolve(field, weight, None, edge="replicate").sum().backward()

    return torch.stack([seconds(waiting, world.device), seconds(hidden, world.device)])


def main():
    """Measure tiles from the coarsest level of a network to its finest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    torch.set_num_threads(1)
    ranks = int(os.environ.get("OMPI_COMM_WORLD_SIZE", os.environ.get("SLURM_STEP_NUM_TASKS", "1")))
    if ranks < 2:
        parser.error("one rank has no neighbour: start two or more, mpiexec -n 2 python benchmarks/halo_overlap.py")
    with Ranks.start(Mesh(y=ranks), device=device) as world:
        total = torch.zeros(2, 2)
        for size in (24, 48, 96, 192, 384):
            times = measure(world, size * world.size, size)
            total += times
            if world.rank == 0:
                (waiting, waiting_busy), (hidden, hidden_busy) = (1e3 * times).tolist()
                print(
                    f"tile {size:4d} x {size:4d}: waiting {waiting:8.2f} ms ({waiting_busy:8.2f} of processor), hidden"
                    f" {hidden:8.2f} ms ({hidden_busy:8.2f}),"
                    f" ratio {hidden / waiting:.3f} ({hidden_busy / waiting_busy:.3f})"
                )
        if world.rank == 0:
            ratio = (total[1] / total[0]).tolist()
            print(f"hidden / waiting: {ratio[0]:.3f} ({ratio[1]:.3f} of processor time)")


if __name__ == "__main__":
    main()
