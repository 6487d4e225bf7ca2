"""One rank fails while the others wait for it: in the main thread, with the argument "thread" in another one, or with
"input" by what the user can mend."""

import sys
import threading
import time

import torch
import torch.distributed as dist

from mlrtma_dist.errors import InputError
from mlrtma_dist.parallel.ranks import Ranks


def fail():
    raise ArithmeticError("the sample of 2026-02-30 holds a NaN")


def main(where):
    with Ranks.start(device="cpu", timeout=300) as world:
        if world.rank == 1:
            if where == "thread":
                threading.Thread(target=fail).start()
                time.sleep(300)
            if where == "input":
                raise InputError("samples.h5: expected an HDF5 file, got text")
            fail()
        dist.all_reduce(torch.ones(1))
        time.sleep(300)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "main")
