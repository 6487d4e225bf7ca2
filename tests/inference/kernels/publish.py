"""Publish a slot of the toy domain again and again, until the process is killed. Arguments: folder, first revision."""

import sys

import numpy as np

from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.cycle_publications import Publications
from mlrtma_dist.inference.product import write_product
from mlrtma_dist.observations.table import Observations

folder, first = sys.argv[1], int(sys.argv[2])
static, time = load_static(load_domain("toy")), np.datetime64("2022-08-24T06:00:00", "s")
field = np.full(static.domain.shape, 280.0, np.float32)
analysis = Analysis(
    static, time, {"t2m": field}, {"t2m": field}, {}, Observations.empty(), *[np.empty(0)] * 4, "threedvar", "none"
)
publications = Publications(folder, "toy")
for revision in range(first, first + 100_000):
    write_product(analysis, publications.path(time).parent, {"revision": revision})
    publications.point(time)
