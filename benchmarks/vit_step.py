"""How well a training step of the vision transformer uses its processor, and what each switch of PyTorch gains.

    python benchmarks/vit_step.py --tile 120 --width 96 --depth 2                  # CPU, float32
    python benchmarks/vit_step.py --device cuda --peak 989e12 --domains            # GPU, bf16: H100 or H200

The claim is about the second: at least 0.45 of the dense bf16 peak by the wide network (1536 channels, 12 blocks,
windows of 64 tokens, patches of 4 x 4 points). Operations are those of one forward and backward pass, counted by
PyTorch without data; what is computed again does not count. Time is that of the engine's whole step, optimizer
included. The shipped network (96 channels, 4 blocks) is beside it. Each switch is tried alone against none, then all
that help together:

    fused attention    PyTorch's fused kernels instead of the plain product, softmax, product of the same precision
    channels last      channels of a point side by side in memory
    compile            torch.compile of the network; on a GPU only: on CPUs PyTorch 2.13's backward pass of replicating
                       padding returns another layout than its compiler was told, which ends the program

Times are printed as they are measured, those of the wide network first: what runs out of time keeps what it has. Then
``--domains`` adds seconds of a step and of an analysis on CONUS at 2.5 km and 1 km where they fit, activations computed
again, and the largest square tile that fits.
"""

import argparse
import contextlib
import gc
import math
import statistics
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.vit import VisionTransformer, VisionTransformerConfig
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.engine import Engine

CHANNELS = {"channels_in": 24, "channels_out": 8}  # background, departure and mask of eight variables
SHIPPED = VisionTransformerConfig(**CHANNELS)
WIDE = VisionTransformerConfig(**CHANNELS, patch=4, window=8, width=1536, heads=16, depth=12)
SWITCHES = ("fused attention", "channels last", "compile")
FIRST_TRIED = 16  # windows on a side of the first tile of which it is tried whether it fits
OPTIMIZER = {"optimizer": {"type": "AdamW", "params": {}}, "gradient_clipping": 1.0}


@dataclass(frozen=True)
class Place:
    """Where it runs: the ranks (one), steps that are timed, and the processor's peak, 1/s."""

    world: Ranks
    steps: int
    peak: float

    @property
    def on_gpu(self) -> bool:
        """Whether the rank computes on a GPU, in bf16."""
        return self.world.device.type == "cuda"


class Method:
    """Squared error of the transformer, with some of the switches on."""

    def __init__(self, config: VisionTransformerConfig, switches: tuple[str, ...], device: torch.device):
        torch.manual_seed(0)
        with device:  # a CPU takes seconds to draw the weights of the wide network
            self.network, self.switches = VisionTransformer(config), switches
        self._call = torch.compile(self.network) if "compile" in switches else self.network

    def weight(self, sample: Sample) -> float:
        """How many numbers are compared."""
        return float(sample.target.numel())

    def loss(self, sample: Sample, neighbourhood) -> tuple[torch.Tensor, float]:
        """Sum of squares."""
        inputs = sample.inputs
        if "channels last" in self.switches:  # of the fields; DeepSpeed wants contiguous weights
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        plain = contextlib.nullcontext() if "fused attention" in self.switches else sdpa_kernel(SDPBackend.MATH)
        with plain:
            output = self._call(inputs, neighbourhood)
        return (output.to(sample.target.dtype) - sample.target).square().sum(), self.weight(sample)


def operations(config: VisionTransformerConfig, shape: tuple[int, int]) -> int:
    """Floating point operations of a forward and backward pass; nothing is computed, or computed again."""
    network = VisionTransformer(replace(config, recompute=False)).to("meta")
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, config.channels_in, *shape, device="meta"), Alone(shape)).sum().backward()
    return counter.get_total_flops()


def matrix_peak(device: torch.device) -> float:
    """Operations that a large product of matrices does, 1/s: for a processor whose peak is not stated."""
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    square = torch.randn(size, size, device=device, dtype=kind)
    return 2 * size**3 / min(clock(lambda: square @ square, device, 8))


def clock(action, device: torch.device, times: int) -> list[float]:
    """Times of an action after a first one that is not counted, s."""
    seconds = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


def engine_on(config: VisionTransformerConfig, shape: tuple[int, int], switches, place: Place) -> tuple[Engine, Sample]:
    """An engine on an undivided domain, and a sample of noise."""
    settings = {**OPTIMIZER, **({"bf16": {"enabled": True}} if place.on_gpu else {})}
    engine = Engine(Method(config, switches, place.world.device), place.world, Alone(shape), settings, [1])
    fields = torch.randn(1, config.channels_in + config.channels_out, *shape, device=place.world.device)
    inputs, target = fields.split([config.channels_in, config.channels_out], 1)
    return engine, Sample(inputs, target, None, np.zeros(1, "datetime64[s]"))


def step_time(config, shape, switches, place: Place) -> float:
    """Median time of an engine's step, s."""
    engine, sample = engine_on(config, shape, switches, place)
    return statistics.median(clock(lambda: engine.step([sample], 1e-4), place.world.device, place.steps))


