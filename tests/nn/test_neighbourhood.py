"""Alone, layers are PyTorch's own; networks accept every size and say what they refuse."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.interpolate import RegularGridInterpolator

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn.attention import GlobalMixing, WindowAttention, missing, place_waves
from mlrtma_dist.nn.layers import (
    ChannelNorm,
    Convolution,
    GroupNorm,
    PatchEmbedding,
    pool,
    randomise,
    recompute,
    repeat,
    upsample,
)
from mlrtma_dist.nn.neighbourhood import Alone, NeighbourhoodError, Rim
from mlrtma_dist.nn.points import owned, sample
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.nn.vit import VisionTransformer, VisionTransformerConfig

UNEVEN = (13, 22)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("edge", "periodic", "mode"),
    [
        ("zeros", (False, False), "zeros"),
        ("replicate", (False, False), "replicate"),
        ("zeros", (True, True), "circular"),
    ],
)
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 3, 2), (3, 1, 3)])
def test_a_convolution_is_that_of_pytorch(edge, periodic, mode, kernel, stride, dilation):
    field = noise(2, 3, 15, 24)
    mine = Convolution(3, 4, kernel, stride=stride, dilation=dilation, edge=edge).double()
    theirs = torch.nn.Conv2d(3, 4, kernel, stride, dilation * (kernel // 2), dilation, padding_mode=mode).double()
    theirs.load_state_dict(mine.state_dict())
    torch.testing.assert_close(mine(field, Alone((15, 24), periodic)), theirs(field), rtol=0, atol=1e-12)


def test_a_domain_that_wraps_in_x_only_is_padded_from_its_other_end_there():
    field = torch.arange(6.0).view(1, 1, 2, 3)
    around = Alone((2, 3), (False, True)).rim(field, Rim.around(1, 1), "replicate")
    assert around[0, 0].tolist() == [[2, 0, 1, 2, 0], [2, 0, 1, 2, 0], [5, 3, 4, 5, 3], [5, 3, 4, 5, 3]]


def test_norms_are_those_of_pytorch():
    field = noise(2, 8, *UNEVEN)
    mine, theirs = GroupNorm(2, 8).double(), torch.nn.GroupNorm(2, 8).double()
    randomise(mine, 1)
    theirs.load_state_dict(mine.state_dict())
    torch.testing.assert_close(mine(field, Alone(UNEVEN)), theirs(field))
    by_channel = ChannelNorm(8).double()(field)
    torch.testing.assert_close(by_channel.mean(1), torch.zeros(2, *UNEVEN, dtype=torch.float64), rtol=0, atol=1e-12)


def test_pooling_interpolating_and_repeating_are_those_of_pytorch_on_sizes_that_divide():
    field, fine = noise(1, 2, 12, 20), Alone((12, 20))
    means, coarse = pool(field, fine, 4)
    torch.testing.assert_close(means, F.avg_pool2d(field, 4))
    assert coarse == Alone((3, 5))
    expected = F.interpolate(means, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(means, coarse, fine, 4), expected)
    torch.testing.assert_close(repeat(means, fine, 4), F.interpolate(means, scale_factor=4, mode="nearest"))


def test_incomplete_squares_at_the_far_edge_are_averaged_over_the_points_they_have():
    field = noise(1, 1, 5, 7)
    means, _ = pool(field, Alone((5, 7)), 4)
    assert means.shape[-2:] == (2, 2)
    torch.testing.assert_close(means[0, 0, 1, 1], field[0, 0, 4:, 4:].mean())


def test_a_patch_is_a_linear_map_of_its_points():
    embedding, field = PatchEmbedding(2, 5, 3).double(), noise(1, 2, 6, 7)
    tokens, grid = embedding(field, Alone((6, 7)))
    assert grid.domain == (2, 3)
    by_hand = torch.einsum("wcyx,cyx->w", embedding.weight, field[0, :, 3:6, 3:6]) + embedding.bias
    torch.testing.assert_close(tokens[0, :, 1, 1], by_hand)


@pytest.mark.parametrize("shift", [False, True])
def test_window_attention_is_attention_among_the_tokens_of_a_window_only(shift):
    """Against softmax(q k / sqrt(d) + bias) v written out for each token, windows cut at the edges."""
    window, heads, width = 4, 2, 8
    layer = WindowAttention(width, heads, window, shift).double()
    randomise(layer, 3)
    field = noise(1, width, 7, 9)
    offset = window // 2 if shift else 0
    rows, columns = torch.meshgrid(torch.arange(7), torch.arange(9), indexing="ij")
    number = ((rows + offset) // window * 100 + (columns + offset) // window).flatten()
    within_y, within_x = ((rows + offset) % window).flatten(), ((columns + offset) % window).flatten()
    q, k, v = layer.qkv(field[0].flatten(1).T).view(-1, 3, heads, width // heads).unbind(1)
    scores = torch.einsum("ihd,jhd->hij", q, k) / (width // heads) ** 0.5
    bias_index = (
        (within_y[:, None] - within_y + window - 1) * (2 * window - 1) + within_x[:, None] - within_x + window - 1
    )
    same = number[:, None] == number
    scores = (scores + layer.offset_bias[:, bias_index.clamp(0, (2 * window - 1) ** 2 - 1)]).masked_fill(~same, -np.inf)
    mixed = torch.einsum("hij,jhd->ihd", scores.softmax(-1), v).flatten(1)
    expected = layer.out(mixed).T.view(1, width, 7, 9)
    torch.testing.assert_close(layer(field, Alone((7, 9))), expected, rtol=0, atol=1e-12)


def test_windows_are_completed_on_both_sides():
    assert missing(Box(0, 7, 4, 8), 4, 0) == ((0, 1), (0, 0))
    assert missing(Box(0, 7, 2, 6), 4, 2) == ((2, 3), (0, 0))


def test_global_mixing_carries_a_point_to_the_far_end_of_the_domain():
    layer = GlobalMixing(8, 2, 3).double()
    randomise(layer, 5)
    field = noise(1, 8, *UNEVEN).requires_grad_()
    layer(field, Alone(UNEVEN))[0, 0, -1, -1].backward()
    assert field.grad[0, :, 0, 0].abs().min() > 0


def test_on_a_plane_that_wraps_a_place_and_the_same_place_once_around_are_one():
    here, around = (Alone((6, 8), (True, True), origin) for origin in ((0, 0), (6, -8)))
    field = noise(1, 8, 6, 8)
    torch.testing.assert_close(place_waves(here, field), place_waves(around, field), rtol=0, atol=1e-12)
    waves = place_waves(Alone((6, 8)), field)
    assert float((waves - place_waves(Alone((6, 8), origin=(6, 0)), field)).abs().max()) > 0.1


@pytest.mark.parametrize("periodic", [(False, False), (True, True)])
def test_stations_read_what_scipy_interpolates_and_give_it_back_to_the_same_points(periodic):
    field = noise(1, 1, *UNEVEN).requires_grad_()
    places = torch.rand(50, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * (
        torch.tensor(UNEVEN) - 1
    )
    here = Alone(UNEVEN, periodic)
    values = sample(field, places, here)
    peer = RegularGridInterpolator([np.arange(size) for size in UNEVEN], field[0, 0].detach().numpy())
    np.testing.assert_allclose(values[0, 0].detach().numpy(), peer(places.numpy()), atol=1e-12)
    values.sum().backward()
    assert float(field.grad.sum()) == pytest.approx(50)


def test_between_the_ends_of_a_domain_that_wraps_stations_read_both_ends():
    field = torch.arange(4.0).view(1, 1, 1, 4)
    values = sample(field, torch.tensor([[0.0, 3.25]]), Alone((1, 4), (False, True)))
    assert float(values) == pytest.approx(3 * 0.75 + 0 * 0.25)


def test_stations_outside_the_domain_are_refused():
    with pytest.raises(NeighbourhoodError, match="outside 0 to 12"):
        owned(torch.tensor([[14.0, 0.0]]), Alone(UNEVEN))


def test_recomputing_changes_no_gradient():
    gradients = []
    for again in (False, True):
        network = UNet(UNetConfig(widths=(8, 8), groups=2, recompute=again)).double()
        randomise(network, 2)
        network(noise(1, 3, *UNEVEN), Alone(UNEVEN)).square().sum().backward()
        gradients.append([weight.grad for weight in network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    doubled = recompute(lambda field: 2 * field, torch.ones(2, requires_grad=True))
    assert doubled.tolist() == [2, 2]


def test_the_u_net_of_exercise_1_has_seven_hundred_thousand_weights_and_tiles_on_multiples_of_eight():
    network = UNet(UNetConfig())
    assert abs(sum(weight.numel() for weight in network.parameters()) - 700_000) < 20_000
    assert network.alignment == 8
    assert network(torch.zeros(2, 3, 64, 64), Alone((64, 64), (True, True))).shape == (2, 1, 64, 64)


@pytest.mark.parametrize(
    "network", [UNet(UNetConfig(widths=(8, 8, 8), groups=0)), VisionTransformer(VisionTransformerConfig(width=16))]
)
def test_a_shift_of_a_periodic_field_shifts_the_answer_where_no_place_is_known(network):
    """Shifts by the alignment: exact for the U-net; the transformer's waves know their place, so it must differ."""
    network = network.double()
    randomise(network, 4)
    domain, step = (60, 120), network.alignment
    field, here = noise(1, 3, *domain), Alone(domain, (True, True))
    one = network(field, here).roll((step, step), (-2, -1))
    other = network(field.roll((step, step), (-2, -1)), here)
    same = torch.allclose(one, other, rtol=0, atol=1e-10)
    assert same == isinstance(network, UNet)


