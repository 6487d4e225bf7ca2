"""Threads of a rank for tasks of torch and numpy beside each other."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from mlrtma_dist.methods.method import ALONE, Share


@contextlib.contextmanager
def task_threads(tasks: int, share: Share = ALONE) -> Iterator[Callable[[Callable, Iterable], list[Any]]]:
    """A map over the rank's threads, a list in order; of several tasks each has one thread of torch and of BLAS."""
    if tasks < 2:
        yield lambda work, items: [work(item) for item in items]
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        count = min(tasks, share.threads or len(os.sched_getaffinity(0)))
        with threadpool_limits(1), ThreadPoolExecutor(count) as pool:
            yield lambda work, items: list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)
