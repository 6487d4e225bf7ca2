"""Parts of `gpu_acceptance.py` that must give known values: CPU = GPU, ZeRO 0 to 3, resume, ranks, analyse."""

import copy
import json
import statistics
from pathlib import Path

import numpy as np
import torch
from gpu_case import BATCH, CASES, Shipped, dataset
from gpu_machine import clock, peak_memory, row

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.meeting import device_of
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.manifest import Run as Origin

STEPS, COMPARED = 8, 5
FLOAT32, BF16, TF32 = 1e-4, 2e-2, 1e-3  # relative tolerances: of rounding, of bf16 after some steps, of ranks on a GPU
ADAMW = {"optimizer": {"type": "AdamW", "params": {}}}


def gap(values, truth) -> float:
    """The largest difference of losses, relative."""
    return max(abs(a / b - 1) for a, b in zip(values, truth, strict=True))


def equality(name: str, device: str, folder: Path) -> None:
    """The loss and the gradient of all weights in float32 on the device beside those in float64 on the CPU."""
    shipped, place = Shipped.of(name), device_of(device, 0)
    with Ranks.start(device="cpu") as world:
        method = shipped.method()
        samples, tile = dataset(shipped, method, folder, world)
        sample, here = samples.batch([0, 1]), world.neighbourhood(tile)
    truth = _pass(method, sample, here, torch.device("cpu"), torch.float64)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    for words, kind, tolerance in (("float32", torch.float32, FLOAT32), ("bf16", torch.bfloat16, None)):
        loss, gradient = _pass(method, sample, here, place, kind)
        of_loss = abs(loss / truth[0] - 1.0)
        of_gradient = float((gradient - truth[1]).norm() / truth[1].norm())
        met = None if tolerance is None else max(of_loss, of_gradient) < tolerance
        claim = "" if tolerance is None else f"< {tolerance:g} of the CPU's float64"
        row(f"{name}, {words} on {place}", f"loss off by {of_loss:.1e}, gradient by {of_gradient:.1e}", claim, met)


def _pass(method, sample, here, place: torch.device, kind: torch.dtype) -> tuple[float, torch.Tensor]:
    """Loss and gradient of all weights, the latter in float64 on the CPU, of a pass with weights of a kind."""
    moved = copy.copy(method)
    moved.network = copy.deepcopy(method.network).to(place, kind)
    exact = torch.promote_types(kind, torch.float32)  # a network rounds its own input
    each = sample.each(lambda part: part.to(place, exact if part.is_floating_point() else part.dtype))
    loss = moved.loss(each, here)[0]
    loss.backward()
    gradient = torch.cat([weight.grad.flatten() for weight in moved.network.parameters() if weight.grad is not None])
    return float(loss.detach()), gradient.double().cpu()


def loop_of(shipped: Shipped, world: Ranks, settings: dict, folder: Path, output: Path | None = None, every: int = 0):
    """A training of STEPS steps on all ranks. Collective."""
    from mlrtma_dist.training.engine import Engine
    from mlrtma_dist.training.loop import Plan, TrainingLoop
    from mlrtma_dist.training.schedule import Schedule

    method = shipped.method()
    samples, tile = dataset(shipped, method, folder, world)
    schedule = Schedule(steps=STEPS, batch=BATCH, learning_rate=1e-3, warm_up=2, checkpoint_every=every, keep=9)
    text = json.dumps({"method": shipped.name, "settings": shipped.settings})  # JSON is YAML
    origin = Origin(text, "", shipped.name, (method.statistics.start, method.statistics.end), vars(method.statistics))
    ranks, rank = world.mesh.data, world.coordinates[0]
    plan = Plan(schedule, np.arange(CASES), np.arange(0), ranks, rank, output or folder, origin)
    engine = Engine(method, world, world.neighbourhood(tile), settings, schedule.parts(ranks))
    loop = TrainingLoop(engine, samples, plan)
    if output is None:
        loop._save = lambda: None
    return loop