def free() -> None:
    """Hand back the memory of engines that nobody holds any more, and forget what was compiled.

    torch.compile would use what it made of one attention for the other: none of its guards looks at the kernels chosen.
    """
    torch._dynamo.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def attempt(words: str, config, shape, switches, place: Place, count: int) -> float:
    """Time of a step with some of the switches, printed; infinite where a compiler, a kernel or memory fails."""
    free()
    try:
        seconds = step_time(config, shape, switches, place)
    except (RuntimeError, AssertionError) as error:  # the others are still worth knowing
        print(f"{words} fails: {type(error).__name__} {str(error)[:200]!r}", flush=True)
        return math.inf
    print(f"{words}: step {seconds:.4g} s, {count / seconds / place.peak:.3f} of the peak", flush=True)
    return seconds


def utilisation(name: str, config: VisionTransformerConfig, size: int, switches, place: Place) -> float:
    """Race the switches on a square tile; print each gain, and return the largest share of the peak."""
    shape, count = (size, size), operations(config, (size, size))
    times = {(): attempt(f"{name}, no switch", config, shape, (), place, count)}
    for switch in switches:
        times[(switch,)] = attempt(f"{name}, {switch}", config, shape, (switch,), place, count)
    plain = times[()]
    helpful = tuple(switch for switch in switches if times[(switch,)] < plain)
    if len(helpful) > 1:
        times[helpful] = attempt(f"{name}, {' and '.join(helpful)}", config, shape, helpful, place, count)
    free()
    best = min(times, key=times.get)
    share = count / times[best] / place.peak
    gains = ", ".join(f"{switch} {plain / times[(switch,)]:.2f}" for switch in switches)
    print(
        f"{name}: {config.width} channels, {config.depth} blocks, tile {size} x {size}, {count / 1e12:.4g} x 10^12"
        f" operations; step {plain:.4g} s, gains: {gains}; {times[best]:.4g} s with"
        f" {' and '.join(best) or 'none'}, {share:.3f} of the peak",
        flush=True,
    )
    return share


def fits(config, shape, place: Place) -> bool:
    """Whether a step on an undivided domain finds memory, on a GPU, and kernels: some end at 2^31 numbers."""
    try:
        step_time(config, shape, ("fused attention",), replace(place, steps=1))
    except torch.OutOfMemoryError:
        return False
    except RuntimeError as error:
        print(f"{shape[0]} x {shape[1]} points: {str(error)[:200]!r}", flush=True)
        return False
    finally:
        free()
    return True


def largest_tile(config: VisionTransformerConfig, place: Place) -> int:
    """Side of the largest square that fits, to one window, 0 if none: doubled until it does not, halved in between."""
    unit, low, high = config.patch * config.window, 0, FIRST_TRIED
    while fits(config, (high * unit,) * 2, place):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(config, (middle * unit,) * 2, place) else (low, middle)
    return low * unit


def step_and_analysis(config: VisionTransformerConfig, shape: tuple[int, int], place: Place) -> list[float]:
    """Median times of a step and of the network alone, s."""
    engine, sample = engine_on(config, shape, ("fused attention",), place)
    actions = (lambda: engine.step([sample], 1e-4), lambda: engine.predict(sample))
    return [statistics.median(clock(action, place.world.device, place.steps)) for action in actions]


def domains(name: str, config: VisionTransformerConfig, place: Place) -> None:
    """Seconds of a step and of an analysis on CONUS where they fit; largest tile."""
    again = replace(config, recompute=True)
    for domain in ("conus", "conus_1km"):
        shape = load_domain(domain).shape
        if not fits(again, shape, place):
            print(f"{name}: {domain} {shape} does not fit: divide it among ranks (mlrtma plan)", flush=True)
            continue
        step, analysis = step_and_analysis(again, shape, place)
        print(f"{name}: {domain} {shape}: step {step:.3f} s, analysis {analysis:.3f} s", flush=True)
        free()
    for word, each in (("kept", config), ("computed again", again)):
        print(f"{name}: largest tile, activations {word}: {largest_tile(each, place)} points a side", flush=True)


def main():
    """Measure the wide network, then the shipped one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--peak", type=float, help="dense peak, 1/s; otherwise that of a large product of matrices")
    parser.add_argument("--tile", type=int, default=960, help="points on a side")
    parser.add_argument("--width", type=int, default=WIDE.width, help="channels of the wide network")
    parser.add_argument("--depth", type=int, default=WIDE.depth, help="blocks of the wide network")
    parser.add_argument("--steps", type=int, default=5, help="that are timed")
    parser.add_argument("--switches", nargs="*", choices=SWITCHES, help="all, but for compile on a CPU")
    parser.add_argument("--domains", action="store_true", help="largest tile, and CONUS; on a GPU")
    options = parser.parse_args()
    if options.domains and options.device == "cpu":
        parser.error("--domains looks for the end of a GPU's memory; add --device cuda")
    if options.switches is None:
        options.switches = SWITCHES if options.device == "cuda" else SWITCHES[:-1]
    wide = replace(WIDE, width=options.width, depth=options.depth)
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)  # else plain attention computes in float32
    with Ranks.start(device=options.device, always_group=True) as world:
        place = Place(world, options.steps, options.peak or matrix_peak(world.device))
        print(
            f"peak {place.peak / 1e12:.4g} x 10^12 1/s, {'stated' if options.peak else 'of a product of matrices'}",
            flush=True,
        )
        networks = {"wide": wide, "shipped": SHIPPED}
        switches = tuple(options.switches)
        shares = {name: utilisation(name, each, options.tile, switches, place) for name, each in networks.items()}
        print(f"operations of a step / (time x peak), wide: {shares['wide']:.3f}", flush=True)
        for name, config in networks.items() if options.domains else ():
            domains(name, config, place)


if __name__ == "__main__":
    main()
