"""Identity of weights: one checksum for a checkpoint, the release that is made of it, and every copy of either.

Files differ between them, as a release holds the averaged weights alone. What decides an analysis is the same: the
method, its settings, the statistics of its normalisation, and the weights in use.
"""

import hashlib
import json
from pathlib import Path

from mlrtma_dist import config
from mlrtma_dist.weights.checkpoint import Checkpoint


def weights_checksum(saved: Checkpoint) -> str:
    """SHA-256 of method, settings, statistics and weights in use (their average where there is one), as hexadecimals.

    Raises:
        CheckpointError: a file of the checkpoint was changed.
    """
    run = saved.manifest.run
    settings = config.parse_yaml(run.config, f"{saved.folder}: configuration").get("settings", {})
    what = json.dumps([run.method, settings, run.statistics], sort_keys=True, default=str)
    digest = hashlib.sha256(what.encode())
    for name, weight in sorted(saved.weights().items()):
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(weight.contiguous().numpy().tobytes())
    return digest.hexdigest()


def checksum_of(folder: str | Path) -> str:
    """The `weights_checksum` of the checkpoint or release in a folder; all its files are read and verified.

    Raises:
        CheckpointError: none, or a damaged one.
    """
    return weights_checksum(Checkpoint(Path(folder)).verify())
