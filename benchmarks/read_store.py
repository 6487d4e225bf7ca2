"""How fast a training reads its cases: the store against a plain h5py read of the same bytes, and on more ranks.

A store of CONUS at 2.5 km (1597 x 2345 points, two variables: a background and a target of each; 20 000 observations a
case) is made in a temporary folder. Each rank reads its own tile of every case, three ways in turn:

    plain    h5py slabs of the same fields and rows of the table, nothing else
    store    the same by `samples.store`, which finds the rows of a tile and counts the bytes
    sample   what a network eats, by `samples.dataset`: normalised, observations as channels, tensors, read ahead

    python benchmarks/read_store.py

Claim: store / plain at least 0.8. All from the page cache, where no disk hides what the processor does; a training
makes its samples in a thread of their own. Prints weak scaling, a rank's throughput on as many ranks as there are
cores, each with a tile of the same size, over that of one rank; and the ratios of throughputs of one rank last.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import torch
from start_ranks import start_ranks

from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.layout import EDGE, TRAINED_ON
from mlrtma_dist.samples.store import Store

CONUS = replace(load_domain("conus"), terrain=None, land=None)
NAMES = ("t2m", "d2m")
CONTENTS = Contents(CONUS, NAMES, ("K", "K"), NAMES, background=True, truth=True)
TILES = (2, 2)  # a rank's tile is a quarter of the domain, however many ranks read
CASES, OBSERVATIONS, ROUNDS = 4, 20_000, 9
WAYS = ("plain", "store", "sample")


class Noise:
    """Cases of noise on the whole domain, with observations at random places (`samples.build.TiledCases`)."""

    contents = CONTENTS
    time = np.datetime64("2026-01-01", "s") + np.arange(CASES) * np.timedelta64(1, "h")

    @cached_property
    def static(self) -> Static:
        """Flat land: no file of terrain is needed."""
        return load_static(CONUS)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """A case on a box."""
        random = np.random.default_rng(number)
        fields = random.standard_normal((2 * len(NAMES), *box.shape), np.float32)
        place = random.uniform(0.0, np.array(CONUS.shape) - 1.0, (OBSERVATIONS, 2))
        latitude, longitude = CONUS.position(*place.T)
        reports = Observations.build(
            station=np.full(OBSERVATIONS, "NOISE"),
            latitude=latitude,
            longitude=longitude,
            time=np.full(OBSERVATIONS, self.time[number]),
            variable=np.array(NAMES)[random.integers(0, 2, OBSERVATIONS)],
            value=random.standard_normal(OBSERVATIONS),
            error=1.0,
        )
        used = np.ones(OBSERVATIONS, dtype=bool)
        background, truth = (dict(zip(NAMES, part, strict=True)) for part in np.split(fields, 2))
        return Case(
            self.static, box, self.time[number], reports, used, ~used, place=place, truth=truth, background=background
        )


def ways(path: str, tile: Tile) -> dict:
    """The three ways to read all cases; every one returns the bytes of fields that it took."""
    store, file = Store(path), h5py.File(path, "r")
    number, ones = len(CONTENTS.fields), (1.0,) * len(CONTENTS.fields)
    method = UNetMethod(UNetSettings(variables=len(NAMES)))
    method.statistics = Statistics(CONTENTS.fields, (0.0,) * number, ones, CASES, "", "")
    dataset = Dataset((store,), tile, method)
    (y0, y1), (x0, x1) = (tile.box.y0, tile.box.y1), (tile.box.x0, tile.box.x1)
    rows = [len(store.observations(index, *tile.slab(0))) for index in range(CASES)]

    def plain():
        return sum(
            file["fields"][index, :, y0:y1, x0:x1].nbytes + sum(file[name][: rows[index]].nbytes for name in TRAINED_ON)
            for index in range(CASES)
        )

    def stored():
        size = 0
        for index in range(CASES):
            table = store.observations(index, *tile.slab(0))
            size += store.fields(index, *tile.slab(0)).nbytes
            size += sum(getattr(table, name).nbytes for name in TRAINED_ON)
        return size

    def samples():
        seen = sum(len(sample.time) for sample in dataset.stream([[index] for index in range(CASES)]))
        assert seen == CASES
        return plain_size

    plain_size = plain()
    assert stored() == plain_size, "the same bytes"
    return {"plain": plain, "store": stored, "sample": samples}


def measure(path: str) -> dict[str, float] | None:
    """On every rank: GB/s of each way, the ways in turn, all ranks at once; rank 0 returns the slowest rank's."""
    torch.set_num_threads(1)
    ranks = int(os.environ.get("OMPI_COMM_WORLD_SIZE", "1"))
    with Ranks.start(Mesh(ranks), device="cpu", always_group=True) as world:
        readers = ways(path, Tile.split(CONUS.shape, TILES, divmod(world.rank % 4, 2), EDGE))
        speeds = {name: [] for name in readers}
        for _ in range(ROUNDS):
            for name, read in readers.items():
                world.everyone().sum(torch.zeros(1))
                begin = time.perf_counter()
                size = read()
                own = torch.tensor([size / (time.perf_counter() - begin) / 1e9])
                speeds[name].append(min(map(float, world.everyone().collect(own))))
        medians = {name: statistics.median(each) for name, each in speeds.items()}
        for name in ("store", "sample"):  # of readings one after the other, which saw the same machine
            pairs = zip(speeds[name], speeds["plain"], strict=True)
            medians[f"{name} / plain"] = statistics.median(one / other for one, other in pairs)
        return medians if world.rank == 0 else None


def start(ranks: int, path: Path) -> dict[str, float]:
    """Start ranks of this file; what rank 0 printed."""
    speeds = start_ranks(__file__, ranks, "--here", path)
    print(f"{ranks} rank(s): " + ", ".join(f"{name} {speeds[name]:.2f} GB/s" for name in WAYS), flush=True)
    return speeds


def main():
    """Make the store, read it on one rank and on as many as there are cores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        if speeds := measure(options.here):
            print(json.dumps(speeds))
        return
    with tempfile.TemporaryDirectory() as folder, Ranks.start(device="cpu") as world:
        path = Path(folder) / "store.h5"
        build_store(path, Noise(), world, at_once=1)
        cores = min(4, len(os.sched_getaffinity(0)))
        one, many = start(1, path), start(cores, path)
    shares = ", ".join(f"{name} {many[name] / one[name]:.2f}" for name in WAYS)
    print(f"weak scaling of reading, 1 -> {cores} ranks: {shares}")
    print(f"sample / plain: {one['sample / plain']:.3f}; store / plain: {one['store / plain']:.3f}")


if __name__ == "__main__":
    main()
