"""What `mlrtma plan` prints: the fastest layout at every number of ranks, and where layouts break."""

from mlrtma_dist.training.engine_settings import is_bf16
from mlrtma_dist.training.layouts import Planner, RankLayout

WORTH = 0.5  # efficiency below which more ranks are mostly wasted
HEADER = (
    f"{'ranks':>6} {'layout':>28} {'ZeRO':>4} {'tile':>12} {'GiB':>6} {'compute':>8} {'tiles':>8}"
    f" {'gradients':>9} {'read':>8} {'step':>8} {'efficiency':>10}"
)


def report(planner: Planner, profile, ranks: list[int]) -> list[str]:
    """The lines of the answer: a table at the training's batch, and one at a batch that grows with the ranks.

    Args:
        profile: the machine's `hpc.machine.Machine`; ranks: numbers of them, ascending.
    """
    training = planner.training
    (rows, columns), weights = training.domain, sum(each.numel() for each in training.method.network.parameters())
    lines = [
        f"{weights} weights in {'bf16' if is_bf16(training.settings) else 'float32'}, {training.name} {rows} x"
        f" {columns}, on {profile.name}; memory of a rank in GiB, times of a step in s"
    ]
    fixed = dict.fromkeys(ranks, training.batch)
    growing = {n: -(-training.batch * n // ranks[0]) for n in ranks}
    titles = (
        f"strong scaling: {training.batch} samples a step",
        f"weak scaling: {training.batch} samples a step on {ranks[0]} ranks, as many more on more",
    )
    for title, batches in zip(titles, (fixed, growing), strict=True):
        planner.refused.clear()
        best = {n: next(iter(planner.layouts(n, batch)), None) for n, batch in batches.items()}
        lines += ["", title, HEADER, *(_row(n, layout, profile) for n, layout in best.items()), ""]
        lines += _breaks(best, batches, planner)
    return lines


def _row(ranks: int, layout: RankLayout | None, profile) -> str:
    if layout is None:
        return f"{ranks:>6} {'none':>28}"
    tile, nodes = " x ".join(map(str, layout.tile)), -(-ranks // (profile.gpus_per_node or profile.cores_per_node))
    more = f"  {nodes} nodes; {profile.name} lends {profile.nodes}" if nodes > profile.nodes else ""
    return (
        f"{ranks:>6} {str(layout.mesh):>28} {layout.stage:>4} {tile:>12} {layout.memory.total / 2**30:6.1f}"
        f" {layout.compute:8.4f} {layout.tiles:8.4f} {layout.engine:9.4f} {layout.read:8.4f} {layout.step:8.4f}"
        f" {layout.efficiency:10.3f}{more}"
    )


def _breaks(best: dict[int, RankLayout | None], batches: dict[int, int], planner: Planner) -> list[str]:
    """What was refused and why, from where more ranks are wasted, and which layout is recommended."""
    lines = []
    for word, why in (("memory", "needs"), ("tiles", "")):
        refused = [
            (mesh, stage, text)
            for (mesh, stage), text in planner.refused.items()
            if text.startswith("needs") == bool(why)
        ]
        if refused:
            mesh, stage, text = refused[0]
            lines.append(f"refused for {word}: {len(refused)} layouts; the first, {mesh}, ZeRO stage {stage}: {text}")
    if shared := [n for n, batch in batches.items() if n > batch]:
        lines.append(
            f"samples must be divided from {shared[0]} ranks on: a batch of {batches[shared[0]]} has no more"
            " than that many data ranks"
        )
    wasted = [n for n, layout in best.items() if layout and layout.efficiency < WORTH]
    if wasted:
        lines.append(f"efficiency below {WORTH:.0%} from {wasted[0]} ranks on")
    worth = [(n, layout) for n, layout in best.items() if layout and layout.efficiency >= WORTH]
    if worth:
        ranks, layout = worth[-1]
        mesh = layout.mesh
        lines.append(
            f"recommended, the most ranks at {WORTH:.0%} or more: {ranks},"
            f" mesh: {{data: {mesh.data}, y: {mesh.y}, x: {mesh.x}}}, ZeRO stage {layout.stage}"
        )
    return lines
