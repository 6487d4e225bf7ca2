"""What `mlrtma check --machine NAME` does: a job on that machine which sums tensors over its ranks."""

import sys
import time
from pathlib import Path

from hpc.machine import load_machine
from hpc.order import LOGS, Order, OrderError, describe, rehearsed
from hpc.submit import submit, wait
from jobs.submit import in_our_words


def check(machine: str, dry_run: bool = False) -> int:
    """Sum tensors over the ranks of a job on a machine and print what they found; returns the exit code."""
    try:
        with in_our_words():
            profile = load_machine(machine)
            order = Order(profile, "check", "64", (), profile.resources("check"))
            order = rehearsed(order)
            print(describe(order), flush=True)
            if dry_run:
                return 0
            job = submit(order)
            if profile.scheduler == "none":
                return 0
            status = wait({job: order}, profile.poll_seconds)[job]
    except OrderError as error:
        print(f"mlrtma check: {error}", file=sys.stderr)
        return error.code
    print(_log(Path(LOGS) / f"check-{job}.log"))
    return 0 if status.done else 1


def _log(path: Path) -> str:
    """A job's log, which a shared file system may show seconds late."""
    for _ in range(10):
        if path.exists():
            return path.read_text(errors="replace").rstrip()
        time.sleep(1.0)
    return f"no log at {path} within 10 s: is the folder on a file system that the nodes share?"
