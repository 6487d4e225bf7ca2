"""What a training run will need, before anything is started: tiles, memory, and the size of what it leaves."""

import os

from jobs.train_samples import check_samples
from mlrtma_dist.config import ConfigError
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.training import engine_check, engine_settings, memory

STEP_BYTES = 300  # 85 in metrics.csv, 200 in TensorBoard's file


def describe(run, method) -> str:
    """Tiles and memory of a `jobs.train.Run`, and the size of its output, as comment lines.

    Args:
        method: of the run, with its first weights.

    Raises:
        ConfigError: the ranks of the job that asks (MLRTMA_RANKS, set by `mlrtma submit`) are not the mesh's or do not
            divide the batch, the network is not made for the samples, or what else would end the run as it starts.
    """
    domain = check_samples(run, method)
    engine_check.check(run.engine)
    ranks = int(os.environ.get("MLRTMA_RANKS") or (run.mesh or Mesh()).size)
    mesh = run.mesh or Mesh(data=ranks)
    mesh.check(ranks)
    try:
        parts = run.schedule.parts(mesh.data)
    except ValueError as error:
        raise ConfigError(f"{error}{_way_out(ranks)}") from error
    tiles = Tile.split(domain.shape, (mesh.y, mesh.x), align=method.alignment, name=domain.name)
    boxes = [tiles.box_at((y, x)).shape for y in range(mesh.y) for x in range(mesh.x)]
    largest = max(boxes, key=lambda shape: shape[0] * shape[1])
    need = memory.predict(method, largest, max(parts), mesh.size, run.engine, run.schedule.average_decay > 0)
    lines = [
        f"ranks: {mesh} = {mesh.size}",
        f"tiles of {domain.name} {domain.shape}: {boxes}",
        f"micro-batches of a step on a rank: {parts}",
        f"memory on a rank, estimated: {need}",
        f"expected output: {expected_bytes(run, method)} bytes",
    ]  # read by `mlrtma submit`
    return "".join(f"# {line}\n" for line in lines)


def _way_out(ranks: int) -> str:
    """What else may be changed where a job's profile chose the number of ranks."""
    if not os.environ.get("MLRTMA_RANKS"):
        return ""
    return (
        f" Or give the job another number of ranks than {ranks}, nodes times tasks_per_node: options of mlrtma submit,"
        " of a campaign resources: of the step, or jobs: train: of the profile."
    )


def expected_bytes(run, method) -> int:
    """Size of what a run leaves: checkpoints, and a line of metrics a step.

    A checkpoint holds the float32 weights, what the optimizer keeps of each (Adam two moments, others one at most), and
    the average. The newest ones are kept, and the best if cases are set aside to tell it.
    """
    schedule = run.schedule
    kind = str(run.engine.get("optimizer", engine_settings.DEFAULT_OPTIMIZER).get("type", "")).lower()
    copies = 1 + (2 if "adam" in kind or "lamb" in kind else 1) + bool(schedule.average_decay)
    numbers = sum(weight.numel() for weight in method.network.parameters())
    every = schedule.checkpoint_every or schedule.steps
    kept = min(
        -(-schedule.steps // every), schedule.keep + (run.validation_from is not None or bool(run.validation_samples))
    )
    return 4 * numbers * copies * kept + STEP_BYTES * schedule.steps
