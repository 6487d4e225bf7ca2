"""What tiles cost: time and memory of a training step of the Exercise 1 network by DeepSpeed, whole and on tiles.

Claims, of a 1024 x 1024 crop: strong scaling from 1 to 2 ranks of one thread each at least 0.90; peak memory of a rank
on 4 tiles, above that after start-up, at most 0.30 of one rank's.

    python benchmarks/tile_cost.py            # 1 and 2 ranks, in turn, so that both see the same machine
    python benchmarks/tile_cost.py --memory   # 1 and 4 ranks

Starts its ranks by mpiexec. Prints the ratio last: efficiency = time of one / (ranks x time of tiles), of the wall
clock and of processor time, which other users of the machine disturb less; or memory = peak of a tile / peak of one.
"""

import argparse
import json
import resource
import time

import numpy as np
import torch
from start_ranks import start_ranks

from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.engine import Engine

TABLES = {1: (1, 1), 2: (2, 1), 4: (2, 2)}
TURNS, STEPS = 3, 4
SETTINGS = {"optimizer": {"type": "AdamW", "params": {}}, "gradient_clipping": 1.0}


def peak() -> float:
    """Largest resident memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(size: int, ranks: int, steps: int) -> None:
    """On every rank: some steps; rank 0 prints the worst rank's figures as JSON."""
    torch.set_num_threads(1)
    with Ranks.start(Mesh(1, *TABLES[ranks]), device="cpu", always_group=True) as world:
        method = UNetMethod(UNetSettings())
        tile = world.tile((size, size), align=method.network.alignment)
        engine = Engine(method, world, world.neighbourhood(tile), SETTINGS, [1])
        fields = torch.randn(1, 4, *tile.shape)
        sample = Sample(fields[:, :3], fields[:, 3:], None, np.zeros(1, "datetime64[s]"))
        before, walls, processors = peak(), [], []
        for number in range(steps):
            wall, processor = time.perf_counter(), time.process_time()
            engine.step([sample], 1e-4, number)
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
        figures = {"seconds": min(walls[1:]), "processor": min(processors[1:]), "memory": peak() - before}
        everyone = [figures] if world.communicator is None else world.communicator.allgather(figures)
        if world.rank == 0:
            print(json.dumps({name: max(each[name] for each in everyone) for name in figures}))


def start(size: int, ranks: int, steps: int) -> dict[str, float]:
    """Start ranks of this file; their worst figures."""
    figures = start_ranks(__file__, ranks, "--child", size, ranks, steps)
    print(
        f"{ranks} rank(s), {size} x {size}: {figures['seconds']:.3f} s, {figures['processor']:.3f} s of processor"
        f" a step, {figures['memory']:.3f} GiB above start-up",
        flush=True,
    )
    return figures


def main():
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--size", type=int, default=1024, help="points on a side of the crop")
    parser.add_argument("--child", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(options.child[0], options.child[1], options.child[2])
    elif options.memory:
        one, four = (start(options.size, ranks, 3) for ranks in (1, 4))
        print(f"memory of one of 4 tiles / of one rank: {four['memory'] / one['memory']:.3f}")
    else:
        runs = [(start(options.size, 1, STEPS), start(options.size, 2, STEPS)) for _ in range(TURNS)]
        best = [{name: min(turn[side][name] for turn in runs) for name in runs[0][0]} for side in (0, 1)]
        by_processor = best[0]["processor"] / 2 / best[1]["processor"]
        print(
            f"efficiency 1 -> 2 ranks: {best[0]['seconds'] / 2 / best[1]['seconds']:.3f} of the wall clock,"
            f" {by_processor:.3f} of processor time"
        )


if __name__ == "__main__":
    main()
