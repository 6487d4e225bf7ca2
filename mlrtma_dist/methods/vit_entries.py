"""The entries of the vision transformer's weights by name, so that weights of one set of variables serve another.

Some weights have rows or columns of each variable, of each limit of one, or of the 3D-Var source. Entries of the same
name are taken over, whatever their numbers are in the two networks. A new column of an input is 0: what it is given has
no influence at first. A new row of the head, and a new share of the heads, keep their first values, but for the
weights of 3D-Var's analysis, which begin as ``SHARES``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mlrtma_dist.methods.image_encoding import point_labels, token_labels
from mlrtma_dist.methods.report_distributions import TRUST, TRUSTED
from mlrtma_dist.methods.report_encoding import FEATURES, WIDTHS
from mlrtma_dist.nn.adapted import Grown

if TYPE_CHECKING:
    from mlrtma_dist.methods.vit import TransformerMethod

HEAD = "decoder.head"
# Weight of 3D-Var's analysis of each smooth variable before any training: that of the weighted mean with the network's
# which is nearest to withheld stations at the hours that choose.
SHARES = {"t2m": 0.7, "d2m": 0.6, "u10": 0.15, "v10": 0.15, "psfc": 0.75}

Entries = dict[str, tuple[int, tuple[str, ...]]]


def entries(method: "TransformerMethod") -> Entries:
    """Weight -> the dimension along which it depends on the variables, and the name of each entry along it."""
    config, channels = method.network.config, method.reported
    place = [f"place {number}" for number in range(FEATURES)] + [f"reports of {name}" for name in method.variables]
    of_source = method.source.settings.variables if method.source else ()
    source = [f"3D-Var {kind} {name}" for kind in ("value", "error", "present") for name in of_source]
    features = [*place, "age", *source, *point_labels(method.settings.imagery)]
    single = [f"{name} {n}" for name, part in channels.slices.items() for n in range(part.stop - part.start)]
    left = [f"left {number} {name}" for number in range(config.rounds) for name in channels.smooth]
    latent = [f"latent {number}" for number in range(config.latent)]
    set_convolutions = [
        f"{kind} {width:g} {name}" for width in WIDTHS for kind in ("density", "mean") for name in method.variables
    ]
    states = [[f"{kind} {number}" for number in range(config.width)] for kind in ("query", "mixed")]
    near = [
        f"{kind} {head} {name}"
        for kind in ("mean", "density")
        for head in range(config.heads)
        for name in (*single, *left)
    ]
    named: Entries = {
        "encoder.station.0.weight": (1, (*features, *_each("value", single), *_each("present", single))),
        "encoder.token.weight": (1, (*place, "deviation", *set_convolutions, *token_labels(method.settings.imagery))),
        "decoder.query.0.weight": (1, (*features, *latent)),
        "decoder.network.0.weight": (1, (*states[0], *latent, *states[1], *near)),
        f"{HEAD}.weight": (0, method.heads.labels),
        f"{HEAD}.bias": (0, method.heads.labels),
    }
    for number in range(config.rounds):
        both = (*_each("estimate", channels.smooth), *_each("difference", channels.smooth))
        named[f"encoder.rounds.{number}.share"] = (1, channels.smooth)
        named[f"encoder.rounds.{number}.difference.weight"] = (1, both)
    return named


def _each(kind: str, names: Sequence[str]) -> list[str]:
    return [f"{kind} {name}" for name in names]


def taken_over(weights: Mapping[str, Tensor], before: Entries, now: Entries, first: Mapping[str, Tensor]) -> dict:
    """Weights of a network as weights of one of other variables; what differs in another way stays as it is.

    Args:
        weights: of the network before, by name; before, now: `entries` of the two.
        first: the first weights of the network now.
    """
    changed = dict(weights)
    for name in now.keys() & before.keys():
        (dim, old), (_, new) = before[name], now[name]
        if old == new or _others(weights[name], dim) != _others(first[name], dim):
            continue
        is_row = dim == 0 or name.endswith("share")
        weight = first[name].detach().clone() if is_row else torch.zeros_like(first[name])
        common = [label for label in new if label in old]
        there, here = (torch.tensor([labels.index(label) for label in common]) for labels in (old, new))
        weight.index_copy_(dim, here, weights[name].detach().index_select(dim, there))
        trusts = [number for number, label in enumerate(new) if label.startswith(TRUSTED) and label not in old]
        if dim == 0:
            for number in trusts:
                share = SHARES[new[number].removeprefix(TRUSTED)]
                weight[number] = math.log(share / (1.0 - share)) - TRUST if name.endswith("bias") else 0.0
        changed[name] = weight
    return changed


def added(before: Entries, now: Entries) -> dict[str, Grown]:
    """The entries that a network has beside those of another one, by weight."""
    grown = {}
    for name, (dim, labels) in now.items():
        new = [number for number, label in enumerate(labels) if name in before and label not in before[name][1]]
        if new:
            grown[name] = Grown(dim, torch.tensor(new))
    return grown


def _others(weight: Tensor, dim: int) -> tuple[int, ...]:
    """The shape without one dimension."""
    return tuple(size for number, size in enumerate(weight.shape) if number != dim)
