"""Pipeline: samples are read by threads, ahead of the network, and copied to its device while it computes."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from mlrtma_dist.methods.sample import Sample

READERS = min(4, len(os.sched_getaffinity(0)))  # threads: HDF5 reads one at a time, decoding and encoding overlap
AHEAD = 3  # batches beyond those that are being read; more only costs memory
Key, Value = TypeVar("Key"), TypeVar("Value")


def read_ahead(
    read: Callable[[Key], Value], keys: Iterable[Key], depth: int = AHEAD, readers: int = READERS
) -> Iterator[Value]:
    """``read(key)`` of every key in order, up to ``depth`` of them read by threads before they are asked for.

    An error of a thread is raised where its result is asked for. Closing the iterator cancels what was not begun.

    Args:
        read: called by the threads; keys: in order.
        depth: results that may wait; readers: threads.
    """
    keys, waiting = iter(keys), deque()
    with ThreadPoolExecutor(readers, thread_name_prefix="read_ahead") as threads:
        try:
            for key in keys:
                waiting.append(threads.submit(read, key))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def on_device(samples: Iterable[Sample], device: torch.device) -> Iterator[Sample]:
    """The samples on a device; on a GPU the next one is copied from pinned memory while this one is used.

    On a CPU they are handed on as they are.
    """
    if device.type != "cuda":
        yield from samples
        return
    copies, following = torch.cuda.Stream(device), None
    for sample in samples:
        with torch.cuda.stream(copies):
            moved = sample.pinned().to(device, non_blocking=True)
        if following is not None:
            yield following
        torch.cuda.current_stream(device).wait_stream(copies)
        moved.record(torch.cuda.current_stream(device))
        following = moved
    if following is not None:
        yield following
