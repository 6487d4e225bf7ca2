"""Progress: a bar on a terminal, plain lines in a batch log, and for `mlrtma status` the file of a job."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from hpc.progress import Counter

STEP = 10.0  # seconds between the lines of a batch log


@contextlib.contextmanager
def progress(title: str, total: float = 1.0) -> Iterator[Callable[[str, float], None]]:
    """Show how far named tasks are; a job notes it, too.

    Args:
        title: of the tasks.
        total: how many of what a task's name says the job has; 1: it notes the share alone.

    Yields:
        A function of a task's name and the share of it that is done, in [0, 1].
    """
    counters: dict[str, Counter] = {}
    with _bars(title) if sys.stderr.isatty() else contextlib.nullcontext(_lines(title)) as display:

        def show(name: str, share: float) -> None:
            counters.setdefault(name, Counter(name if total > 1.0 else f"{title}: {name}"))(share * total, total)
            display(name, share)

        yield show


@contextlib.contextmanager
def _bars(title: str) -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(name: str, share: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(f"{title}: {name}", total=1.0)
            bars.update(tasks[name], completed=share)

        yield show


def _lines(title: str) -> Callable[[str, float], None]:
    started, last = time.monotonic(), [0.0]

    def show(name: str, share: float) -> None:
        now = time.monotonic()
        if share >= 1.0 or now - last[0] > STEP:
            last[0] = now
            print(f"{title}: {name} {share:4.0%} after {now - started:.0f} s", file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def silent() -> Iterator[Callable[[str, float], None]]:
    """Show nothing: what ranks other than the first do."""
    yield lambda name, share: None
