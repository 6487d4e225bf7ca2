"""Does `mlrtma plan` predict what is measured? Links and processor of this machine, then steps on 1, 2 and 4 ranks.

Every number of ranks measures, all ranks at once: matrix products, convolutions, memory, the call of an operator, and
letters of 8 bytes and 8 MB between pairs. With these alone the step of a training is predicted, and then run.

    python benchmarks/plan_check.py                    # 256 x 256 points, the shipped network
    mpiexec -n 2 python benchmarks/plan_check.py --here --device cuda    # on nodes of a cluster: their hardware section

Prints the section hardware: of a machine's profile, each step, and predicted / measured last. With --here both links
are the one that was measured: on one node, or between two.
"""

import argparse
import json
import os
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from start_ranks import start_ranks

from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.parallel.interconnect import Interconnect, Link
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.engine import Engine
from mlrtma_dist.training.layouts import ModelledMachine, PlannedTraining, Planner
from mlrtma_dist.training.operators import Processor

TABLES = {1: (1, 1), 2: (2, 1), 4: (2, 2)}
STEPS, REPEATS = 4, 5
SMALL, LARGE = 8, 8_000_000  # bytes of letters: the time of the first is latency
SETTINGS = {"optimizer": {"type": "AdamW", "params": {}}, "gradient_clipping": 1.0}


def world_size() -> int:
    """Ranks that were started, as the launcher says."""
    return int(os.environ.get("OMPI_COMM_WORLD_SIZE", os.environ.get("SLURM_STEP_NUM_TASKS", "1")))


def timed(world: Ranks, action, repeats: int = REPEATS) -> float:
    """Median time of an action that all ranks begin together, s."""
    times = []
    for _ in range(repeats + 1):
        world.everyone().sum(torch.zeros(1))
        begin = time.perf_counter()
        action()
        if world.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def processor(world: Ranks, low: torch.dtype) -> dict[str, float]:
    """Rates of this rank's processor, while all ranks work."""
    kind = {"device": world.device, "dtype": low}
    # On a GPU so large that a launch is short against the work, and that its cache (50 MB on an H100) holds none of it.
    wide, side, numbers = (4096, 1024, 256_000_000) if world.device.type == "cuda" else (1024, 128, 8_000_000)
    square, field = torch.randn(wide, wide, **kind), torch.randn(1, 64, side, side, requires_grad=True, **kind)
    weight, single = torch.randn(64, 64, 3, 3, requires_grad=True, **kind), torch.zeros(1, **kind)
    large = torch.randn(numbers, **kind)

    def convolve():
        torch.autograd.grad(F.conv2d(field, weight, padding=1).sum(), (field, weight))

    def calls():
        for _ in range(1000):
            single.add(1.0)

    operations = 3 * 2 * 9 * 64 * 64 * side * side  # forward, and backward for field and weight
    peak = 2 * wide**3 / timed(world, lambda: square @ square)
    rate = operations / timed(world, convolve)
    return {
        "peak": max(peak, rate),
        "rate": rate,
        "call": timed(world, calls) / 1000,
        "memory_bandwidth": 2 * large.nbytes / timed(world, lambda: F.silu(large)),
    }


