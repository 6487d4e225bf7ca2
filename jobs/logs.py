"""Print the log of a job, and of one that runs what it adds.

mlrtma logs 12
mlrtma logs 12_3 --follow      an element of an array, until it is over
"""

import argparse
import sys
import time

from hpc import slurm
from hpc.logs import follow, logs_of
from hpc.order import LOGS
from jobs.command_line import Parser
from jobs.job_names import check
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    parser = Parser(prog="mlrtma logs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", help="number of a job, 12; of an array all logs, of its element 12_3")
    parser.add_argument("--follow", action="store_true", help="go on until the job is over")
    values = parser.parse_args(arguments)
    check([values.job])
    paths = logs_of(values.job)
    if len(paths) > 1 and values.follow:
        names = ", ".join(f"{values.job}_{path.stem.rpartition('_')[2]}" for path in paths)
        raise ConfigError(f"--follow: job {values.job} is an array; name one of its elements: {names}")
    if not paths:
        raise InputError(f"job {values.job}: no log in {LOGS} or here. It appears when the job starts: mlrtma status")
    for path in paths:
        if len(paths) > 1:
            print(f"==> {path} <==", flush=True)
        for block in follow(path, _Over(values.job) if values.follow else lambda: True):
            sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
    return 0


class _Over:
    """Whether a job is over, for which Slurm is asked once a minute; one of which Slurm does not answer is not."""

    def __init__(self, job: str):
        self._job, self._next, self._over = job, 0.0, False

    def __call__(self) -> bool:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + slurm.POLL_SECONDS
            self._over = slurm.runs(self._job) is False
        return self._over
