"""Training adapters is on any layout of ranks as by PyTorch alone, and they are all that is in the optimizer."""

import pytest
from launch import launch

pytestmark = pytest.mark.slow


def test_losses_of_adapters_are_those_of_one_rank_and_the_optimizer_has_nothing_else():
    results = launch("../../training/kernels/transfer", 2, timeout=300)
    plain, numbers, own = (results.pop(name) for name in ("plain", "numbers", "own"))
    assert numbers == own and len(results) == 4
    for name, each in results.items():
        assert max(abs(a / b - 1) for a, b in zip(each, plain, strict=True)) < 1e-5, name
    assert min(abs(a / b - 1) for a, b in zip(plain[:-1], plain[1:], strict=True)) > 1e-4
