"""Predict how a training or a reanalysis would run on a machine: step time and layout of ranks; nodes, hours, disk.

    mlrtma plan --machine gpu_cluster --config configs/training/unet_exercise1.yaml --domain conus_1km
    mlrtma plan --machine my_cluster.yaml --config CONFIG --ranks 4 16 64 --set engine.bf16.enabled=true
    mlrtma plan --machine gpu_cluster --config configs/reanalysis/metar_20260822.yaml --domain conus_1km

Needs no store, no GPU and no other rank: operators, letters and bytes are counted by running the training's code
without data (docs/scaling.md). --domain replaces that of the samples. Samples go through a rank one at a time unless
schedule.micro_batch says otherwise. A reanalysis is predicted from slots that were measured (docs/reanalysis.md).
"""

import math

from hpc.machine import Machine as Profile
from hpc.machine import MachineError, load_machine
from jobs.command_line import parse
from jobs.plan_report import report
from jobs.train import Run, build
from jobs.train_samples import domain_of
from mlrtma_dist import config
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.parallel.interconnect import Interconnect, Link
from mlrtma_dist.training import engine_settings
from mlrtma_dist.training.layouts import ModelledMachine, PlannedTraining, Planner
from mlrtma_dist.training.operators import Processor

RANKS = tuple(2**power for power in range(2, 13))  # 4 to 4096
FILLED = 0.8  # of a rank's memory: workspaces, messages and fragments need the rest


def main(arguments: list[str]) -> None:
    """Run the verb."""
    values = parse(dict, "plan", __doc__, arguments)
    path = values["training"] or values["config"]
    if values["machine"] is None or path is None:
        raise config.ConfigError("expected --machine NAME and --config TRAINING")
    if "cases" in config.load_yaml(path):  # which a training has not
        from jobs.plan_reanalysis import predict

        print("\n".join(predict(path, values["set"], values["domain"], _profile(values["machine"]))))
        return
    run = config.load(Run, path, values["set"])
    if values["dry_run"]:
        print(config.to_yaml(run), end="")
        return
    profile = _profile(values["machine"])
    planner = Planner(training_of(run, values["domain"]), machine_of(profile, engine_settings.is_bf16(run.engine)))
    print("\n".join(report(planner, profile, counts(values["ranks"]))))


def _profile(name: str) -> Profile:
    """The profile of a machine; ConfigError where there is none."""
    try:
        return load_machine(name)
    except MachineError as error:
        raise config.ConfigError(str(error)) from error


def counts(texts: list[str] | None) -> list[int]:
    """Numbers of ranks, ascending, from the command line."""
    if any(not text.isdigit() or int(text) < 1 for text in texts or ()):
        raise config.ConfigError(f"--ranks: expected whole numbers from 1 on, got {' '.join(texts or ())}")
    return sorted({int(text) for text in texts}) if texts else list(RANKS)


def training_of(run: Run, domain: str | None) -> PlannedTraining:
    """What is trained; the domain is asked of the name, the store's recipe or the store, whichever is there first."""
    method, schedule = build(run), run.schedule
    place = load_domain(domain) if domain is not None else domain_of(run)
    method.settle(place)
    return PlannedTraining(
        method,
        place.shape,
        place.name,
        schedule.batch,
        schedule.micro_batch or 1,
        run.engine,
        schedule.average_decay > 0,
        (place.periodic,) * 2,
        method.fields_read,
    )


def machine_of(profile: Profile, bf16: bool) -> ModelledMachine:
    """The profile's hardware, as the prediction wants it.

    Raises:
        ConfigError: the profile has none.
    """
    parts = profile.hardware
    if parts is None:
        raise config.ConfigError(
            f"machine {profile.name}: the section hardware: is missing; every key is described at hpc/hardware.py,"
            " configs/machines/gpu_cluster.yaml has one, benchmarks/plan_check.py measures and prints one"
        )
    within, between = (Link(each.latency, each.bandwidth) for each in (parts.within_node, parts.between_nodes))
    peak = parts.peak_bf16 if bf16 else parts.peak_float32
    return ModelledMachine(
        Processor(peak * parts.utilisation, parts.memory_bandwidth, parts.call),
        FILLED * parts.memory,
        Interconnect(within, between, profile.gpus_per_node or profile.cores_per_node),
        parts.read_bandwidth or math.inf,
    )
