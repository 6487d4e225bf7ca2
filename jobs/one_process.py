"""Which verbs run on ranks; the others are one process each and are refused on several ranks, before anything else."""

import os

from mlrtma_dist.config import ConfigError
from mlrtma_dist.parallel.communicator import ranks_started

ON_RANKS = ("analyse", "verify", "reanalysis", "samples", "train", "forecast", "check")


def check_ranks(verb: str, is_dry_run: bool) -> None:
    """Refuse several ranks to a verb of one process: each of them would do all of its work.

    Args:
        is_dry_run: that of `mlrtma submit` is told the job's number of ranks by MLRTMA_RANKS.

    Raises:
        ConfigError: there are several.
    """
    ranks = max(ranks_started(), int(os.environ.get("MLRTMA_RANKS") or 1) if is_dry_run else 1)
    if verb not in ON_RANKS and ranks > 1:
        raise ConfigError(
            f"it is one process, got {ranks} ranks. Start it without mpiexec, srun or torchrun; in a machine's profile"
            f" jobs: {verb}: wants nodes: 1 and tasks_per_node: 1. On ranks run {', '.join(ON_RANKS)}."
        )
