"""Parts of `gpu_acceptance.py` that are figures: share of the peak, memory, torch.compile, reading."""

import time
from contextlib import closing
from pathlib import Path

import torch
from gpu_case import BATCH, CASES, Shipped, dataset
from gpu_machine import clock, matrix_rate, peak_memory, row
from torch.utils.flop_counter import FlopCounterMode

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.meeting import device_of
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.pipeline import on_device
from mlrtma_dist.training import memory

# Dense bf16, 1/s, of NVIDIA's data sheets (SXM).
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
TILES = {"cuda": (256, 960), "cpu": (64,)}  # points on a side


class Pass:
    """A forward and backward pass of a method's network on noise, in bf16 on a GPU."""

    def __init__(self, shipped: Shipped, side: int, batch: int, place: torch.device):
        self.method, self.place = shipped.method(), place
        self.low = place.type == "cuda"
        self.batch, self.shape, self.here = batch, (side, side), Alone((side, side))
        self.method.network.to(place, torch.bfloat16 if self.low else torch.float32)
        torch.manual_seed(0)
        blank = self.method.without_data(self.shape, batch)
        self.sample = blank.each(lambda part: _noise(part, place))

    def __call__(self) -> float:
        """One pass; its loss."""
        self.method.network.zero_grad()
        loss = self.method.loss(self.sample, self.here)[0]
        loss.backward()
        return float(loss.detach())

    def operations(self) -> int:
        """Counted on PyTorch's meta device."""
        blank = memory.without_data(self.method, self.low)
        sample = self.method.without_data(self.shape, self.batch)
        with FlopCounterMode(display=False) as counter:
            blank.loss(sample, self.here)[0].backward()
        return counter.get_total_flops()

    def predicted(self) -> float:
        """Activations that `mlrtma plan` reckons with, GiB."""
        settings = {"bf16": {"enabled": self.low}}
        return memory.activations(self.method, self.shape, self.batch, settings) / 2**30


def _noise(blank: torch.Tensor, place: torch.device) -> torch.Tensor:
    """Positive noise in the place of a tensor without data; numbers of stations are 0 to 15."""
    if not blank.is_floating_point():
        return torch.randint(0, 16, blank.shape, dtype=blank.dtype, device=place)
    return torch.randn(blank.shape, device=place).abs().to(blank.dtype)


def utilisation(name: str, device: str, folder: Path) -> None:
    """Time of a pass, its share of the peak, and memory, by size of the tile."""
    place, shipped = device_of(device, 0), Shipped.of(name)
    peak = matrix_rate(place)
    if place.type == "cuda":
        peak = next((rate for kind, rate in PEAKS.items() if kind in torch.cuda.get_device_name(place)), peak)
    for side in TILES[place.type]:
        for batch in (4 * BATCH, BATCH, 1) if place.type == "cuda" else (1,):
            words = f"{name}, {batch} x {side} x {side} points"
            try:
                row(words, _used(Pass(shipped, side, batch, place), peak))
                break
            except torch.OutOfMemoryError:
                row(words, "does not fit")
            torch.cuda.empty_cache()


def _used(each: Pass, peak: float) -> str:
    """Time, share of the peak and memory of a pass, in words."""
    peak_memory(each.place)
    seconds = clock(each, each.place)
    rate = f"{1e3 * seconds:.2f} ms a pass, {each.operations() / seconds / peak:.3f} of {peak / 1e12:.3g} x 10^12 1/s"
    return f"{rate}, {peak_memory(each.place)}, activations predicted {each.predicted():.2f} GiB"


def compiled(name: str, device: str, folder: Path) -> None:
    """What torch.compile gains, and that it computes the same; on a CPU only whether the network is one graph."""
    place, shipped = device_of(device, 0), Shipped.of(name)
    each = Pass(shipped, TILES[place.type][-1], 1, place)
    plain, truth = clock(each, place), each()
    backend = "inductor" if place.type == "cuda" else "aot_eager"  # the former ends on CPUs, see benchmarks/vit_step.py
    begin = time.perf_counter()
    each.method.network.compile(backend=backend, fullgraph=True)
    off = abs(each() / truth - 1)
    first = time.perf_counter() - begin
    gain = plain / clock(each, place)
    row(f"{name}, {backend}", f"gain {gain:.2f}, first pass {first:.1f} s, loss off by {off:.1e}", "< 0.01", off < 0.01)


def reading(name: str, device: str, folder: Path) -> None:
    """Samples per second from the store to the device, and the share of a pass that waits for them."""
    place, shipped = device_of(device, 0), Shipped.of(name)
    with Ranks.start(device="cpu") as world:
        method = shipped.method()
        samples, tile = dataset(shipped, method, folder, world)
        here = world.neighbourhood(tile)
    method.network.to(place)
    batches = [[(start + number) % CASES for number in range(BATCH)] for start in range(0, 4 * CASES, BATCH)]

    def through(work) -> tuple[float, int]:
        begin, size = time.perf_counter(), 0
        with closing(on_device(samples.stream(batches), place)) as stream:
            for sample in stream:
                work(sample)
                size += sample.inputs.nbytes + sample.target.nbytes
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        return time.perf_counter() - begin, size

    through(lambda sample: None)
    seconds, size = through(lambda sample: None)
    count = BATCH * len(batches)
    row(f"{name}, reading alone", f"{count / seconds:.0f} samples/s, {size / seconds / 1e6:.0f} MB/s to {place.type}")
    there = samples.batch(batches[0]).to(place)
    alone = clock(lambda: method.loss(there, here)[0].backward(), place) * len(batches)
    both, _ = through(lambda sample: method.loss(sample, here)[0].backward())
    row(
        f"{name}, passes that read",
        f"{count / both:.0f} samples/s, {max(0.0, 1 - alone / both):.2f} of the time is waiting",
    )
