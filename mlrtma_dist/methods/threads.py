"""Threads of a rank for numpy's work, which releases the interpreter's lock."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from mlrtma_dist.methods.method import ALONE, Share


@contextlib.contextmanager
def threads(share: Share = ALONE) -> Iterator[ThreadPoolExecutor]:
    """A pool of the rank's threads, each with one BLAS thread."""
    with threadpool_limits(1), ThreadPoolExecutor(share.threads or len(os.sched_getaffinity(0))) as pool:
        yield pool
