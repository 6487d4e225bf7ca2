"""Stores of few hours, and trainings on them, for transfer_curve.py, transfer_domains.py and transfer_gridded.py.

What an earlier run has left is kept: the store of some hours, and the last checkpoint of a training.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlrtma_dist import config
from mlrtma_dist.methods.learned import LearnedMethod
from mlrtma_dist.samples.store import Store
from mlrtma_dist.weights.trained import load_trained

ROOT = Path(__file__).resolve().parent.parent
OLD = ("t2m", "d2m", "u10", "v10", "psfc", "gust", "wind_speed")
COUNTS = (1, 2, 4, 8, 16, 36)  # of hours; each begins with those of the one before
WORLD = "reports_metar_world"
# Configurations of samples and the times taken of each, in the order in which they are added; of the first the first
# four are one of each season and time of day. All of them train the base, too.
ARCHIVES = {
    WORLD: (
        "2022-10-23T00:00", "2011-11-23T02:00", "2024-08-13T22:53", "2025-08-14T18:00",
        "2024-08-05T16:55", "2022-10-22T02:00", "2024-08-10T04:15", "2025-08-16T01:00",
        "2022-10-22T18:55", "2022-10-23T09:00", "2022-10-23T10:00", "2022-10-23T11:00",
        "2024-08-03T17:00", "2024-08-03T19:00", "2024-08-03T19:55", "2024-08-03T21:00",
    ),
    "reports_metar_text": ("2019-12-15T00:00", "2020-01-06T00:00"),
    "reports_sao": tuple(f"1995-03-18T{hour:02d}:00" for hour in range(22) if hour % 6 != 3),
}  # fmt: skip
MODES = {"frozen": 3e-3, "adapters": 3e-3, "whole": 3e-4, "scratch": 1e-3}  # and the learning rate of each
SCRATCH = "scratch"
STEPS, SCRATCH_STEPS = 50, 300  # unless others are chosen; the names of rows leave them out


@dataclass(frozen=True)
class Training:
    """A training of some hours.

    Attributes:
        mode: of `MODES`; hours: number of them; steps: of two draws each.
        seed: of the draws, and of the first weights of what is new.
        fields: name of the gridded fields whose store is trained on beside the hours; "": none.
    """

    mode: str
    hours: int
    steps: int
    seed: int = 0
    fields: str = ""

    @property
    def name(self) -> str:
        """The name of its folder."""
        further = [f"seed{self.seed}"] if self.seed else []
        further += [self.fields] if self.fields else []
        return "_".join([self.mode, f"{self.hours:02d}", str(self.steps), *further])

    def last(self, folder: Path) -> Path:
        """Its last checkpoint."""
        return folder / self.name / "checkpoints" / f"step_{self.steps:08d}"

    def changes(self, folder: Path, base: Path, stores: list[Path]) -> list[str]:
        """What it changes in configs/training/vit_transfer.yaml, as KEY=VALUE."""
        begins = ["begin_from=null", "transfer=null"]
        if self.mode != SCRATCH:
            begins = [f"begin_from={base}", f"transfer.mode={self.mode}"]
        seeds = [f"schedule.seed={4 + self.seed}", f"settings.seed={self.seed}"] if self.seed else []
        if self.seed and self.mode != SCRATCH:
            seeds.append(f"transfer.seed={self.seed}")
        return [
            f"samples=[{', '.join(map(str, stores))}]", "validation_samples=[]", f"output={folder / self.name}",
            f"schedule.steps={self.steps}", "schedule.validate_every=0", "schedule.checkpoint_every=0",
            f"schedule.learning_rate={MODES[self.mode]}", "schedule.keep=1", *begins, *seeds,
        ]  # fmt: skip

    def run(self, folder: Path, base: Path, stores: list[Path], further: tuple[str, ...] = ()) -> None:
        """Train, unless it has been done; ``further`` changes come last."""
        if not self.last(folder).exists():
            mlrtma("train", "configs/training/vit_transfer.yaml", *_set(*self.changes(folder, base, stores), *further))


def add_options(parser: argparse.ArgumentParser, hours: tuple[int, ...], modes: tuple[str, ...]) -> None:
    """The options that say what is trained; ``hours`` and ``modes`` unless others are chosen."""
    parser.add_argument("--base", type=Path, default=Path("output/transfer/base/checkpoints/best"))
    parser.add_argument("--folder", type=Path, default=Path("output/transfer"))
    parser.add_argument("--hours", type=int, nargs="+", choices=COUNTS, default=list(hours))
    parser.add_argument("--modes", nargs="+", choices=modes, default=list(modes))
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="of draws and of first weights of what is new"
    )
    parser.add_argument("--steps", type=int, nargs="+", default=[STEPS], help="of two draws each, of a transfer")
    parser.add_argument(
        "--scratch-steps", type=int, nargs="+", default=[SCRATCH_STEPS], help="of one from random weights"
    )
    parser.add_argument("--scores-only", action="store_true", help="train nothing, score what has been trained")


def trainings(options: argparse.Namespace) -> Iterator[tuple[str, Training]]:
    """The trainings of the options, those of most hours first, and the name of each in the table."""
    for count in sorted(options.hours, reverse=True):
        for mode in options.modes:
            usual = SCRATCH_STEPS if mode == SCRATCH else STEPS  # whatever others are asked for: a name means one thing
            for steps in options.scratch_steps if mode == SCRATCH else options.steps:
                for seed in options.seeds:
                    words = [f"{mode} {count}", *([f"{steps} steps"] if steps != usual else [])]
                    words += [f"seed {seed}"] if seed else []
                    yield ", ".join(words), Training(mode, count, steps, seed)


def mlrtma(*words: str) -> None:
    """Run the command."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "jobs.command", *words]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, stdout=sys.stderr)


def stores_of(
    count: int, folder: Path, archives: Mapping[str, tuple[str, ...]] = ARCHIVES, domain: str | None = None
) -> list[Path]:
    """The stores of the first ``count`` hours, made where they are missing: one for each step of `COUNTS` and archive.

    Args:
        archives: configuration of samples -> times; domain: another one than the configuration's.
    """
    order = [(name, time) for name, times in archives.items() for time in times]
    stores, first = [], 0
    for last in (each for each in COUNTS if each <= count):
        for name, times in archives.items():
            chosen = [time for of, time in order[first:last] if of == name]
            if chosen:
                stores.append(_store(folder, last, name, tuple(t for t in times if t not in chosen), domain))
        first = last
    return stores


def _store(folder: Path, last: int, name: str, others: tuple[str, ...], domain: str | None) -> Path:
    store = folder.resolve() / (f"hours_{last:02d}.h5" if name == WORLD else f"hours_{last:02d}_{Path(name).stem}.h5")
    if not store.exists():
        path = config.find("samples", name)
        left = [*map(str, config.load_yaml(path)["cases"]["archive"].get("leave_out", [])), *others]
        of_domain = [f"cases.domain={domain}"] if domain else []
        words = ", ".join(f'"{time}"' for time in left)
        mlrtma("samples", str(path), *_set(f"cases.archive.leave_out=[{words}]", *of_domain), "--output", str(store))
    return store


def method_of(checkpoint: Path, store: Store) -> LearnedMethod:
    """The method of a checkpoint, for the domain of a store."""
    method = load_trained(checkpoint).method
    method.settle(store.domain)
    return method


def _set(*changes: str) -> list[str]:
    return [word for each in changes for word in ("--set", each)]
