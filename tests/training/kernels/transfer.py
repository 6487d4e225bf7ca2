"""Losses of training low-rank adapters of a network that reads reports, on two layouts of ranks and three ZeRO stages.

Prints one line of JSON: layout and stage -> losses of four steps, those by PyTorch alone, and how many numbers the
optimizer updates.
"""

import json

import torch
from reports import losses_of, plain_losses
from tiny import on

from mlrtma_dist.methods.transfer import Transfer, adapt, as_weights_of
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks

from report_cases import TINY, toy  # isort: skip

from mlrtma_dist.methods.vit import build_vit  # isort: skip


def method_of():
    """Adapters on a network of two variables that has been given four."""
    before, method = build_vit(TINY | {"variables": ["t2m", "u10"]}, "test"), build_vit(TINY, "test")
    randomise(before.network, 1)
    weights = as_weights_of(method, before, dict(before.network.named_parameters()))
    method.network.load_state_dict(weights)
    adapt(method, before, Transfer("adapters", rank=2), "test")
    method.settle(toy().domain)
    return method


def main():
    with Ranks.start(device="cpu", always_group=True, timeout=120) as world:
        torch.set_num_threads(1)
        results = {}
        for mesh, stages in ((Mesh(data=2), (0, 2)), (Mesh(y=2), (0, 3))):
            for stage in stages:
                losses, results["numbers"] = losses_of(method_of(), on(world, mesh), stage)
                results[f"{mesh}, stage {stage}"] = losses
        results["plain"] = plain_losses(method_of())
        results["own"] = sum(weight.numel() for weight in method_of().network.parameters())
        if world.rank == 0:
            print(json.dumps(results))


if __name__ == "__main__":
    main()
