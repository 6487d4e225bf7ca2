"""Some layers and primitives on the tiles of four ranks: the proof that what threads show holds across processes.

Arguments: a seed. Prints {"equality": {case: difference}, "gradient": {...}, "adjoint": {...}, "messages": [...]}.
"""

import json
import sys

import torch
from layer_checks import check_adjoints, check_layers, check_rims
from tables import Tables, worst

from mlrtma_dist.nn.neighbourhood import Rim
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks

LAYERS = ("convolution 3 2 1 zeros", "group norm", "windows 4 True", "global mixing")
MAPS = ("rim 1 replicate", "whole", "move", "spread")


def main(seed):
    equality, gradient, adjoint, messages = {}, {}, {}, []
    with Ranks.start(Mesh(y=2, x=2), device="cpu", timeout=60) as ranks:
        torch.set_num_threads(1)
        tables = Tables(ranks)
        check_rims(tables, seed, equality)
        check_adjoints(ranks.rank, tables, seed, equality, adjoint, chosen=lambda name: name in MAPS)
        check_layers(tables, seed, equality, gradient, chosen=lambda name: name in LAYERS)
        try:
            thin = tables.tiled((9, 40), (4, 1))
            thin.rim(torch.zeros(1, 1, *thin.box.shape), Rim.around(3, 3))
        except ValueError as error:
            messages = ranks.communicator.allgather(str(error))
        result = {
            name: worst(ranks, values)
            for name, values in (("equality", equality), ("gradient", gradient), ("adjoint", adjoint))
        }
        if ranks.rank == 0:
            print(json.dumps({**result, "messages": messages}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
