"""Write Observations as the project's own CSV: one row a station and time, SI, the columns of ``generic_csv``."""

import csv

import numpy as np

from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations

PLACE = ("station", "network", "time", "latitude", "longitude", "elevation")


def write_csv(path, observations: Observations) -> None:
    """Write a table; values of one station, network, time and place come into one row, missing ones stay empty.

    Raises:
        OSError: the file cannot be written.
    """
    rows: dict[tuple, dict[str, float]] = {}
    columns = [np.asarray(getattr(observations, name)) for name in PLACE]
    for *place, variable, value in zip(*columns, observations.variable, observations.value, strict=True):
        rows.setdefault(tuple(str(p) for p in place), {})[str(variable)] = float(value)
    with written_atomically(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*PLACE, *VARIABLES])
        for texts, values in rows.items():
            cells = ["" if text == "nan" else text for text in texts]
            writer.writerow([*cells, *(repr(values[name]) if name in values else "" for name in VARIABLES)])
