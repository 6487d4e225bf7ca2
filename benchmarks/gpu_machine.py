"""The part of `gpu_acceptance.py` that tells the machine, and clocks and rows for all parts. It needs torch alone."""

import functools
import gc
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable

import torch


def row(figure: str, value: str, claim: str = "", met: bool | None = None) -> None:
    """Hand a row of the table to `gpu_acceptance.py`."""
    verdict = "" if met is None else "ok" if met else "misses"
    print(json.dumps({"row": [figure, value, claim, verdict]}), flush=True)


def clock(action: Callable[[], object], device: torch.device) -> float:
    """Median time of an action on a GPU after two that are not counted, s; on a CPU, where no figure counts, of one."""
    seconds, times = [], 7 if device.type == "cuda" else 3
    for _ in range(times):
        begin = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[2:])


def peak_memory(device: torch.device) -> str:
    """The most memory that tensors took on the GPU since the last call, in words; nothing on a CPU."""
    if device.type != "cuda":
        return "memory not measured on a CPU"
    size = torch.cuda.max_memory_allocated(device)
    gc.collect()  # a former training holds itself by cycles
    torch.cuda.reset_peak_memory_stats(device)
    return f"{size / 2**30:.2f} GiB"


@functools.cache
def matrix_rate(device: torch.device) -> float:
    """Operations of a large bf16 product of matrices, 1/s; on a CPU float32."""
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (512, torch.float32)
    square = torch.randn(size, size, device=device, dtype=kind)
    return 2 * size**3 / clock(lambda: square @ square, device)


def machine(device: str) -> None:
    """What this machine is, and its rates."""
    place = torch.device("cuda" if torch.cuda.is_available() and device != "cpu" else "cpu")
    row("cores", str(len(os.sched_getaffinity(0))))
    if smi := shutil.which("nvidia-smi"):
        query = [smi, "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader"]
        row(
            "nvidia-smi",
            "; ".join(subprocess.run(query, capture_output=True, text=True, timeout=30).stdout.splitlines()),
        )
    row("torch", f"{torch.__version__}, built for CUDA {torch.version.cuda}, sees {torch.cuda.device_count()} GPUs")
    if place.type == "cpu":
        row("GPU", "none is used: the figures are of the CPU and small")
        return
    nccl = ".".join(map(str, torch.cuda.nccl.version()))
    row("GPU", f"{torch.cuda.get_device_name(place)}, cuDNN {torch.backends.cudnn.version()}, NCCL {nccl}")
    row("bf16 product of matrices of 8192", f"{matrix_rate(place) / 1e12:.0f} x 10^12 1/s")
    field, pinned = torch.empty(2**28, device=place), torch.empty(2**26).pin_memory()
    row("memory", f"{2 * field.nbytes / clock(lambda: field.mul_(1.0), place) / 1e9:.0f} GB/s")
    seconds = clock(lambda: field[: 2**26].copy_(pinned, non_blocking=True), place)
    row("copy from pinned memory", f"{pinned.nbytes / seconds / 1e9:.1f} GB/s")
