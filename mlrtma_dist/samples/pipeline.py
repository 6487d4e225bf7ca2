"""Pipeline: samples are read by threads, ahead of the network, and copied to its device while it computes."""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from mlrtma_dist.methods.sample import Sample

READERS = min(4, len(os.sched_getaffinity(0)))  # threads: HDF5 reads one at a time, decoding and encoding overlap
AHEAD = 3  # batches beyond those that are being read; more only costs memory
Key, Value = TypeVar("Key"), TypeVar("Value")


def read_ahead(
    read: Callable[[Key], Value], keys: Iterable[Key], depth: int = AHEAD, readers: int = READERS
) -> Generator[Value, None, None]:
    """``read(key)`` of every key in order, up to ``depth`` of them read by threads before they are needed.

    An error of a thread is raised where its result would be handed out. Closing the iterator cancels what was not begun
    and waits for the threads, which end.

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


def on_device(samples: Iterable[Sample], device: torch.device) -> Generator[Sample, None, None]:
    """The samples on a device; on a GPU the next one is copied from pinned memory while this one is used.

    On a CPU they pass as they are. Closing the iterator closes ``samples``, where that is an iterator of `read_ahead`.
    """
    with contextlib.closing(samples) if isinstance(samples, Generator) else contextlib.nullcontext():
        yield from samples if device.type != "cuda" else _copied(samples, device)


def _copied(samples: Iterable[Sample], device: torch.device) -> Generator[Sample, None, None]:
    """The samples on a GPU, each copied on a stream of its own before the one ahead of it is handed out."""
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
