"""Sample: a batch of encoded cases, as a learned method takes it, on the tile that this rank owns."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """A batch of cases on a tile; y northward, normalised units.

    Attributes:
        inputs: of the network, shape (batch, channel, y, x).
        target: of the network's output, shape (batch, channel, y, x).
        mask: weight of each target point, 0 where nothing is known, shape (batch, 1, y, x); None weighs all points 1.
        time: UTC of each case, datetime64[s], shape (batch,); names the case in messages.
        key: two words in [0, 2^32) per case, of which all that is random in its loss is a function, int64, shape
            (batch, 2); None: nothing is.
    """

    inputs: Tensor
    target: Tensor
    mask: Tensor | None
    time: np.ndarray
    key: Tensor | None = field(default=None, kw_only=True)

    @classmethod
    def join(cls, samples: Sequence["Sample"]) -> "Sample":
        """Samples side by side as one batch; where one has a mask, that of the others weighs all points 1."""
        if len(samples) == 1:
            return samples[0]
        inputs, target = (torch.cat([getattr(each, name) for each in samples]) for name in ("inputs", "target"))
        masks = []
        if any(each.mask is not None for each in samples):
            masks = [torch.ones_like(each.target[:, :1]) if each.mask is None else each.mask for each in samples]
        time = np.concatenate([each.time for each in samples])
        keys = [each.key for each in samples if each.key is not None]
        return cls(inputs, target, torch.cat(masks) if masks else None, time, key=torch.cat(keys) if keys else None)

    def to(self, device: torch.device, non_blocking: bool = False) -> "Sample":
        """The same batch on a device; itself if it is there."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pinned(self) -> "Sample":
        """The same batch in pinned memory, from which copies to a GPU do not wait."""
        return self.each(Tensor.pin_memory)

    def record(self, stream) -> None:
        """Tell the allocator that a CUDA stream uses the tensors."""
        self.each(lambda tensor: tensor.record_stream(stream) or tensor)

    def each(self, change) -> "Sample":
        """The same batch with every tensor changed."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: change(each) for name, each in tensors.items() if isinstance(each, Tensor)})


def without_data(shape: tuple[int, int], channels: tuple[int, int], batch: int) -> Sample:
    """A sample of that many points, and channels of inputs and target, on PyTorch's meta device."""
    inputs, target = (torch.empty(batch, count, *shape, device="meta") for count in channels)
    return Sample(inputs, target, None, np.full(batch, np.datetime64("NaT", "s")))
