"""The threads of gloo in a rank that sums over the others, and after it has left them but keeps its `Ranks`."""

import json
from pathlib import Path

import numpy as np

from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks


def threads_of_gloo() -> int:
    return sum("gloo" in path.read_text() for path in Path("/proc/self/task").glob("*/comm"))


with Ranks.start(Mesh(data=1, y=2, x=1), device="cpu", timeout=60) as world:
    world.total(np.ones(3))
    world.tiles_total(np.ones(3))
    within = threads_of_gloo()
if world.rank == 0:
    print(json.dumps([within, threads_of_gloo()]))
