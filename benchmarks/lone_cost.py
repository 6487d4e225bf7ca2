"""What asking a neighbourhood costs a network that is alone: the Exercise 1 U-net beside the same layers in plain
PyTorch.

Claim: at most 5 %.

    python benchmarks/lone_cost.py

Runs both in turn, takes each one's fastest step of processor time, prints the ratio last.
"""

import time

import torch
import torch.nn.functional as F

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.unet import UNet, UNetConfig

SIZE, REPEATS = 96, 8


def plain_block(block, field):
    """A residual block, as one would write it without neighbourhoods."""
    first = F.conv2d(
        F.silu(normalise(block.norm_in, field)), block.convolution_in.weight, block.convolution_in.bias, padding=1
    )
    second = F.conv2d(
        F.silu(normalise(block.norm_out, first)), block.convolution_out.weight, block.convolution_out.bias, padding=1
    )
    short = block.short_cut
    return second + (field if short is None else F.conv2d(field, short.weight, short.bias))


def normalise(norm, field):
    """PyTorch's group norm."""
    return F.group_norm(field, norm.num_groups, norm.weight, norm.bias, norm.eps)


def plain(network, field):
    """The U-net on zeros beyond the edge, for sizes that divide."""
    field, kept = F.conv2d(field, network.stem.weight, network.stem.bias, padding=1), []
    for block, halving in zip(network.descent, [*network.halvings, None], strict=True):
        field = plain_block(block, field)
        if halving is not None:
            kept.append(field)
            field = F.conv2d(field, halving.weight, halving.bias, stride=2, padding=1)
    for block in reversed(network.ascent):
        finer = F.interpolate(field, scale_factor=2, mode="bilinear", align_corners=False)
        field = plain_block(block, torch.cat([kept.pop(), finer], 1))
    return F.conv2d(F.silu(normalise(network.norm, field)), network.head.weight, network.head.bias, padding=1)


def main():
    """Check that both are the same network, then race them."""
    torch.set_num_threads(1)
    network, field, here = UNet(UNetConfig(edge="zeros")), torch.randn(4, 3, SIZE, SIZE), Alone((SIZE, SIZE))
    torch.testing.assert_close(network(field, here), plain(network, field), rtol=1e-4, atol=1e-5)
    fastest = {"alone": float("inf"), "plain": float("inf")}
    for _ in range(REPEATS):
        for name, forward in (("alone", lambda: network(field, here)), ("plain", lambda: plain(network, field))):
            begin = time.process_time()
            forward().square().sum().backward()
            fastest[name] = min(fastest[name], time.process_time() - begin)
    print(f"alone {fastest['alone']:.3f} s, plain {fastest['plain']:.3f} s of processor")
    print(f"alone / plain: {fastest['alone'] / fastest['plain']:.3f}")


if __name__ == "__main__":
    main()
