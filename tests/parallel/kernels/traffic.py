"""What ranks really hand to torch.distributed in a forward and backward pass, beside what is counted without sending.

Prints one line of JSON: for each network and table the ranks' real and counted lists, which must agree.
"""

import copy
import json

import torch
import torch.distributed as dist
from tables import Tables, collect

from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.nn.vit import VisionTransformer, VisionTransformerConfig
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.traffic import Counting, Round

DOMAIN = (61, 97)
NETWORKS = {
    "unet": UNet(UNetConfig(widths=(4, 8), groups=2)),
    "unet recomputed": UNet(UNetConfig(widths=(4, 8), groups=2, recompute=True)),
    "vit": VisionTransformer(VisionTransformerConfig(patch=3, window=5, width=8, heads=2, depth=2, decoder_width=8)),
}


def listen(log):
    """Write down what is handed to torch.distributed, by its own functions."""
    post, add, gather = dist.batch_isend_irecv, dist.all_reduce, dist.all_gather

    def batch_isend_irecv(operations):
        sent = [[each.peer, each.tensor.nbytes] for each in operations if each.op is dist.isend]
        log.append(["round", sent])
        return post(operations)

    def all_reduce(tensor, *rest, **named):
        log.append(["sum", tensor.nbytes])
        return add(tensor, *rest, **named)

    def all_gather(parts, tensor, *rest, **named):
        log.append(["collect", tensor.nbytes])
        return gather(parts, tensor, *rest, **named)

    dist.batch_isend_irecv, dist.all_reduce, dist.all_gather = batch_isend_irecv, all_reduce, all_gather


def words(item):
    """An entry of a count as `listen` writes it."""
    return ["round", [list(each) for each in item.letters]] if isinstance(item, Round) else [item.kind, item.size]


def run(network, here, device):
    """One pass."""
    shape = here.box.shape
    field = torch.empty(2, 3, *shape, device=device) if device == "meta" else torch.randn(2, 3, *shape)
    network(field, here).sum().backward()


def main():
    """Every network on every table, hidden rims and rims that are waited for."""
    torch.set_num_threads(1)
    log, messages = [], {}
    with Ranks.start(Mesh(data=4), device="cpu") as world:
        tables = Tables(world)
        listen(log)
        for name, network in NETWORKS.items():
            for table in ((1, 4), (2, 2)):
                randomise(network, 1)
                here = tables.tiled(DOMAIN, table, network.alignment)
                log.clear()
                run(network, here, "cpu")
                real = list(log)
                count = Counting.among(4, world.rank)
                run(copy.deepcopy(network).to("meta"), Tiled(here.tile, count), "meta")
                counted = [words(item) for item in count.log]
                messages[f"{name} {table}"] = collect(world, {"real": real, "counted": counted})
        if world.rank == 0:
            print(json.dumps(messages))


if __name__ == "__main__":
    main()
