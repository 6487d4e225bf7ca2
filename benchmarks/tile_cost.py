"""What tiles cost: time, processor time and memory of a training step of the Exercise 1 U-net, on tiles and on one
rank.

Claims: strong scaling from 1 to 2 ranks of one thread at least 0.90; peak memory of a rank on 4 tiles, above that after
start-up, at most 0.30 of one rank's; a network alone takes at most 5 % longer than the same layers in plain PyTorch.

    mpiexec -n 1 python benchmarks/tile_cost.py --domain 512 512 --write one.json
    mpiexec -n 2 python benchmarks/tile_cost.py --domain 512 512 --table 2 1 --against one.json

Prints the ratios last: efficiency = time of one / (ranks x time of tiles), memory = peak of a tile / peak of one.
"""

import argparse
import json
import resource
import time
from dataclasses import replace

import torch

from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.neighbourhood import HIDE_FROM
from mlrtma_dist.parallel.reduce import sum_gradients
from mlrtma_dist.parallel.world import World


def peak() -> float:
    """Largest resident memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def step(network, field, here, transport, steps, points) -> None:
    """One step of training towards zero; the loss is a sum over tiles divided by the points of the domain."""
    steps.zero_grad()
    (network(field, here).square().sum() / points).backward()
    sum_gradients(network, transport)
    steps.step()


def main():
    """Measure, compare with a run that was written down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domain", type=int, nargs=2, default=(512, 512))
    parser.add_argument("--table", type=int, nargs=2, default=(1, 1))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument(
        "--hide-from", type=int, default=HIDE_FROM, help="points of a tile that hides its rim's journey"
    )
    parser.add_argument("--write")
    parser.add_argument("--against")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with World.start(Mesh(1, *options.table), device="cpu") as world:
        network = UNet(UNetConfig())
        tile = world.tile(options.domain, align=network.alignment)
        here, transport = world.neighbourhood(tile), world.transport()
        here = replace(here, hide_from=options.hide_from) if world.mesh.tiles > 1 else here
        steps = torch.optim.AdamW(network.parameters())
        field = torch.randn(1, 3, *tile.shape)
        before, walls, processors = peak(), [], []
        for _ in range(options.steps):
            wall, processor = time.perf_counter(), time.process_time()
            step(network, field, here, transport, steps, options.domain[0] * options.domain[1])
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
        found = {"seconds": min(walls[1:]), "processor": min(processors[1:]), "memory": peak() - before}
        everyone = [found] if world.communicator is None else world.communicator.allgather(found)
        worst = {name: max(each[name] for each in everyone) for name in found}
        if world.rank == 0:
            print(
                f"{world.mesh}, domain {options.domain}: {worst['seconds']:.3f} s and"
                f" {worst['processor']:.3f} s of processor"
                f" a step, {worst['memory']:.2f} GiB above start-up (the worst rank)"
            )
            compare(options, worst, world.size)


def compare(options, worst: dict, ranks: int) -> None:
    """Write the figures down, or print their ratios to those written down."""
    if options.write:
        with open(options.write, "w") as file:
            json.dump(worst, file)
    if options.against:
        with open(options.against) as file:
            one = json.load(file)
        print(
            f"efficiency {one['seconds'] / ranks / worst['seconds']:.3f}"
            f" (of processor time {one['processor'] / ranks / worst['processor']:.3f}),"
            f" memory {worst['memory'] / one['memory']:.3f}"
        )


if __name__ == "__main__":
    main()