def run(loop) -> tuple[list[float], float]:
    """Losses of a training, and the median time of a step without the first ones, s."""
    from mlrtma_dist.training.stop_signal import StopSignal

    rows: list[dict] = []
    with StopSignal.watched() as stop:
        loop.run(stop, rows.append)
    return [each["loss"] for each in rows], statistics.median(BATCH / each["samples_per_second"] for each in rows[-5:])


def train(name: str, device: str, folder: Path) -> None:
    """Losses, time and memory in bf16 at ZeRO 0 to 3 beside float32; then a checkpoint resumed in another stage."""
    shipped, low = Shipped.of(name), {}
    whole, halves = folder / f"{name}_checkpoints", folder / f"{name}_halves"
    with Ranks.start(device=device, always_group=True) as world:
        losses, seconds = run(loop_of(shipped, world, ADAMW, folder, whole))
        row(f"{name}, float32", f"{_ms(seconds)} a step, {peak_memory(world.device)}", "loss falls", _falls(losses))
        (folder / f"{name}_losses.json").write_text(json.dumps(losses), encoding="utf-8")
        for stage in range(4):
            saved = (halves, STEPS // 2) if stage == 1 else (None, 0)
            low[stage], seconds = run(loop_of(shipped, world, _bf16(stage), folder, *saved))
            off = gap(low[stage][:COMPARED], losses[:COMPARED])
            value = f"{_ms(seconds)} a step, {peak_memory(world.device)}, losses off by {off:.1e}"
            row(f"{name}, bf16, ZeRO {stage}", value, f"< {BF16:g} of float32's", off < BF16 and _falls(low[stage]))
        again = loop_of(shipped, world, _bf16(3), folder)
        again.resume(checkpoint.Checkpoint(halves / checkpoint.name_of(STEPS // 2)))
        off = gap(run(again)[0], low[1][STEPS // 2 :])
        row(f"{name}, resumed from ZeRO 1 in ZeRO 3", f"losses off by {off:.1e}", f"< {BF16:g}", off < BF16)


def _bf16(stage: int) -> dict:
    return {**ADAMW, "bf16": {"enabled": True}, "zero_optimization": {"stage": stage}}


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms"


def _falls(losses: list[float]) -> bool:
    return sum(losses[-3:]) < sum(losses[:3])


def ranks(name: str, device: str, folder: Path) -> None:
    """Two ranks, which share a GPU where there is one only: the losses of one rank, at ZeRO 0 to 3."""
    shipped = Shipped.of(name)
    truth = json.loads((folder / f"{name}_losses.json").read_text(encoding="utf-8"))
    with Ranks.start(device=device, always_group=True) as world:
        for stage in range(4):
            losses, seconds = run(loop_of(shipped, world, {**ADAMW, "zero_optimization": {"stage": stage}}, folder))
            off = gap(losses[:COMPARED], truth[:COMPARED])
            if world.rank == 0:
                words = f"{name}, {world.size} ranks on {world.device.type}, ZeRO {stage}"
                value = f"{_ms(seconds)} a step, losses off by {off:.1e}"
                row(words, value, f"< {TF32:g} of one rank's", off < TF32)


def analyse(name: str, device: str, folder: Path) -> None:
    """A case analysed from the checkpoint of the part train, on the device beside the CPU."""
    from mlrtma_dist.weights.trained import load_trained

    shipped, place = Shipped.of(name), device_of(device, 0)
    with Ranks.start(device="cpu") as world:
        store = shipped.store(folder, world)
    domain = store.contents.domain
    case = store.case(0, Box.whole(domain.shape))
    here = Alone(domain.shape, (domain.periodic,) * 2)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    method = load_trained(folder / f"{name}_checkpoints" / checkpoint.name_of(STEPS)).method
    method.settle(domain)
    truth = method.analyse(case, here).fields().values
    method.network.to(place)
    fields = method.analyse(case, here).fields().values
    off = max(float(np.abs(fields[key] - truth[key]).max() / np.ptp(truth[key])) for key in truth)
    seconds = clock(lambda: method.analyse(case, here).fields(), place)
    words, value = f"{name}, {domain.shape[0]} x {domain.shape[1]} points", f"{_ms(seconds)}, off by {off:.1e}"
    row(words, value, f"< {FLOAT32:g} of the CPU's", off < FLOAT32)
