"""How much memory a rank will need for training, estimated before anything is started."""

import copy
from dataclasses import dataclass

import torch

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.training import engine_settings


@dataclass(frozen=True)
class Memory:
    """Bytes on a rank: weights with gradients and what the optimizer keeps, and what the backward pass keeps."""

    weights: int
    activations: int

    @property
    def total(self) -> int:
        """Of both."""
        return self.weights + self.activations

    def __str__(self) -> str:
        return f"{_mib(self.total)} = {_mib(self.weights)} weights + {_mib(self.activations)} activations"


def predict(
    method,
    tile_shape: tuple[int, int],
    micro_batch: int,
    ranks: int,
    settings: dict,
    averaged: bool,
) -> Memory:
    """Estimate from a forward pass without data (PyTorch's meta device), as if the tile were alone.

    Args:
        method: a `methods.learned.LearnedMethod`; it is not changed.
        tile_shape: points of the largest tile, rounded up to the network's alignment here.
        micro_batch: samples at once; ranks: that share what ZeRO divides.
        settings: the ``engine:`` section; averaged: whether a moving average is kept.
    """
    return Memory(weights(method, ranks, settings, averaged), activations(method, tile_shape, micro_batch, settings))


def weights(method, ranks: int, settings: dict, averaged: bool) -> int:
    """Bytes of weights, gradients and what the optimizer keeps; arguments as in `predict`."""
    numbers = sum(weight.numel() for weight in method.network.parameters())
    low, stage = (2 if engine_settings.is_bf16(settings) else 4), engine_settings.stage(settings)
    states = numbers * (8 + 4 * averaged + (4 if low == 2 or stage else 0))  # two moments, the average, float32 masters
    sums = numbers * 4 * (low == 2 and stage > 0)  # of gradients in float32, see `engine_settings.complete`
    parts = ((states, 1), (numbers * low + sums, 2), (numbers * low, 3))  # gradients, then what is computed with
    fixed = 4 * getattr(method.network, "fixed_numbers", 0)  # of a network with adapters, float32, whole on every rank
    return fixed + sum(part // ranks if stage >= divided else part for part, divided in parts)


def activations(method, tile_shape: tuple[int, int], micro_batch: int, settings: dict) -> int:
    """Bytes that the backward pass keeps of a forward pass; arguments as in `predict`."""
    align = method.alignment
    shape = tuple(-(-size // align) * align for size in tile_shape)
    return _kept(method, shape, micro_batch, 2 if engine_settings.is_bf16(settings) else 4)


def _kept(method, shape, micro_batch: int, low: int) -> int:
    """Bytes that the backward pass keeps of a forward pass, every storage once, weights left out."""
    blank = without_data(method, low == 2)
    weights = {weight.untyped_storage()._cdata for weight in blank.network.parameters()}
    storages: dict[int, tuple[int, torch.Tensor]] = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            storages[storage._cdata] = (storage.nbytes(), tensor)  # the tensor, so that no other gets its place
        return tensor

    sample = method.without_data(shape, micro_batch)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        blank.loss(sample, Alone(shape))
    return sum(size for size, _ in storages.values())


def without_data(method, bf16: bool):
    """The method with its network on PyTorch's meta device, where everything has a shape and nothing a value."""
    blank = copy.copy(method)
    blank.network = copy.deepcopy(method.network).to("meta", torch.bfloat16 if bf16 else torch.float32)
    return blank


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