@pytest.mark.parametrize("size", [(193, 193), (97, 61), (1, 1), (7, 40)])
def test_networks_accept_every_size(size):
    for network in (
        UNet(UNetConfig(widths=(8, 8, 8, 8))),
        VisionTransformer(VisionTransformerConfig(width=8, heads=2, depth=2)),
    ):
        assert network(torch.zeros(1, 3, *size), Alone(size)).shape == (1, 1, *size)


def test_what_cannot_be_is_refused_with_the_way_out():
    with pytest.raises(NeighbourhoodError, match="Use a multiple of 2 points, or fewer levels"):
        UNet(UNetConfig(widths=(8, 8)))(torch.zeros(1, 3, 13, 22), Alone(UNEVEN, (True, True)))
    with pytest.raises(NeighbourhoodError, match=r"expected a field \(batch, channel, 13, 22\)"):
        UNet(UNetConfig(widths=(8, 8)))(torch.zeros(1, 3, 12, 22), Alone(UNEVEN))
    with pytest.raises(NeighbourhoodError, match="odd number of points, got 4. Use 5"):
        Convolution(1, 1, 4)
    with pytest.raises(NeighbourhoodError, match="choose one of zeros, replicate"):
        Convolution(1, 1, 3, edge="reflect")
    with pytest.raises(NeighbourhoodError, match="multiples of the 3 groups"):
        UNet(UNetConfig(groups=3))
    with pytest.raises(NeighbourhoodError, match="3 heads"):
        WindowAttention(8, 3, 4, False)
