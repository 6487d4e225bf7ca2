"""The product step: its reach, its degree, equivariance, tiles, and an equation that it is."""

import pytest
import torch

from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone, NeighbourhoodError
from mlrtma_dist.nn.product_step import ProductStep, ProductStepConfig
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.parallel.reduce import sum_gradients
from mlrtma_dist.physics.linearise import Linearised
from mlrtma_dist.physics.lorenz96 import Lorenz96

RING = Alone((1, 40), (False, True))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def network(**settings) -> ProductStep:
    step = ProductStep(ProductStepConfig(**settings)).double()
    randomise(step, 5)
    return step


def test_the_jacobian_is_exactly_zero_beyond_the_reach_and_not_at_it():
    step = network(width=4, layers=1)
    jacobian = Linearised(lambda x: step(x.view(1, 1, 1, 40), RING).flatten(), noise(40)).matrix()
    distance = (torch.arange(40)[:, None] - torch.arange(40)).abs()
    distance = torch.minimum(distance, 40 - distance)
    assert step.reach == (0, 6)
    assert float(jacobian[distance > 6].abs().max()) == 0.0 and float(jacobian[distance == 6].abs().min()) > 0.0


def test_one_layer_is_a_polynomial_of_degree_two_and_two_layers_are_one_of_degree_four():
    field, direction = noise(1, 1, 1, 40), noise(1, 1, 1, 40).flip(-1)
    for layers, degree in ((1, 2), (2, 4)):
        step = network(width=4, layers=layers)
        values = [step(field + size * direction, RING).detach() for size in range(degree + 2)]
        differences = []
        while len(values) > 1:
            values = [after - before for before, after in zip(values[:-1], values[1:], strict=True)]
            differences.append(float(values[0].abs().max()))
        assert differences[degree] < 1e-9 * differences[degree - 1]


def test_it_can_be_the_tendency_of_lorenz_96_exactly():
    """(x_i+1 - x_i-2) x_i-1 - x_i + F, as one product of two channels, weights written down."""
    step = ProductStep(ProductStepConfig(width=2, layers=1)).double()
    for weight in step.parameters():
        weight.data.zero_()
    step.stem.weight.data[0, 0, 0, 2] = 1.0  # z = (x, 0)
    (layer,) = step.layers
    layer.weight.data[1, 0, 0, 3], layer.weight.data[1, 0, 0, 0] = 1.0, -1.0  # one = (., x_i+1 - x_i-2)
    layer.weight.data[3, 0, 0, 1] = 1.0  # other = (., x_i-1)
    step.head.weight.data[0, 0, 0, 2], step.head.weight.data[0, 1, 0, 2] = -1.0, 1.0
    step.head.bias.data[0] = 8.0
    state = noise(3, 1, 1, 40)
    torch.testing.assert_close(step(state, RING)[:, 0, 0], Lorenz96().tendency(state[:, 0, 0]), rtol=0, atol=1e-13)


def test_where_the_domain_wraps_a_moved_state_has_a_moved_change():
    step, field = network(kernel=(3, 5), channels_in=2, channels_out=3, width=4), noise(1, 2, 8, 12)
    here = Alone((8, 12), (True, True))
    moved = step(field.roll((3, 5), (-2, -1)), here)
    torch.testing.assert_close(moved, step(field, here).roll((3, 5), (-2, -1)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("domain", "table", "wraps"), [((1, 40), (1, 3), True), ((14, 19), (2, 2), False)])
def test_tiles_give_the_output_and_the_gradients_of_the_whole_domain(domain, table, wraps):
    kernel, periodic = ((3, 5) if domain[0] > 1 else (1, 5)), (False, wraps)
    field, into = noise(1, 2, *domain), noise(1, 3, *domain).flip(-1)

    def run(step, part, here):
        argument = field[part].clone().requires_grad_()
        output = step(argument, here)
        (output * into[part]).sum().backward()
        return output.detach(), argument.grad

    settings = {"channels_in": 2, "channels_out": 3, "width": 4, "kernel": kernel}
    step = network(**settings)
    output, gradient = run(step, ..., Alone(domain, periodic))

    def of_tile(here):
        own, part = network(**settings), (..., *here.box.slices)
        results = run(own, part, here)
        sum_gradients(own, here.transport)
        return part, results, [weight.grad for weight in own.parameters()]

    for part, (own_output, own_gradient), weights in run_tiles(domain, table, of_tile, periodic=periodic):
        torch.testing.assert_close(own_output, output[part], rtol=0, atol=1e-12)
        torch.testing.assert_close(own_gradient, gradient[part], rtol=0, atol=1e-11)
        for one, weight in zip(weights, step.parameters(), strict=True):
            torch.testing.assert_close(one, weight.grad, rtol=1e-9, atol=1e-9)


def test_untrained_it_changes_nothing_and_impossible_settings_are_refused():
    step = ProductStep(ProductStepConfig()).double()
    assert float(step(noise(2, 1, 1, 40), RING).abs().max()) == 0.0
    with pytest.raises(NeighbourhoodError, match="odd number"):
        ProductStep(ProductStepConfig(kernel=(1, 4)))
    with pytest.raises(NeighbourhoodError, match="1 or more"):
        ProductStepConfig(layers=0)
