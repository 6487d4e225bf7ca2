"""Sample: what a method eats, some cases side by side, on the tile that this rank owns."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """A batch of cases on a tile; y northward, normalised units.

    Attributes:
        inputs: what the network sees, shape (batch, channel, y, x).
        target: what it is to say, shape (batch, channel, y, x).
        mask: weight of each target point, 0 where nothing is known, shape (batch, 1, y, x); None weighs all points 1.
        time: UTC of each case, datetime64[s], shape (batch,); names the case in messages.
    """

    inputs: Tensor
    target: Tensor
    mask: Tensor | None
    time: np.ndarray

    def to(self, device: torch.device) -> "Sample":
        """The same batch on a device; itself if it is there."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        moved = {name: each.to(device) for name, each in tensors.items() if isinstance(each, Tensor)}
        return replace(self, **moved)
