"""Remove what is left of jobs that are long over: logs, lists, progress, records whose outputs are gone, and old lines
of the journal; and parts of files whose writers are gone.

    mlrtma prune --dry-run         prints what would be removed
    mlrtma prune --days 90

Outputs are never removed, nor what belongs to a job that waits or runs.
"""

import argparse
from pathlib import Path

from hpc import slurm
from hpc.prune import prune_journal, waste
from hpc.queue import listed
from jobs.command_line import Parser
from jobs.submit import in_our_words
from mlrtma_dist.config import ConfigError


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    parser = Parser(prog="mlrtma prune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="output", help="searched for parts of files (default: output)")
    parser.add_argument("--days", type=float, default=30.0, help="what was changed since stays (default: 30)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be removed")
    values = parser.parse_args(arguments)
    if not values.days >= 1.0:
        raise ConfigError(f"--days: expected 1 or more, as running jobs write parts of files, got {values.days:g}")
    with in_our_words():
        queue = listed(()) if slurm.is_here() else []
    size = count = 0
    for each in waste(Path(values.folder), values.days, queue):
        count, size = count + 1, size + each.path.lstat().st_size
        print(f"{each.path}: {each.why}")
        if not values.dry_run:
            each.path.unlink(missing_ok=True)
    lines = prune_journal(values.days, queue, values.dry_run)
    words = "would be removed" if values.dry_run else "removed"
    print(f"{words}: {count} files of {size / 1e6:.1f} MB, {lines} lines of the journal")
    return 0
