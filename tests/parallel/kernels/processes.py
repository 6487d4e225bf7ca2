"""Processes without torch: places, tiles and sums. With the argument "fail" process 1 ends by what the user can mend.

Prints one line of JSON, a list with an entry for each process.
"""

import json
import sys
import time

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.parallel.processes import Processes


def main(fails):
    """Join the others."""
    with Processes.start(in_tiles=True) as processes:
        if fails:
            if processes.rank == 1:
                raise InputError("samples.h5: expected an HDF5 file, got text")
            time.sleep(300)
        own = np.arange(6.0).reshape(2, 3).T * (processes.rank + 1)  # not contiguous
        tile = processes.tile((97, 61), align=48)
        place = {
            "rank": processes.rank,
            "coordinates": processes.coordinates,
            "box": [tile.box.y0, tile.box.y1, tile.box.x0, tile.box.x1],
            "total": processes.total(own).tolist(),
            "counts": processes.tiles_total(np.array([1, processes.rank])).tolist(),
            "from_first": processes.from_first(lambda: ["of", processes.rank]),
            "torch": "torch" in sys.modules,
        }
        everyone = [place] if processes.communicator is None else processes.communicator.allgather(place)
        if processes.rank == 0:
            print(json.dumps(everyone))


if __name__ == "__main__":
    main("fail" in sys.argv[1:])
