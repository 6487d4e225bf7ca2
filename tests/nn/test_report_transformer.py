"""The vision transformer on reports: what is read of the tokens between their centres."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from mlrtma_dist.nn.report_transformer import interpolate

SHAPE, CHANNELS = (25, 37), 48  # in bf16 PyTorch numbers values in 16 bits: 44,400 of them are too many


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)])
def test_tokens_between_their_centres_are_what_scipy_interpolates_whatever_the_precision_and_the_layout(
    kind, tolerance, layout
):
    random = np.random.default_rng(0)
    field, cell = random.normal(size=(1, CHANNELS, *SHAPE)), random.uniform(-0.5, SHAPE, (1, 400, 2))
    inside = np.clip(cell[0], 0.0, np.subtract(SHAPE, 1))
    axes = [np.arange(size) for size in SHAPE]
    expected = RegularGridInterpolator(axes, field[0].transpose(1, 2, 0))(inside)
    tokens = torch.from_numpy(field).to(kind).contiguous(memory_format=layout)
    values = interpolate(tokens, torch.from_numpy(cell).float())
    assert values.dtype == kind
    np.testing.assert_allclose(values[0].float().numpy(), expected, atol=tolerance)
