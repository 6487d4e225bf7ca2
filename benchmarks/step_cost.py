"""What DeepSpeed and neighbourhoods cost a network that is alone: a training step of the Exercise 1 U-net by the
engine, beside the same layers, loss and optimizer in plain PyTorch.

Claim: at most 5 %.

    python benchmarks/step_cost.py

Takes turns, so that both see the same machine; compares each one's fastest step of processor time; prints the ratio
last.
"""

import logging
import time

import numpy as np
import torch
import torch.nn.functional as F

from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.engine import Engine

SIZE, BATCH, REPEATS, RATE = 64, 8, 12, 1e-4


class Method:
    """Squared error of the U-net of 0.7 million weights, zeros beyond the edge as a plain convolution has them."""

    def __init__(self):
        torch.manual_seed(0)
        self.network = UNet(UNetConfig(edge="zeros"))

    def weight(self, sample):
        """Points."""
        return float(sample.target.numel())

    def loss(self, sample, neighbourhood):
        """Sum of squares."""
        return (self.network(sample.inputs, neighbourhood) - sample.target).square().sum(), self.weight(sample)


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
    """Check that both take the same steps, then race them."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    inputs, target = torch.randn(BATCH, 3, SIZE, SIZE), torch.randn(BATCH, 1, SIZE, SIZE)
    sample = Sample(inputs, target, None, np.arange(BATCH).astype("datetime64[s]"))
    lone = UNet(UNetConfig(edge="zeros"))
    lone.load_state_dict(Method().network.state_dict())
    optimizer = torch.optim.AdamW(lone.parameters(), lr=RATE)

    def by_pytorch(number):
        optimizer.zero_grad()
        loss = (plain(lone, inputs) - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    settings = {"optimizer": {"type": "AdamW", "params": {"weight_decay": 0.01}}}
    with Ranks.start(device="cpu", always_group=True) as world:
        engine = Engine(Method(), world, Alone((SIZE, SIZE)), settings, [BATCH])
        ways = {"engine": lambda number: engine.step([sample], RATE, number).loss, "plain": by_pytorch}
        fastest = dict.fromkeys(ways, float("inf"))
        for number in range(REPEATS):
            losses = []
            for name, step in ways.items():
                begin = time.process_time()
                losses.append(step(number))
                fastest[name] = min(fastest[name], time.process_time() - begin)
            assert abs(losses[0] / losses[1] - 1) < 1e-4, f"step {number}: not the same network, losses {losses}"
    print(f"engine {fastest['engine']:.3f} s, plain {fastest['plain']:.3f} s of processor a step of {BATCH} cases")
    print(f"engine / plain: {fastest['engine'] / fastest['plain']:.3f}")


if __name__ == "__main__":
    main()
