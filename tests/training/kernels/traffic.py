"""What DeepSpeed really hands to torch.distributed in a step, by ZeRO stage and precision, beside what is counted.

Prints one line of JSON: for each stage and precision the collectives of the second of two steps as [kind, bytes].
"""

import inspect
import json

import torch.distributed as dist
from tiny import Method, engine_of

from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training import work

# Their names in the count, and which argument is handed in.
CALLS = {
    "all_reduce": ("sum", 0),
    "all_gather_into_tensor": ("collect", 1),
    "reduce_scatter_tensor": ("divide", 1),
    "all_gather": ("collect", 1),
    "reduce": ("reduce", 0),
    "broadcast": ("broadcast", 0),
}
PASSES = 2


def listen(log):
    """Write down what is handed to torch.distributed."""
    for name, (kind, place) in CALLS.items():
        setattr(dist, name, heard(getattr(dist, name), kind, place, log))


def heard(call, kind, place, log):
    """A function of torch.distributed that writes down the kind and bytes of each call."""
    signature = inspect.signature(call)

    def listening(*arguments, **named):
        log.append([kind, list(signature.bind(*arguments, **named).arguments.values())[place].nbytes])
        return call(*arguments, **named)

    return listening


def main():
    """All stages, in float32 and bf16, on four data ranks."""
    log, messages = [], {}
    import deepspeed  # noqa: F401 it keeps some of torch.distributed's functions at import, the unheard ones first

    listen(log)
    with Ranks.start(Mesh(data=4), device="cpu", always_group=True) as world:
        for stage in (0, 1, 2, 3):
            for bf16 in (False, True):
                settings = {
                    "optimizer": {"type": "AdamW", "params": {}},
                    "zero_optimization": {"stage": stage},
                    "bf16": {"enabled": bf16},
                    "gradient_clipping": 1.0,
                }
                engine, data = engine_of(world, settings, [1] * PASSES)
                samples = [
                    [data.batch([world.rank + 8 * step + 4 * part]) for part in range(PASSES)] for step in range(3)
                ]
                for step in range(2):
                    log.clear()
                    engine.step(samples[step], 1e-3, step, following=samples[step + 1])
                messages[f"{stage} {bf16}"] = list(log)
        if world.rank == 0:
            print(json.dumps({"real": messages, "counted": counted()}))


def counted():
    """The same by the count."""
    return {
        f"{stage} {bf16}": [
            [item.kind, item.size]
            for item in work.of_step(
                Method().network, 4, PASSES, {"zero_optimization": {"stage": stage}, "bf16": {"enabled": bf16}}
            )
        ]
        for stage in (0, 1, 2, 3)
        for bf16 in (False, True)
    }


if __name__ == "__main__":
    main()
