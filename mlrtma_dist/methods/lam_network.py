"""The network of the forecast emulator `methods.lam`, and the outer cells of its domain."""

from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.nn.folded import FoldedUNet, FoldedUNetConfig
from mlrtma_dist.nn.graph import GraphConfig, GraphForecaster


def rim_mask(shape: tuple[int, int], box: Box, width: int) -> Tensor:
    """1 at the points of a box that are fewer than ``width`` from the edge of a domain of ``shape``, else 0.

    Returns:
        Shape (1, 1, y, x), float32.
    """
    lines = []
    for size, low, high in ((shape[0], box.y0, box.y1), (shape[1], box.x0, box.x1)):
        place = torch.arange(low, high)
        lines.append((place < width) | (place >= size - width))
    return (lines[0][:, None] | lines[1][None, :]).float()[None, None]


def lam_network(settings: LamSettings, channels_in: int, embedding: int = 0) -> nn.Module:
    """The network of a forecast emulator with its first weights; its first forecast is nearly persistence.

    Args:
        channels_in: of its input.
        embedding: numbers that describe a whole field and modulate every block of a U-net; 0: none.
    """
    if settings.network == "graph":
        sizes = {**asdict(settings.graph), "recompute": settings.recompute}
        network = GraphForecaster(GraphConfig(channels_in, settings.variables, **sizes))
        nn.init.normal_(network.head.second.weight, std=1e-3)
        nn.init.zeros_(network.head.second.bias)
        return network
    return FoldedUNet(
        FoldedUNetConfig(
            channels_in=channels_in,
            channels_out=settings.variables,
            fold=settings.fold,
            widths=settings.widths,
            groups=settings.groups,
            recompute=settings.recompute,
            adds=False,
            embedding=embedding,
        )
    )


def require_rim(coming: Tensor | None, case: Case, width: int, time: np.datetime64, name: str = "lam") -> None:
    """Raise ContentsError unless a coming state (batch, variable, y, x) is known in the rim of a case's domain.

    ``name``: of the method, for the message.
    """
    if coming is not None and width:
        rim = rim_mask(case.domain.shape, case.box, width)[0, 0].to(coming.device) > 0
        if not bool(coming[..., rim].isfinite().all()):
            raise ContentsError(
                f"method {name}: the boundary of {time} does not cover the outer {width} cells of {case.domain.name}:"
                " name files of a larger area"
            )
