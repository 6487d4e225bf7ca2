"""Identity of weights: one checksum for a checkpoint, the release that is made of it, and every copy of either.

Files differ between them, as a release holds the averaged weights alone. What decides an analysis is the same: the
method, its settings, the statistics of its normalisation, and the weights in use.
"""

from pathlib import Path

from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.digest import digest
from mlrtma_dist.weights.inheritance import whole_weights


def weights_checksum(saved: Checkpoint) -> str:
    """SHA-256 of method, settings, statistics and weights in use (their average where there is one), as hexadecimals.

    Raises:
        CheckpointError: a file of the checkpoint was changed, or its adapters belong to other weights.
    """
    return digest(saved.manifest.run, whole_weights(saved), str(saved.folder))


def checksum_of(folder: str | Path) -> str:
    """The `weights_checksum` of the checkpoint or release in a folder; all its files are read and verified.

    Raises:
        CheckpointError: none, or a damaged one.
    """
    return weights_checksum(Checkpoint(Path(folder)).verify())
