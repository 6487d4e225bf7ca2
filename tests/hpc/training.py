"""A real training for the tests of jobs: the shipped configuration of Exercise 1 on a small store, and its losses."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hpc.machine import ROOT
from mlrtma_dist.training.metrics import read

CONFIG = ROOT / "configs" / "training" / "unet_exercise1.yaml"
CASES, TRAINED, STEPS = 20, 16, 12
RTOL = 1e-5  # AdamW in float32, whatever the ranks
LIMIT = 150  # seconds for what takes 20 on two idle cores


def make_store(folder: Path, environment: dict[str, str]) -> Path:
    """Cases of Exercise 1's plane, enough to train on and to validate with."""
    store = folder / "samples.h5"
    config = ROOT / "configs" / "samples" / "exercise1_small.yaml"
    changes = ["--set", f"cases.count={CASES}", "--output", str(store)]
    subprocess.run(
        [sys.executable, "-m", "jobs.command", "samples", str(config), *changes],
        env=environment,
        check=True,
        capture_output=True,
    )
    return store


def arguments(store: Path, output: Path, *changes: str) -> list[str]:
    """What follows ``mlrtma train``: the shipped configuration, and what a short run changes of it."""
    split = f"2000-01-01T{TRAINED:02d}:00"  # a case an hour from the year 2000 on
    sets = [f"samples=[{store}]", f"output={output}", f"schedule.steps={STEPS}", f"validation_from='{split}'", *changes]
    return [str(CONFIG), *(part for change in sets for part in ("--set", change))]


def run(options: list[str], environment: dict[str, str], launcher: Sequence[str] = ()) -> None:
    """``mlrtma train`` to its end, with what follows it, by a launcher or alone."""
    command = [*launcher, sys.executable, "-m", "jobs.command", "train", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr


def losses(output: Path) -> list[float]:
    """The loss of every step that is written down; each step once, in order."""
    path = output / "metrics.csv"
    rows = read(path) if path.exists() else []
    assert [row["step"] for row in rows] == list(range(len(rows)))
    return [row["loss"] for row in rows]


def was_signalled(process: int, number: signal.Signals) -> bool:
    """Whether a signal waits for a stopped process, or it went on (Slurm continues whom it signals) and has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return True
    waiting = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (number - 1) & 1 for mask in waiting)
