"""The transformer as a denoiser, decomposed, gives what one rank gives: outputs and gradients, recomputed or not."""

from dataclasses import replace

import pytest
import torch
from network_checks import Case

from mlrtma_dist.nn.denoiser import EMBEDDING, Denoiser
from mlrtma_dist.nn.dit import DiffusionTransformer, DiffusionTransformerConfig
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.vit import VisionTransformerConfig
from mlrtma_dist.parallel.memory import run_tiles

SEED = 20261127
CONFIG = DiffusionTransformerConfig(
    channels_in=3,
    channels_out=1,
    embedding=EMBEDDING,
    block=VisionTransformerConfig(width=8, heads=2, window=4),
    fold=2,
    depth=2,
)


class Denoised(torch.nn.Module):
    """A denoiser at one noise level of a field whose first channel is noised and whose others are the condition."""

    def __init__(self, recompute: bool):
        super().__init__()
        self.denoiser = Denoiser(DiffusionTransformer(replace(CONFIG, recompute=recompute)))
        randomise(self, SEED)

    def forward(self, field, here):
        return self.denoiser(field[:, :1], torch.tensor([0.7], dtype=field.dtype), field[:, 1:], here)


@pytest.mark.parametrize(
    ("domain", "wraps", "table", "recompute"),
    [
        ((61, 41), False, (1, 2), False),
        ((61, 41), False, (3, 1), True),
        ((61, 41), False, (2, 2), False),
        ((48, 48), True, (1, 3), False),
        ((48, 48), True, (2, 2), True),
    ],
)
def test_outputs_and_gradients_on_tiles_equal_those_of_one_rank(domain, wraps, table, recompute):
    case = Case("transformer", Denoised(recompute), domain, (wraps, wraps), (), torch.float64, SEED)
    answer, threads = case.answer(), torch.get_num_threads()
    torch.set_num_threads(1)
    align = case.network.denoiser.alignment
    results = run_tiles(domain, table, lambda here: case.compare(answer, here), align=align, periodic=(wraps, wraps))
    torch.set_num_threads(threads)
    for values in results:
        assert {name: value for name, value in values.items() if not value <= 1e-10} == {}
