"""A training of which a rank is killed beside one that nobody disturbs, for tests of every learned method."""

from pathlib import Path

from launch import ROOT, kill_in_training, mlrtma

from mlrtma_dist.training.metrics import read


def losses_despite_a_kill(folder: Path, config: str, sets: tuple[str, ...], *, after: int) -> list[list[float]]:
    """The loss of every step of a training on one rank, and of the same on two tiles that is killed and goes on.

    Args:
        folder: in which the command runs; the trainings write to ``<method>_whole`` and ``<method>_killed`` in it.
        config: of the training, a file, or its name in ``configs``.
        sets: keys with their values, ``schedule.checkpoint_every`` among them.
        after: steps after which rank 1 is killed with signal 9; the training must not be at its end by then.
    """
    words = [word for each in sets for word in ("--set", each)]
    whole, killed = (folder / f"{Path(config).stem}_{name}" for name in ("whole", "killed"))
    mlrtma(folder, "train", config, *words, "--set", f"output={whole}")
    words += ["--set", "mesh={y: 2}"]
    kill_in_training(["train", str(ROOT / "configs" / config), *words], killed, after, folder=folder)
    losses = [losses_of(whole)]
    assert after <= len(losses_of(killed)) < len(losses[0])
    mlrtma(folder, "train", config, *words, "--set", f"output={killed}", "--resume", ranks=2)
    return [*losses, losses_of(killed)]


def losses_of(output: Path) -> list[float]:
    """The loss of every step so far of the training that writes to a folder."""
    path = output / "metrics.csv"
    return [row["loss"] for row in read(path)] if path.exists() else []
