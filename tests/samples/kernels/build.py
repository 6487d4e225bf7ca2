"""Build a store on these ranks, read it on tiles and gather statistics.

Arguments: path, tiles in y, tiles in x. Prints hash, statistics, and the parts of some samples by rank.
"""

import json
import sys

import numpy as np

from mlrtma_dist.grid.domain import Domain, Size
from mlrtma_dist.io.hdf5 import content_hash
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.statistics import gather_statistics
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane

CASES, SHOWN = 10, (0, 3, 10, 17, 25)  # the later ones are variants


def main(path, tiles_y, tiles_x, ranks):
    plane = GaussianPlane(size=48, observations=70, seed=5)
    cases = plane.on(Domain("plane", "periodic plane", "plane", Size(48, 48), 1.0, periodic=True), count=CASES)
    mesh = Mesh(data=ranks // (tiles_y * tiles_x), y=tiles_y, x=tiles_x)
    with Ranks.start(mesh, device="cpu") as world:
        build_store(path, cases, world, edge=16, at_once=2)
        store = Store(path)
        tile = world.tile(plane.shape, align=8, periodic=(True, True))
        everyone = world.everyone()
        statistics = gather_statistics(
            (store,), np.arange(CASES), tile, everyone, data_rank=world.coordinates[0], data_ranks=mesh.data
        )
        method = UNetMethod(UNetSettings(widths=(8, 8), groups=2), statistics)
        dataset = Dataset((store,), tile, method, variants=3, seed=2)
        sample = next(dataset.stream([SHOWN]))
        box = tile.box
        np.savez(
            f"{path}.{world.rank}.npz",
            inputs=sample.inputs.numpy(),
            target=sample.target.numpy(),
            box=[box.y0, box.y1, box.x0, box.x1],
            time=sample.time.astype(str),
        )
        if world.rank == 0:
            numbers = [*statistics.mean, *statistics.deviation, statistics.cases]
            print(json.dumps({"hash": content_hash(path), "statistics": numbers, "ranks": world.size}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
