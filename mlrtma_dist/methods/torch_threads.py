"""Threads of a rank for tasks of torch and numpy beside each other."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from mlrtma_dist.methods.method import ALONE, Share
from mlrtma_dist.methods.threads import threads

_LOCK = threading.Lock()
_BEFORE: list[int] = []  # torch's threads before those that are under way began, once for each


@contextlib.contextmanager
def task_threads(tasks: int, share: Share = ALONE) -> Iterator[Callable[[Callable, Iterable], list[Any]]]:
    """A map over the rank's threads, a list in order; of several tasks each has one thread of torch and of BLAS.

    Threads of a program may use it at once; a task itself does not.
    """
    if tasks < 2:
        yield lambda work, items: [work(item) for item in items]
        return
    with _one_thread_of_torch(), threads(share) as pool:
        yield lambda work, items: list(pool.map(work, items))


@contextlib.contextmanager
def _one_thread_of_torch() -> Iterator[None]:
    """One thread of torch, a setting of the whole process; afterwards as many as before the first that is under way."""
    with _LOCK:
        _BEFORE.append(_BEFORE[0] if _BEFORE else torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _LOCK:
            torch.set_num_threads(_BEFORE.pop())
