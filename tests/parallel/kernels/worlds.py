"""What a rank learns of its world. Arguments: data, y, x; or nothing for a world without a mesh."""

import json
import sys

import torch
import torch.distributed as dist

from mlrtma_dist.nn.layers import Convolution
from mlrtma_dist.parallel.distribute import same_weights
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks


def main(mesh):
    with Ranks.start(mesh, device="cpu", timeout=60) as world:
        tile = world.tile((97, 61), align=15)
        sums = {}
        for name, group in world.groups.items():
            ranks = torch.tensor([float(world.rank)])
            if group is not None:
                dist.all_reduce(ranks, group=group)
            sums[name] = float(ranks)
        torch.manual_seed(world.rank)
        layer = Convolution(2, 2)
        same_weights(layer, world.groups["world"])
        seen = {
            "rank": world.rank,
            "size": world.size,
            "local_rank": world.local_rank,
            "coordinates": world.coordinates,
            "sums": sums,
            "box": [tile.box.y0, tile.box.y1, tile.box.x0, tile.box.x1],
            "neighbourhood": type(world.neighbourhood(tile)).__name__,
            "group": dist.is_initialized(),
            "mpi": "mpi4py.MPI" in sys.modules,
            "weights": float(layer.weight.sum().detach()),
        }
        everyone = [seen] if world.communicator is None else world.communicator.allgather(seen)
        if world.rank == 0:
            print(json.dumps(everyone))


if __name__ == "__main__":
    main(Mesh(*map(int, sys.argv[1:])) if sys.argv[1:] else None)
