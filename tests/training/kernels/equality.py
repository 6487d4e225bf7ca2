"""The losses of training on any layout of ranks, every ZeRO stage. Prints one line of JSON: sections of named results.

Arguments: a folder for checkpoints that all jobs share. The job on 4 ranks saves, the others go on.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from tiny import SCHEDULE, on, plain_losses, training_of

from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.losses import LossError
from mlrtma_dist.training.stop_signal import StopSignal
from mlrtma_dist.weights import checkpoint

MESHES = {1: (Mesh(),), 2: (Mesh(data=2), Mesh(y=2)), 3: (Mesh(y=3),), 4: (Mesh(y=2, x=2),)}
SGD = {"optimizer": {"type": "SGD", "params": {"momentum": 0.9}}, "zero_allow_untested_optimizer": True}
ADAMW = {"optimizer": {"type": "AdamW", "params": {"weight_decay": 0.01}}}
BF16 = {**ADAMW, "bf16": {"enabled": True}}
CLIP = 0.1  # the gradients' norms are near 3


def staged(settings, stage):
    return {**settings, "zero_optimization": {"stage": stage}}


def losses_of(training):
    losses = []
    with StopSignal.watched() as stop:
        training.run(stop, lambda row: losses.append(row["loss"]))
    return losses


class Forgetful:
    """Keeps a Training from writing: most of these runs only tell their losses."""

    def __init__(self, training):
        self.training = training
        training._save = lambda: None

    def losses(self):
        return losses_of(self.training)


def told(world, settings, schedule=SCHEDULE, **more):
    return Forgetful(training_of(world, settings, schedule, **more)).losses()


def equality(world):
    results = {}
    for mesh in MESHES[world.size]:
        here = on(world, mesh)
        for stage in range(4):
            for name, settings in (("SGD", SGD), ("AdamW", ADAMW), ("bf16", BF16)):
                results[f"{name}, stage {stage}, {mesh}"] = told(here, staged(settings, stage))
    return results


def clipping(world):
    here = on(world, MESHES[world.size][0])
    return {f"stage {stage}": told(here, staged({**SGD, "gradient_clipping": CLIP}, stage)) for stage in range(4)}


def accumulation(world):
    """The same step in micro-batches of very different weight."""
    here, uneven = on(world, MESHES[world.size][0]), replace(SCHEDULE, micro_batch=1)
    return {f"stage {stage}": told(here, staged(SGD, stage), uneven) for stage in range(4)}


def unscaled(world):
    """What comes out when ranks, or the weight, are left out of the scale of the loss."""
    results = {}
    for left_out in ("ranks", "weight"):
        here = on(world, MESHES[world.size][0])
        training = training_of(here, SGD, SCHEDULE)
        engine = training.engine
        if left_out == "ranks":
            engine._ranks = 1
        else:  # a mean of means: every rank divides by its own weight
            engine._total_weight = lambda samples, engine=engine: engine._weight(samples) * engine.everyone.size
        results[left_out] = Forgetful(training).losses()
    return results


def saved(world, folder):
    """The job on 4 ranks: six steps without interruption, a checkpoint after the third; stages and averages differ."""
    results = {}
    for stage in range(4):
        schedule = replace(SCHEDULE, steps=6, checkpoint_every=3, keep=9, average_decay=0.9)
        training = training_of(on(world, MESHES[4][0]), staged(ADAMW, stage), schedule, folder / f"stage_{stage}")
        results[f"stage {stage}"] = losses_of(training)
    return results


def resumed(world, folder):
    """Go on after the third step, in another stage than it was saved in; and the sum of the averages at the end."""
    results = {}
    for stage in range(4):
        schedule = replace(SCHEDULE, steps=6, average_decay=0.9)
        training = training_of(on(world, MESHES[world.size][-1]), staged(ADAMW, (stage + 1) % 4), schedule)
        training.resume(checkpoint.Checkpoint(folder / f"stage_{stage}" / checkpoint.name_of(3)))
        results[f"stage {stage}"] = Forgetful(training).losses()
        shares = training.engine.export(training.average.tensors)
        total = sum(float(values.double().sum()) for part, _, _, values in shares if part == "average")
        results[f"average {stage}"] = float(training.engine.everyone.sum(torch.tensor([total], dtype=torch.float64)))
    return results


def stopped(world, folder):
    """The last rank is signalled while its third batch is read, in the second step; all save after it, and go on."""
    here = on(world, MESHES[world.size][0])
    training = training_of(here, ADAMW, SCHEDULE, folder / f"stopped_{world.size}")
    inner, count = training.data.batch, [0]

    def batch(indices):
        count[0] += 1
        if count[0] == 3 and world.rank == world.size - 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        return inner(indices)

    training.data = type("Signalling", (), {"stream": lambda self, batches: (batch(b) for b in batches)})()
    losses = []
    with StopSignal.watched() as stop:
        ending = training.run(stop, lambda row: losses.append(row["loss"]))
    endings = [world.heartbeat.ending]
    again = training_of(here, ADAMW, SCHEDULE, folder / f"stopped_{world.size}")
    again.resume(checkpoint.newest(folder / f"stopped_{world.size}", again.engine.everyone))
    endings.append(world.heartbeat.ending)
    losses += Forgetful(again).losses()
    return {"stopped": ending.stopped, "step": ending.step, "losses": losses, "endings": endings}


def spoilt(world):
    """A case with a NaN: the message, and whether the weights are untouched."""
    training = training_of(on(world, MESHES[world.size][-1]), SGD, SCHEDULE, spoil=7)
    Forgetful(training)
    training.plan = replace(training.plan, training=training.plan.training[6:10])
    try:
        losses_of(training)
    except LossError as error:
        return {"message": str(error), "step": training.state.step}
    return {"message": "nothing was raised"}


def best(world, folder):
    """Three cases that no data axis divides are validated with; the best step is kept beside the newest."""
    schedule = replace(SCHEDULE, steps=6, validate_every=2, keep=1, average_decay=0.5)
    root = folder / f"best_{world.size}"
    scores = iter((3.0, 1.0, 2.0))
    training = training_of(
        on(world, MESHES[world.size][0]), ADAMW, schedule, root, validation=(2, 5, 7), score=lambda engine: next(scores)
    )
    losses_of(training)
    plain = training_of(on(world, MESHES[world.size][0]), ADAMW, schedule, None, validation=(2, 5, 7))
    rows = []
    Forgetful(plain)
    with StopSignal.watched() as stop:
        plain.run(stop, rows.append)
    return {
        "steps": checkpoint.steps(root),
        "best": (root / "best").resolve().name,
        "validation": [row["validation"] for row in rows if "validation" in row],
    }


def validated(world):
    """Validation losses of the averaged weights by stage, and of stage 3 with small weights divided, too."""
    schedule = replace(SCHEDULE, steps=4, validate_every=2, average_decay=0.9)
    stages = {f"stage {stage}": {"stage": stage} for stage in range(4)}
    stages["stage 3, all divided"] = {"stage": 3, "stage3_param_persistence_threshold": 0}
    results = {}
    for name, zero in stages.items():
        settings = {**ADAMW, "zero_optimization": zero}
        training = training_of(on(world, MESHES[world.size][0]), settings, schedule, validation=(2, 5, 7, 11))
        rows = []
        Forgetful(training)
        with StopSignal.watched() as stop:
            training.run(stop, rows.append)
        results[name] = [row["validation"] for row in rows if "validation" in row] + [rows[-1]["loss"]]
    return results


def main(folder):
    with Ranks.start(device="cpu", always_group=True, timeout=120) as world:
        torch.set_num_threads(1)
        results = {}
        if world.size == 4:
            results["saved"] = saved(world, folder)
        else:
            results["resumed"] = resumed(world, folder)
        if world.size != 3:
            results["equality"] = equality(world)
        if world.size in (1, 2):
            results["best"] = best(world, folder)
            results["validated"] = validated(world)
        if world.size == 2:
            results |= {"clipping": clipping(world), "accumulation": accumulation(world)}
            results |= {"unscaled": unscaled(world), "stopped": stopped(world, folder), "spoilt": spoilt(world)}
        if world.size == 1:
            results["plain"] = {
                "SGD": plain_losses(lambda w: torch.optim.SGD(w, lr=0.0, momentum=0.9)),
                "AdamW": plain_losses(lambda w: torch.optim.AdamW(w, weight_decay=0.01)),
                "clipped": plain_losses(lambda w: torch.optim.SGD(w, lr=0.0, momentum=0.9), clip=CLIP),
            }
        if world.rank == 0:
            print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
