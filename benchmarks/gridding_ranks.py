"""Claim: ranks share the subdomains of a physics-informed network: one field whatever their number, in less time.

    python benchmarks/gridding_ranks.py [--ranks 1 2 3 4] [--side 400] [--rounds 1] [--turns 1]

One hour of simulated weather on the toy domain (800 by 600 km, 300 stations), analysed by the method pinn with a
network for every subdomain of at most ``--side`` km, on each number of ranks of one thread, one after the other.
Printed are the seconds from the case to the fields, of the fastest turn; the seconds of processor that the fits of the
busiest rank took, which other work on the machine changes less; the largest difference of a field from that of the
first number of ranks as a share of its range; and how far neighbouring networks are from their blend in the overlap, in
units of the expected error, which rounds make less. Last the ratios of seconds of the second number of ranks to the
first.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from start_ranks import start_ranks

from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods import pinn_networks
from mlrtma_dist.methods.method import Share
from mlrtma_dist.methods.pinn_networks import Networks
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.processes import Processes
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.simulation.simulated_hour import simulate_hour

NAMES = ("t2m", "d2m", "u10", "v10", "psfc")
MESHES = {1: (1, 1), 2: (2, 1), 3: (3, 1), 4: (2, 2)}  # tiles in y and x, on multiples of 48 of 120 x 160 points


class TimedFit(pinn_networks.Fit):
    """A fit whose seconds of processor are added up."""

    seconds = 0.0

    def __init__(self, *arguments):
        began = time.thread_time()
        super().__init__(*arguments)
        TimedFit.seconds += time.thread_time() - began

    def polish(self, matched=None) -> None:
        began = time.thread_time()
        super().polish(matched)
        TimedFit.seconds += time.thread_time() - began

    def descend(self) -> None:
        began, before = time.thread_time(), TimedFit.seconds
        super().descend()  # which polishes
        TimedFit.seconds = before + time.thread_time() - began


def rank(options: argparse.Namespace) -> None:
    """One rank: analyse, and let rank 0 write the fields and print the seconds."""
    static, moment = load_static(load_domain("toy")), np.datetime64("2022-08-24T06:00:00")
    settings = load_settings("classical", NAMES)
    pinn = PinnSettings(subdomain_km=options.side, overlap_km=min(200.0, options.side / 2), rounds=options.rounds)
    pinn_networks.Fit = TimedFit
    with Processes.start(Mesh(1, *MESHES[options.of])) as ranks:
        method = build(("pinn",), Means(settings=settings, pinn=pinn))["pinn"]
        box = ranks.tile_of(static.domain, method.alignment).box
        world = simulate_hour(static, moment, stations=300, seed=1)
        judge = Judge(assumptions(settings), np.timedelta64(30, "m"))
        case = judge.case(static, moment, world.observations, None, box)
        ranks.total(np.zeros(1))  # all begin together
        began = time.perf_counter()
        answer = method.analyse(case)
        fields = answer.fields(Share(ranks.rank, ranks.size, ranks.tiles_total, 1))
        whole = np.zeros((len(NAMES), *static.domain.shape), np.float32)
        for number, name in enumerate(NAMES):
            whole[number][box.slices] = fields.values[name]
        whole, of_each = ranks.total(whole), ranks.total(np.eye(ranks.size)[ranks.rank] * TimedFit.seconds)
        if ranks.rank == 0:
            np.save(options.file, whole)
            seconds, neighbours = time.perf_counter() - began, deviation_of_neighbours(answer.networks)
            print(json.dumps({"seconds": seconds, "fits": of_each.max(), "neighbours": neighbours}))


def deviation_of_neighbours(networks: Networks) -> float:
    """Root mean square of the networks' analyses about their blend, where subdomains overlap, units of the scale."""
    domain = networks.base.case.domain
    values, weights = networks.each_at(networks.base.case.grid_points(slice(0, domain.size.y, 4)))
    values, shared = values[:, 0], (weights > 0.0).sum(axis=0) > 1
    blend = np.einsum("ink,in->nk", values, weights)
    squares = np.einsum("ink,in->nk", (values - blend) ** 2, weights)
    return float(np.sqrt(squares[shared].mean())) if shared.any() else 0.0


def main() -> None:
    """Print the table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 3, 4], choices=list(MESHES))
    parser.add_argument("--side", type=float, default=400.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.of:
        rank(options)
        return
    same = ["--side", options.side, "--rounds", options.rounds]
    seconds, fits = (dict.fromkeys(options.ranks, np.inf) for _ in range(2))
    neighbours, first = {}, None
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.turns):
            for count in options.ranks:
                file = Path(folder, f"{count}.npy")
                printed = start_ranks(__file__, count, *same, "--of", count, "--file", file)
                seconds[count] = min(seconds[count], printed["seconds"])
                fits[count] = min(fits[count], printed["fits"])
                neighbours[count] = printed["neighbours"]
        print("| ranks | seconds | seconds of fits | largest difference | neighbours |\n|---|---|---|---|---|")
        for count in options.ranks:
            fields = np.load(Path(folder, f"{count}.npy"))
            first = fields if first is None else first
            difference = (np.abs(fields - first).max(axis=(1, 2)) / np.ptp(first, axis=(1, 2))).max()
            cells = f"{seconds[count]:.1f} | {fits[count]:.1f} | {difference:.1e} | {neighbours[count]:.3f}"
            print(f"| {count} | {cells} |")
    if len(options.ranks) > 1:
        one, two = options.ranks[:2]
        print(f"fits of the busiest of {two} ranks over {one}: {fits[two] / fits[one]:.2f}")
        print(f"seconds of {two} ranks over {one}: {seconds[two] / seconds[one]:.2f}")


if __name__ == "__main__":
    main()
