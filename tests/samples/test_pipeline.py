"""Reading ahead by threads, and copying to a device while the network computes."""

import contextlib
import threading
import time
from contextlib import closing

import pytest
import torch

from mlrtma_dist.samples import pipeline
from mlrtma_dist.samples.pipeline import on_device, read_ahead


def readers_alive():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read_ahead")]


@pytest.mark.parametrize("readers", [1, 2, 4])
def test_results_come_in_the_order_of_the_keys_however_long_each_takes(readers):
    def slow(key):
        time.sleep(0.002 * (key % 3))
        return key * key

    assert list(read_ahead(slow, range(30), depth=5, readers=readers)) == [key * key for key in range(30)]
    assert readers_alive() == []


def test_several_threads_read_at_the_same_time():
    together = threading.Barrier(3)

    def read(key):
        together.wait(10)  # passes only when three threads are here
        return key

    assert list(read_ahead(read, range(6), depth=3, readers=3)) == list(range(6))


def test_no_more_is_read_ahead_than_allowed():
    keys, begun = iter(range(100)), []

    def read(key):
        begun.append(key)
        return key

    with closing(read_ahead(read, keys, depth=3, readers=2)) as stream:
        assert [next(stream) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(begun) <= 5 + 3
    assert next(keys) <= 5 + 3


def test_an_error_of_a_thread_is_raised_in_its_turn_and_ends_the_threads():
    def read(key):
        if key == 3:
            raise ArithmeticError("case 3 cannot be read")
        return key

    stream = read_ahead(read, range(100), depth=4, readers=3)
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ArithmeticError, match="case 3 cannot be read"):
        next(stream)
    assert readers_alive() == []


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_closing_early_ends_the_threads_and_cancels_what_was_not_begun(kind, monkeypatch):
    fake_gpu(monkeypatch, [])
    begun = []

    def read(key):
        begun.append(key)
        time.sleep(0.01)
        return Batch(key, [])

    with closing(on_device(read_ahead(read, range(100), depth=8, readers=2), torch.device(kind))) as stream:
        assert next(stream).key == 0
        assert readers_alive() != []
    assert readers_alive() == []
    assert len(begun) < 10 and next(stream, None) is None


class Batch:
    """Stands in for a Sample; lists what is done with it."""

    def __init__(self, key, log):
        self.key, self.log = key, log

    def pinned(self):
        self.log.append(("pin", self.key))
        return self

    def to(self, device, non_blocking=False):
        self.log.append(("copy", self.key, str(device), non_blocking))
        return self

    def record(self, stream):
        self.log.append(("record", self.key, stream.name))


class Stream:
    """Stands in for a stream of CUDA."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def wait_stream(self, other):
        self.log.append(("wait", self.name, other.name))


def fake_gpu(monkeypatch, log):
    """Streams that list what waits for what, as there need be no GPU."""
    current = Stream("computing", log)
    monkeypatch.setattr(pipeline.torch.cuda, "Stream", lambda device: Stream("copies", log))
    monkeypatch.setattr(pipeline.torch.cuda, "current_stream", lambda device: current)
    monkeypatch.setattr(pipeline.torch.cuda, "stream", lambda stream: contextlib.nullcontext())


def test_on_a_gpu_the_next_batch_is_copied_from_pinned_memory_before_this_one_is_used(monkeypatch):
    log = []
    fake_gpu(monkeypatch, log)
    for batch in on_device((Batch(key, log) for key in range(3)), torch.device("cuda", 0)):
        log.append(("use", batch.key))
    arrived = [("wait", "computing", "copies"), ("record", 0, "computing")]
    assert log[:4] == [("pin", 0), ("copy", 0, "cuda:0", True), *arrived]
    for key in (0, 1):
        assert log.index(("copy", key + 1, "cuda:0", True)) < log.index(("use", key))
    for key in range(3):  # the stream that computes waited for the copy, and the allocator was told
        assert log.index(("record", key, "computing")) < log.index(("use", key))
    assert [entry[1] for entry in log if entry[0] == "use"] == [0, 1, 2]
    assert sum(entry[0] == "wait" for entry in log) == 3


def test_on_a_cpu_batches_pass_as_they_are():
    batches = [Batch(key, []) for key in range(3)]
    assert list(on_device(iter(batches), torch.device("cpu"))) == batches
    assert all(batch.log == [] for batch in batches)


def test_nothing_to_read_ends_at_once_on_every_device(monkeypatch):
    fake_gpu(monkeypatch, [])
    for kind in ("cpu", "cuda"):
        assert list(on_device(iter(()), torch.device(kind))) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gets_the_numbers_of_every_batch():
    import numpy as np

    from mlrtma_dist.methods.sample import Sample

    def batch(key):
        fields = torch.full((1, 2, 512, 512), float(key))
        return Sample(fields, fields[:, :1] + 0.5, None, np.zeros(1, "datetime64[s]"))

    stream = on_device(read_ahead(batch, range(20)), torch.device("cuda", 0))
    for key, sample in enumerate(stream):
        assert sample.inputs.is_cuda
        assert float(sample.inputs.mean()) == key and float(sample.target.mean()) == key + 0.5
