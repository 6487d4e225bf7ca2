"""Product: an analysis as a GRIB2 file, with the parameters and grids of the operational RTMA (docs/product.md)."""

import itertools
import pathlib
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.derived import Derived, derived_fields
from mlrtma_dist.io.grib_write import GribField, check_grid, encode, write_messages
from mlrtma_dist.names import VARIABLES, Variable

ANALYSIS, ANALYSIS_ERROR = 0, 7  # code table 4.3
HEIGHT_ABOVE_GROUND = 103  # code table 4.5
# The error is at most half a step: 1/256 K and m s-1, 0.5 Pa, 0.5 m, 1/16 %.
STEPS = {"K": 2.0**-7, "m s-1": 2.0**-7, "Pa": 1.0, "m": 1.0, "%": 2.0**-3}


def write_product_grib(analysis: Analysis, directory, communicator=None) -> pathlib.Path:
    """Write analysis, error and derived fields to ``directory/<domain>_<time>.grib2``, whole or not at all. Collective.

    A message is made of a whole field, so the fields are gathered: that of message k on rank k modulo the number of
    ranks, which packs it. A rank holds one whole field at a time, and rank 0 besides it the packed messages of one
    round. Winds are eastward and northward, not along the grid, and flagged so. Errors of logarithms (visibility and
    ceiling), the flight category and the fields of exercises are left out: GRIB2 has no code for them.

    Args:
        analysis: fields of this rank's box, SI; the boxes of all ranks together cover the domain.
        directory: made where it is missing.
        communicator: mpi4py's, None alone.

    Returns:
        The path of the file.

    Raises:
        ConfigError: a projection that GRIB2 cannot express.
        InputError: a field is not of the box's shape.
        OSError: the file cannot be written.
    """
    domain, folder = analysis.static.domain, pathlib.Path(directory)
    analysis.check_shapes()
    check_grid(domain)
    path = folder / f"{domain.name}_{clock.compact(analysis.time)}.grib2"
    messages = _messages(analysis, communicator)
    if communicator is None or communicator.rank == 0:
        write_messages(path, messages)
    else:
        deque(messages, maxlen=0)  # takes part in every round, writes nothing
    if communicator is not None:
        communicator.Barrier()  # no rank goes on to read before the file has its name
    return path


def _messages(analysis: Analysis, communicator) -> Iterator[bytes]:
    """The messages in the order of the file, on rank 0; nothing on the others. Collective."""
    domain, fields = analysis.static.domain, _fields(analysis)
    if communicator is None:
        yield from (encode(domain, analysis.time, field) for field in fields)
        return
    boxes = communicator.allgather(analysis.box)
    while batch := list(itertools.islice(fields, communicator.size)):
        message, tiles = b"", None
        for root, field in enumerate(batch):  # all are gathered before any is packed: ranks pack at the same time
            tiles = communicator.gather(field.values, root=root) or tiles
        if tiles is not None:
            whole = np.empty(domain.shape, tiles[0].dtype)
            for box, tile in zip(boxes, tiles, strict=True):
                whole[box.slices] = tile
            message = encode(domain, analysis.time, replace(batch[communicator.rank], values=whole))
        yield from (each for each in communicator.gather(message) or () if each)


def _fields(analysis: Analysis) -> Iterator[GribField]:
    for name in (name for name in analysis.variables if name in VARIABLES):
        yield _field(VARIABLES[name], analysis.values[name], ANALYSIS)
        if name in analysis.error and VARIABLES[name].transform == "identity":
            yield _field(VARIABLES[name], analysis.error[name], ANALYSIS_ERROR)
    for entry in derived_fields(analysis):
        if entry.grib is not None:
            yield _field(entry, entry.field(analysis), ANALYSIS)


def _field(variable: Variable | Derived, values: np.ndarray, process: int) -> GribField:
    assert variable.grib is not None, "fields without a code are left out"
    unit, factor = ("%", 100.0) if variable.unit == "1" else (variable.unit, 1.0)
    parameter, surface = variable.grib[:3], variable.grib[3]
    # RTMA has wind at 10 m above ground, gust at the ground: the type of level decides whether a height is written
    level = variable.height if surface == HEIGHT_ABOVE_GROUND else None
    top = variable.grib[4] if len(variable.grib) > 4 else None
    return GribField(values * factor, parameter, (surface, level), STEPS[unit], process, top)
