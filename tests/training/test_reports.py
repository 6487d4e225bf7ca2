"""Training a network that reads reports, on any layout of ranks, is training it by PyTorch on one rank."""

import pytest
from launch import launch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def losses():
    """Layout and stage -> losses of four steps, of jobs on 2 to 4 ranks."""
    return {ranks: launch("../../training/kernels/reports", ranks, timeout=300) for ranks in (2, 3, 4)}


def test_losses_of_four_steps_are_those_of_one_rank(losses):
    plain = losses[2]["plain"]
    layouts = {f"{ranks}: {name}": each for ranks, part in losses.items() for name, each in part.items()}
    assert len(layouts) == 1 + 2 * (2 + 1 + 2)
    for name, each in layouts.items():
        assert max(abs(a / b - 1) for a, b in zip(each, plain, strict=True)) < 1e-5, name


def test_the_losses_compared_change_from_step_to_step(losses):
    plain = losses[2]["plain"]
    assert min(abs(a / b - 1) for a, b in zip(plain[:-1], plain[1:], strict=True)) > 1e-3
