"""What a training run will need, before anything is started: tiles, memory, and the size of what it leaves."""

from jobs.samples import layout_of, recipe_of
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.store import Store
from mlrtma_dist.training import engine_settings, memory

STEP_BYTES = 300  # 85 in metrics.csv, 200 in TensorBoard's file


def describe(run, method) -> str:
    """Tiles and memory of a `jobs.train.Run`, and the size of its output, as comment lines.

    Args:
        method: of the run, with its first weights.
    """
    recipe = recipe_of(run.samples, run.make_samples)
    mesh, layout = run.mesh or Mesh(), layout_of(recipe) if recipe else Store(run.samples).layout
    tiles = Tile.split(layout.shape, (mesh.y, mesh.x), align=method.network.alignment, name=layout.domain)
    boxes = [tiles.box_at((y, x)).shape for y in range(mesh.y) for x in range(mesh.x)]
    parts = run.schedule.parts(mesh.data)
    channels = layout.backgrounds + 2 * len(layout.observed), layout.targets
    need = memory.estimate(method, max(boxes), channels, max(parts), mesh.size, run.engine,
                           run.schedule.average_decay > 0)
    lines = [f"ranks: {mesh} = {mesh.size}", f"tiles of {layout.domain} {layout.shape}: {boxes}",
             f"micro-batches of a step on a rank: {parts}", f"memory on a rank, estimated: {need}",
             f"expected output: {expected_bytes(run, method)} bytes"]  # read by `mlrtma submit`
    return "".join(f"# {line}\n" for line in lines)


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
    kept = min(-(-schedule.steps // every), schedule.keep + (run.validation_from is not None))
    return 4 * numbers * copies * kept + STEP_BYTES * schedule.steps
