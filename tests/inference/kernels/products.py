"""Ranks write the products and maps of the same analyses, each from its own tile. Arguments: folder.

Rank 0 prints for every rank the largest part of a netCDF field that it held: its tile and what others sent to it.
"""

import json
import sys
import traceback
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from mpi4py import MPI

from mlrtma_dist.fields.static import make_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.inference import map_canvas
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.ensemble_section import Distribution, EnsembleSection
from mlrtma_dist.inference.maps import draw_maps
from mlrtma_dist.inference.product import write_product, write_series
from mlrtma_dist.inference.product_grib import write_product_grib
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations

LAMBERT = "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200"
DOMAIN = Domain("tiled", "450 x 500 points", LAMBERT, Size(500, 450), 5e3, Corner(38.0, -103.0))  # 2 x 2 chunks
PLANE = Domain("plane", "80 x 64 points", "plane", Size(80, 64), 1.0)  # one chunk
TIME = np.datetime64("2022-08-24T06:00:00")
TABLES = {1: (1, 1), 2: (1, 2), 3: (3, 1), 4: (2, 2)}
LINE = 32  # tiles begin on multiples of it, chunks of 225 x 250 points and squares of 3 x 3 do not
PROVENANCE = {"history": "none", "configuration": "method: oi"}


def analysis_of(domain, names, seed, units):
    """Smooth waves and noise, with some missing values."""
    generator = np.random.default_rng(seed)
    row, column = np.meshgrid(*(np.linspace(0.0, 7.0, n) for n in domain.shape), indexing="ij")
    fields = {"values": {}, "first_guess": {}, "error": {}}
    for name in names:
        low, high = VARIABLES[name].valid if name in VARIABLES else (-1.0, 1.0)
        for group in fields:
            wave = (
                0.5
                + 0.3 * np.sin(row + generator.uniform(0, 7)) * np.cos(column)
                + 0.02 * generator.normal(size=row.shape)
            )
            field = np.clip(wave, 0.0, 1.0) * (2.0 if group == "error" else high - low)
            fields[group][name] = (field + (0.1 if group == "error" else low)).astype(np.float32)
        fields["values"][name][230:245, 235:260] = np.nan
    terrain = np.random.default_rng(0).uniform(0, 900, domain.shape)
    table = Observations.build(
        station=[f"S{i}" for i in range(60)],
        latitude=generator.uniform(39.0, 50.0, 60),
        longitude=generator.uniform(-102.0, -90.0, 60),
        time=TIME,
        variable=np.resize(np.array(names), 60),
        value=np.ones(60),
        source="kernel.csv",
    )
    departure = generator.normal(size=(2, 60))
    return Analysis(
        make_static(domain, terrain, terrain / 900),
        TIME,
        **fields,
        observations=table,
        background_departure=departure[0],
        analysis_departure=departure[1],
        observation_error=np.ones(60),
        weight=np.ones(60),
        method="oi",
        first_guess_name="waves",
        notes=(f"seed {seed}",),
        units=units,
        distribution=_distribution(fields["values"]) if "u10" in names else Distribution(),
        probability={name: _probability(fields["values"][name]) for name in names if name in ("visibility", "ceiling")},
    )


def _probability(values):
    """Probabilities of four limits that vary with the values, ascending, missing where they are."""
    share = values / np.nanmax(values)
    return np.stack([0.9 * share**power for power in (8, 4, 2, 1)]).astype(np.float32)


def _distribution(values):
    """Two quantiles of two members of a wind that vary with the values, missing where they are."""
    members = {"u10": np.stack([values["u10"], 0.5 * values["u10"]])}
    section = EnsembleSection(quantiles=(0.25, 0.75), members=True)
    return Distribution(section, {"u10": members["u10"][::-1]}, members=members, drawn=frozenset({"u10"}), count=2)


def on_box(analysis, box):
    """What a rank holds of an analysis."""
    groups = {
        group: {
            name: np.ascontiguousarray(field[(..., *box.slices)]) for name, field in getattr(analysis, group).items()
        }
        for group in ("values", "first_guess", "error", "probability")
    }
    return replace(analysis, box=box, distribution=analysis.distribution.on(box), **groups)


def box_of(domain, table, number):
    """The box of a tile, all lines on multiples of LINE."""
    edges = []
    for size, parts, place in zip(domain.shape, table, divmod(number, table[1]), strict=True):
        lines = [size // LINE * part // parts * LINE for part in range(parts)] + [size]
        edges += lines[place : place + 2]
    return Box(*edges)


class Recorded:
    """A communicator that counts what is sent to this rank for netCDF."""

    def __init__(self, communicator):
        self.communicator, self.points = communicator, Counter()

    def __getattr__(self, name):
        return getattr(self.communicator, name)

    def alltoall(self, sent):
        received = self.communicator.alltoall(sent)
        for (name, _), start, values in (entry for entries in received for entry in entries):
            self.points[name, start[:-2]] += values.size
        return received


def main(folder):
    communicator = Recorded(MPI.COMM_WORLD) if MPI.COMM_WORLD.size > 1 else None
    rank, size = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
    box = box_of(DOMAIN, TABLES[size], rank)
    analysis = on_box(analysis_of(DOMAIN, ("u10", "v10", "visibility", "ceiling"), 1, {}), box)
    write_product(analysis, folder, PROVENANCE, communicator)
    most = max(communicator.points.values(), default=0) if communicator else 0
    write_product_grib(analysis, folder, communicator)
    map_canvas.DPI = 15  # 157 pixels for 500 columns: squares of 3 x 3 points
    draw_maps(analysis, folder / "maps", communicator)
    times = TIME + np.arange(37) * np.timedelta64(1, "h")
    write_series(series(times, rank, size), times, folder / "series.nc", PROVENANCE, communicator)
    shares = MPI.COMM_WORLD.gather((most + np.prod(box.shape)) / np.prod(DOMAIN.shape))
    if rank == 0:
        print(json.dumps([float(share) for share in shares]))


def series(times, rank, size):
    """Two ranks in x share a time where there are four; elsewhere every rank has its own times."""
    tiles = 2 if size == 4 else 1
    for number in range(rank // tiles, len(times), size // tiles):
        analysis = analysis_of(PLANE, ("h", "u"), number, {"h": "m", "u": "m s-1"})
        yield number, replace(on_box(analysis, box_of(PLANE, (1, tiles), rank % tiles)), time=times[number])


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception:
        traceback.print_exc()
        MPI.COMM_WORLD.Abort(1)  # the others would wait for this rank
