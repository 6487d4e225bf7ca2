"""What a training run says while it runs: a bar on a terminal, plain lines in a log, metrics.csv, a job's progress."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hpc.progress import Counter
from jobs.progress import STEP
from mlrtma_dist.training.loop import Report
from mlrtma_dist.training.metrics import Metrics


@contextlib.contextmanager
def reporting(folder: Path, first_step: int, steps: int, speaks: bool) -> Iterator[Report]:
    """Report on the one rank that ``speaks``; on the others nothing happens.

    Args:
        folder: for metrics.csv; first_step: of this run; steps: in all.
    """
    if not speaks:
        yield lambda row: None
        return
    metrics, count = Metrics(folder, first_step), Counter("steps")
    with contextlib.closing(metrics), _bar(first_step, steps) if sys.stderr.isatty() else _lines(steps) as show:

        def report(row: dict) -> None:
            metrics.add(**row)
            count(row["step"] + 1, steps)
            show(row)

        yield report


def _words(row: dict) -> str:
    words = f"loss {row['loss']:.6g}, {row['samples_per_second']:.3g} samples/s"
    return words + (f", validation {row['validation']:.6g}" if row.get("validation") is not None else "")


@contextlib.contextmanager
def _bar(first_step: int, steps: int):
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        "train",
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("train", total=steps, completed=first_step, said="")
        yield lambda row: bars.update(task, completed=row["step"] + 1, said=_words(row))


@contextlib.contextmanager
def _lines(steps: int):
    last = [-STEP]

    def show(row: dict) -> None:
        done, now = row["step"] + 1, time.monotonic()
        if now - last[0] >= STEP or done == steps or row.get("validation") is not None:
            last[0] = now
            print(f"train: step {done}/{steps}, {_words(row)}", file=sys.stderr, flush=True)

    yield show
