"""The checksum of weights in use, whichever files hold them."""

import hashlib
import json
from collections.abc import Mapping

from torch import Tensor

from mlrtma_dist import config
from mlrtma_dist.weights.manifest import Run


def digest(run: Run, weights: Mapping[str, Tensor], where: str) -> str:
    """SHA-256 of method, settings, statistics and weights, as hexadecimals.

    Args:
        run: where the weights come from; weights: by name, float32, on the CPU; where: for messages.
    """
    settings = config.parse_yaml(run.config, f"{where}: configuration").get("settings", {})
    what = json.dumps([run.method, settings, run.statistics], sort_keys=True, default=str)
    result = hashlib.sha256(what.encode())
    for name, weight in sorted(weights.items()):
        result.update(f"{name} {tuple(weight.shape)}".encode())
        result.update(weight.contiguous().numpy().tobytes())
    return result.hexdigest()
