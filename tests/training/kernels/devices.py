"""Which device this code and DeepSpeed set, on two ranks of one node, with calls to the GPU recorded instead of made.

PyTorch is told of as many GPUs as CUDA_VISIBLE_DEVICES names. DeepSpeed's accelerator is that of the CPU, which records
every index that it is handed, so that whole steps run. Prints one line of JSON: for each way of showing GPUs and each
rank [indices set by this code, indices used by DeepSpeed]; and how often DeepSpeed looked which of its operators it
could compile, which starts compilers.
"""

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import torch
import torch.distributed as dist
from deepspeed import ops
from deepspeed.accelerator import set_accelerator
from deepspeed.accelerator.cpu_accelerator import CPU_Accelerator
from tiny import engine_of

from mlrtma_dist.parallel.ranks import Ranks

ours, theirs, looks = set(), set(), []
end_the_group = dist.destroy_process_group


class Recording(CPU_Accelerator):
    """The accelerator of the CPU that keeps every index."""

    def set_device(self, device_index):
        if not isinstance(device_index, torch.device):  # of a device: by a name that was recorded
            theirs.add(int(device_index))

    def device_name(self, device_index=None):
        if device_index is not None:
            theirs.add(int(device_index))
        return "cpu"


def visible():
    return os.environ["CUDA_VISIBLE_DEVICES"].split(",")


def pretend_gpus():
    """Let PyTorch see as many GPUs as are visible, and gloo carry all tensors, in the one group DeepSpeed keeps."""
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: len(visible())
    torch.cuda.set_device = lambda place: ours.add(place.index)
    torch.cuda.get_device_properties = lambda place: SimpleNamespace(uuid=visible()[place.index])
    whole = dist.init_process_group
    dist.init_process_group = lambda backend, **more: dist.is_initialized() or whole("gloo", **more)
    dist.destroy_process_group = lambda: None


def used(device):
    """Start the ranks and make one step at ZeRO stage 3, which sets the device a second time: the sets of all ranks."""
    ours.clear()
    theirs.clear()
    with Ranks.start(device=device, always_group=True, timeout=60) as world:
        settings = {"zero_optimization": {"stage": 3}}
        engine, data = engine_of(replace(world, device=torch.device("cpu")), settings, [1])
        engine.step([data.batch([world.rank])], 1e-3)
        return world.communicator.gather([sorted(ours), sorted(theirs)])


def main():
    pretend_gpus()
    set_accelerator(Recording())
    ops._probe_compatible_ops = lambda: looks.append("all operators") or {}
    launched, results = os.environ["CUDA_VISIBLE_DEVICES"], {}
    visible_to_rank = {
        "one, by launch.sh": ("auto", launched),
        "all": ("cuda", "0,1"),
        "all, by UUID": ("cuda", "GPU-8f6d,GPU-1c2b"),
        "one, by UUID": ("cuda", ("GPU-8f6d", "GPU-1c2b")[int(launched)]),
        "one, shared": ("cuda", "0"),
        "none": ("cpu", ""),
    }
    for name, (device, names) in visible_to_rank.items():
        os.environ["CUDA_VISIBLE_DEVICES"] = names
        results[name] = used(device)
    results["looks at what compiles"] = len(looks)
    if launched == "0":
        print(json.dumps(results))
    end_the_group()  # its thread must not free a tensor while the interpreter ends


if __name__ == "__main__":
    main()
