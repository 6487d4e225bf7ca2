"""Noise on tensors is that of `linalg.noise`, for any keys, boxes and devices."""

import numpy as np
import pytest
import torch

from mlrtma_dist.diffusion.noise import normal, uniform
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg import noise as numbers

KEYS = torch.tensor([[1, 2], [2**32 - 1, 7], [2**31, 2**32 - 1]])


def test_the_numbers_are_those_of_numpy_for_every_key_channel_and_step():
    box = Box(3, 8, 10, 17)
    drawn = normal(KEYS, box, channels=2, step=9).numpy()
    rows, columns = np.meshgrid(np.arange(3, 8), np.arange(10, 17), indexing="ij")
    for index, (seed, member) in enumerate(KEYS.tolist()):
        for channel in range(2):
            expected = numbers.normal(seed, rows, columns, member=member, step=9, channel=channel)
            np.testing.assert_allclose(drawn[index, channel], expected, rtol=1e-12, atol=1e-12)
    single = [numbers.uniform(seed, 0, 0, member=member, step=4) for seed, member in KEYS.tolist()]
    np.testing.assert_array_equal(uniform(KEYS, 4).numpy(), single)


def test_a_box_has_the_numbers_of_the_domain_and_steps_have_others():
    whole = normal(KEYS, Box.whole((12, 16)), 1, 0)
    assert torch.equal(normal(KEYS, Box(4, 9, 2, 11), 1, 0), whole[..., 4:9, 2:11])
    assert not (normal(KEYS, Box.whole((12, 16)), 1, 1) == whole).any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_draws_the_same_numbers():
    here, there = (normal(KEYS.to(device), Box.whole((64, 64)), 3, 5).cpu() for device in ("cpu", "cuda"))
    torch.testing.assert_close(here, there, atol=1e-12, rtol=1e-12)