def link(world: Ranks) -> dict[str, float]:
    """Latency and bandwidth between pairs of ranks that write to each other, all pairs at once."""
    transport, partner = world.everyone(), world.rank ^ 1
    if world.size == 1:
        return {"latency": 1e-6, "bandwidth": 1e12}  # nobody to write to

    def exchange(size: int):
        letter = torch.zeros(size // 4, device=world.device)
        order = [("send", partner, 0, letter), ("receive", partner, 0, "answer", letter.shape)]
        return lambda: transport.post(order, letter).finish()

    small, large = timed(world, exchange(SMALL), 50), timed(world, exchange(LARGE))
    return {"latency": small, "bandwidth": LARGE / max(large - small, 1e-9)}


def measure(size: int, device: str) -> dict | None:
    """On every rank: figures, and the time of a step predicted from them and measured; rank 0 returns them."""
    torch.set_num_threads(1)
    ranks = world_size()
    with Ranks.start(Mesh(1, *TABLES[ranks]), device=device, always_group=True) as world:
        bf16 = world.device.type == "cuda"
        figures = {**processor(world, torch.bfloat16 if bf16 else torch.float32), **link(world)}
        settings = {**SETTINGS, **({"bf16": {"enabled": True}} if bf16 else {})}
        wire = Link(figures["latency"], figures["bandwidth"])
        machine = ModelledMachine(
            Processor(figures["rate"], figures["memory_bandwidth"], figures["call"]),
            float("inf"),
            Interconnect(wire, wire, ranks),
        )
        training = PlannedTraining(UNetMethod(UNetSettings()), (size, size), "benchmark", 1, 1, settings)
        predicted = Planner(training, machine).predict(world.mesh, 0, 1)
        method = UNetMethod(UNetSettings())
        tile = world.tile((size, size), align=method.network.alignment)
        engine = Engine(method, world, world.neighbourhood(tile), settings, [1])
        fields = torch.randn(1, 4, *tile.shape)
        sample = Sample(fields[:, :3], fields[:, 3:], None, np.zeros(1, "datetime64[s]"))
        measured = timed(world, lambda: engine.step([sample], 1e-4), STEPS)
        figures |= {"predicted": predicted.step, "measured": measured, "between": predicted.tiles + predicted.engine}
        return figures if world.rank == 0 else None


def section(figures: dict[str, float]) -> str:
    """The figures as the section of a profile."""
    wire = f"{{latency: {figures['latency']:.2e}, bandwidth: {figures['bandwidth']:.2e}}}"
    return "\n".join(
        [
            "hardware:",
            f"  peak_bf16: {figures['peak']:.2e}",
            f"  peak_float32: {figures['peak']:.2e}",
            f"  utilisation: {figures['rate'] / figures['peak']:.2f}",
            "  memory: 4.0e+9  # of a rank: yours",
            f"  memory_bandwidth: {figures['memory_bandwidth']:.2e}",
            f"  call: {figures['call']:.2e}",
            f"  within_node: {wire}",
            f"  between_nodes: {wire}",
        ]
    )


def start(ranks: int, size: int, device: str) -> dict[str, float]:
    """Start ranks of this file; what rank 0 printed."""
    figures = start_ranks(__file__, ranks, "--here", "--size", size, "--device", device)
    print(
        f"{ranks} rank(s): predicted {figures['predicted']:.3f} s, measured {figures['measured']:.3f} s",
        file=sys.stderr,
    )
    return figures


def main():
    """Predict and measure, the numbers of ranks in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="points on a side of the domain")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--turns", type=int, default=3, help="medians of so many, each starts 1, 2 and 4 ranks")
    parser.add_argument("--here", action="store_true", help="these ranks only, started by whoever calls")
    options = parser.parse_args()
    if options.here:
        if world_size() not in TABLES:
            parser.error(f"expected {', '.join(map(str, TABLES))} ranks, {world_size()} were started")
        if figures := measure(options.size, options.device):
            print(section(figures), json.dumps(figures), sep="\n")
        return
    turns = [{ranks: start(ranks, options.size, options.device) for ranks in TABLES} for _ in range(options.turns)]
    print(section(turns[0][2]))
    ratios = []
    for ranks in TABLES:
        each = [turn[ranks] for turn in turns]
        middle = {key: statistics.median(one[key] for one in each) for key in each[0]}
        ratio = statistics.median(one["predicted"] / one["measured"] for one in each)
        crowded = ", more ranks than cores" if ranks > len(os.sched_getaffinity(0)) else ""
        print(
            f"{ranks} rank(s){crowded}: predicted {middle['predicted']:.3f} s ({1e3 * middle['between']:.1f} ms of it"
            f" between ranks), measured {middle['measured']:.3f} s, ratio {ratio:.3f}"
        )
        ratios.append(f"{ratio:.3f} on {ranks}")
    print(f"predicted / measured: {', '.join(ratios)} rank(s)")


if __name__ == "__main__":
    main()
