"""Errors of an emulator's tangent linear and adjoint: those of its matrix, with gradients; and mixed derivatives."""

import pytest
import torch

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.product_step import ProductStep, ProductStepConfig
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.physics.derivative_loss import derivative_errors, derivatives
from mlrtma_dist.physics.linearise import Linearised, with_derivative_of
from mlrtma_dist.physics.lorenz96 import Lorenz96

RING = Alone((1, 8), (False, True))


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def emulator(kind: str):
    torch.manual_seed(4)
    unet = UNetConfig(1, 1, (4, 4), groups=2)
    network = (UNet(unet) if kind == "unet" else ProductStep(ProductStepConfig(width=4, layers=1))).double()
    for weight in network.parameters():
        weight.data += 0.1 * torch.randn(weight.shape, dtype=torch.float64)
    return network, lambda state: state + network(state[:, None, None], RING)[:, 0, 0]


@pytest.mark.parametrize("kind", ["unet", "product"])
def test_errors_are_those_of_the_matrices_and_their_gradient_is_that_of_a_difference(kind):
    network, step = emulator(kind)
    state, direction, covector = (noise(seed, 3, 8) for seed in (1, 2, 3))
    truth = derivatives(Lorenz96().step, state, direction, covector)

    def errors():
        return derivative_errors(step, state, direction, covector, truth)

    tangent, adjoint = errors()
    for case in range(3):
        one = Linearised(lambda x: step(x[None])[0], state[case]).matrix()
        wrong = one - Linearised(Lorenz96().step, state[case]).matrix()
        torch.testing.assert_close(tangent[case], wrong @ direction[case], rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(adjoint[case], wrong.T @ covector[case], rtol=1e-9, atol=1e-10)
    for part in (0, 1):
        network.zero_grad()
        errors()[part].square().sum().backward()
        weight = next(network.parameters())
        slope = float((weight.grad * torch.ones_like(weight)).sum())
        ends = []
        for size in (1e-5, -2e-5):
            weight.data += size
            ends.append(float(errors()[part].square().sum().detach()))
        weight.data += 1e-5
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


def test_a_model_has_no_error_against_itself():
    state, direction, covector = (noise(seed, 2, 8) for seed in (1, 2, 3))
    model = Lorenz96().step
    truth = derivatives(model, state, direction, covector)
    for error in derivative_errors(model, state, direction, covector, truth):
        assert float(error.abs().max()) < 1e-14


def test_a_step_may_have_the_value_of_one_model_and_the_derivatives_of_another():
    state, direction, covector = (noise(seed, 8) for seed in (1, 2, 3))
    one, other = Lorenz96().step, Lorenz96(time_step=0.1).step
    joint, reference = Linearised(with_derivative_of(one, other), state), Linearised(other, state)
    torch.testing.assert_close(joint.value, one(state), rtol=0, atol=1e-15)
    torch.testing.assert_close(joint.tangent(direction), reference.tangent(direction), rtol=0, atol=1e-14)
    torch.testing.assert_close(joint.adjoint(covector), reference.adjoint(covector), rtol=0, atol=1e-14)
