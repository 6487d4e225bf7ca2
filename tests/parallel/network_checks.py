"""U-net and vision transformer on tiles beside one rank: what threads of one process and ranks of a job compare."""

import copy
from dataclasses import dataclass, replace

import torch
from tables import TABLES, cut, difference, noise

from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.nn.vit import VisionTransformer, VisionTransformerConfig
from mlrtma_dist.parallel.reduce import sum_gradients

SMALL = (97, 61)
# Domain, whether it wraps, tables of tiles: 2, 3 and 4 ranks everywhere, every table somewhere.
DOMAINS = (
    ((193, 193), (False, False), ((1, 2), (3, 1), (1, 4), (4, 1))),
    ((225, 321), (False, False), ((2, 1), (1, 3), (2, 2))),
    (SMALL, (False, False), TABLES),
    ((120, 120), (True, True), ((2, 1), (1, 3), (2, 2))),
)


def networks(seed, recompute=False):
    """Small ones with random weights, none zero."""
    unet = UNet(replace(UNetConfig(), widths=(4, 8, 8, 12), groups=2, recompute=recompute))
    vit = VisionTransformer(
        VisionTransformerConfig(patch=3, window=5, width=8, heads=2, depth=2, decoder_width=8, recompute=recompute)
    )
    for network in (unet, vit):
        randomise(network, seed)
        assert all(bool((weight != 0).all()) for weight in network.parameters()), "a zero weight proves nothing"
    return {"unet": unet, "vit": vit}


def run(network, field, into, here):
    """Output, input gradient, and weight gradients summed over tiles, of the scalar <output, into>."""
    network.zero_grad(set_to_none=True)
    field = field.detach().requires_grad_()
    output = network(field, here)
    (output * into).sum().backward()
    if hasattr(here, "transport"):
        sum_gradients(network, here.transport)
    return output.detach(), field.grad, {name: weight.grad for name, weight in network.named_parameters()}


@dataclass(frozen=True)
class Case:
    """One comparison: a network of one precision on a domain, and the answer of one rank."""

    name: str
    network: torch.nn.Module
    domain: tuple[int, int]
    periodic: tuple[bool, bool]
    tables: tuple[tuple[int, int], ...]
    dtype: torch.dtype
    seed: int

    def numbers(self):
        """Field, and the gradient to push back, on the whole domain."""
        return (
            noise(self.seed, 1, 3, *self.domain, dtype=self.dtype),
            noise(self.seed + 1, 1, 1, *self.domain, dtype=self.dtype),
        )

    def answer(self):
        """Output, input gradient and weight gradients of one rank."""
        return run(copy.deepcopy(self.network).to(self.dtype), *self.numbers(), Alone(self.domain, self.periodic))

    def compare(self, answer, here):
        """Differences of a tile from the answer.

        A weight's gradient is compared with its own range, and with that of all weights: where a sum over 70,000
        points cancels, one rank's float32 is itself 1.6e-5 of its range off float64.
        """
        output, home, weights = answer
        parts = (cut(each, here.box, self.domain) for each in self.numbers())
        own_output, own_home, own_weights = run(copy.deepcopy(self.network).to(self.dtype), *parts, here)
        errors = {n: float((own_weights[n] - each).abs().max()) for n, each in weights.items()}
        spans = {
            n: float(each.max() - each.min()) if each.numel() > 1 else float(each.abs()) for n, each in weights.items()
        }
        everything = torch.cat([each.flatten() for each in weights.values()])
        return {
            "output": difference(own_output, output, here),
            "input gradient": difference(own_home, home, here),
            "all weights": max(errors.values()) / float(everything.max() - everything.min()),
            "each weight": max(errors[n] / spans[n] for n in weights),
        }
