"""The transformer as a denoiser: its blocks beside those of the vision transformer, its gates, any size of domain."""

import copy

import pytest
import torch

from mlrtma_dist.nn.denoiser import EMBEDDING, Denoiser
from mlrtma_dist.nn.dit import DiffusionTransformer, DiffusionTransformerConfig, ModulatedBlock
from mlrtma_dist.nn.folded import FoldedUNet, FoldedUNetConfig, folded, unfolded
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.vit import Block, VisionTransformerConfig

BLOCK = VisionTransformerConfig(width=8, heads=2, window=3)
CONFIG = DiffusionTransformerConfig(channels_in=3, channels_out=2, embedding=EMBEDDING, block=BLOCK, fold=2, depth=2)
HERE = Alone((13, 22))


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def denoiser(**changes) -> Denoiser:
    network = Denoiser(DiffusionTransformer(DiffusionTransformerConfig(**{**vars(CONFIG), **changes}))).double()
    randomise(network, 5)
    return network


@pytest.mark.parametrize("shift", [False, True])
def test_a_block_with_open_gates_is_that_of_the_vision_transformer(shift):
    plain, modulated = Block(BLOCK, shift=shift).double(), ModulatedBlock(BLOCK, shift=shift, embedding=4).double()
    randomise(plain, 2)
    modulated.load_state_dict(plain.state_dict(), strict=False)
    field, embedding = noise(2, 8, *HERE.box.shape), noise(2, 4, seed=1)
    assert torch.equal(modulated(field, HERE, embedding), field)  # gates are zero at first
    width, parts = 8, 7 if shift else 6
    gates = [2, 5, 6][: 2 + shift]  # of windows, pointwise network and global mixing
    for gate in gates:
        modulated.modulation.bias.data[gate * width : (gate + 1) * width] = 1.0
    assert len(modulated.modulation.bias) == parts * width
    torch.testing.assert_close(modulated(field, HERE, embedding), plain(field, HERE), rtol=0, atol=1e-12)


def test_the_noise_level_of_each_field_changes_its_own_answer_only():
    network, fields, condition = denoiser(), noise(2, 2, *HERE.box.shape), noise(2, 1, *HERE.box.shape, seed=1)
    one, other = (network(fields, torch.tensor([3.0, level]), condition, HERE) for level in (0.5, 8.0))
    assert torch.equal(one[0], other[0]) and (one[1] - other[1]).abs().max() > 0.1


def test_at_a_low_noise_level_the_answer_is_nearly_the_field_and_at_a_high_one_it_is_not():
    network, fields, condition = denoiser(), noise(1, 2, *HERE.box.shape), noise(1, 1, *HERE.box.shape, seed=1)
    low, high = (network(level * fields, torch.tensor([level]), condition, HERE) for level in (1e-4, 1e4))
    torch.testing.assert_close(low, 1e-4 * fields, rtol=0, atol=1e-2)
    assert float(high.detach().std()) < 1e-2 * 1e4


@pytest.mark.parametrize("size", [(48, 36), (13, 22), (1, 1), (7, 40)])
def test_every_size_is_accepted_and_tiles_begin_on_windows(size):
    network = denoiser()
    assert network.alignment == 6
    fields = noise(1, 2, *size)
    assert network(fields, torch.ones(1), fields[:, :1], Alone(size)).shape == fields.shape


def test_folded_squares_are_channels_and_are_unfolded_again():
    field = torch.arange(15.0).view(1, 1, 3, 5)
    squares = folded(field, 2)
    assert squares[0, :, 0, 0].tolist() == [0, 1, 5, 6] and squares[0, :, 1, 2].tolist() == [14, 14, 14, 14]
    assert torch.equal(unfolded(squares, 2, (3, 5)), field)


def test_what_is_computed_again_has_the_same_gradient():
    network = denoiser(recompute=True)
    kept = copy.deepcopy(network)
    kept.network.config = CONFIG
    gradients = []
    for each in (network, kept):
        each(noise(1, 2, 13, 22), torch.ones(1), noise(1, 1, 13, 22, seed=1), HERE).square().sum().backward()
        gradients.append([weight.grad for weight in each.parameters()])
    for again, once in zip(*gradients, strict=True):
        torch.testing.assert_close(again, once, rtol=0, atol=1e-12)


def test_names_of_the_u_nets_weights_are_those_of_earlier_checkpoints():
    network = Denoiser(FoldedUNet(FoldedUNetConfig(channels_in=2, adds=False, widths=(8, 8), embedding=EMBEDDING)))
    names = set(network.state_dict())
    assert {"network.unet.stem.weight", "network.unet.descent.0.modulation.weight", "level.0.weight"} <= names
    assert {name.split(".")[0] for name in names} == {"network", "level"}
    assert {name.split(".")[1] for name in names if name.startswith("network")} == {"unet"}
