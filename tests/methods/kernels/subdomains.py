"""A physics-informed network on four subdomains of the toy domain, shared by the ranks.

Writes the fields of the whole domain to the file that is named, and prints how many fits each rank made.
"""

import json
import sys

import numpy as np

from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods import pinn_networks
from mlrtma_dist.methods.method import Share
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.processes import Processes
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.simulation.simulated_hour import simulate_hour

NAMES = ("t2m", "u10", "v10")
PINN = PinnSettings(
    members=2, points=50, steps=15, polish=8, features=16, width=8, subdomain_km=420.0, overlap_km=150.0, rounds=2
)


class CountedFit(pinn_networks.Fit):
    """A fit that is counted."""

    count = 0

    def descend(self) -> None:
        CountedFit.count += 1
        super().descend()


def main(file: str, y: int, x: int) -> None:
    settings = load_settings("classical", NAMES)
    static, time = load_static(load_domain("toy")), np.datetime64("2022-08-24T06:00:00")
    world = simulate_hour(static, time, stations=150, seed=1)
    pinn_networks.Fit = CountedFit
    with Processes.start(Mesh(1, y, x)) as ranks:
        method = build(("pinn",), Means(settings=settings, pinn=PINN))["pinn"]
        box = ranks.tile_of(static.domain, method.alignment).box
        judge = Judge(assumptions(settings), np.timedelta64(30, "m"))
        case = judge.case(static, time, world.observations, None, box)
        fields = method.analyse(case).fields(Share(ranks.rank, ranks.size, ranks.tiles_total, ranks.threads))
        whole = np.zeros((2 * len(NAMES), *static.domain.shape), np.float32)
        for number, name in enumerate(NAMES):
            whole[2 * number][box.slices], whole[2 * number + 1][box.slices] = fields.values[name], fields.error[name]
        whole, fits = ranks.total(whole), ranks.total(np.eye(ranks.size)[ranks.rank] * CountedFit.count)
        if ranks.rank == 0:
            np.save(file, whole)
            print(json.dumps({"fits": fits.tolist()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
