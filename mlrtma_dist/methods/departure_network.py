"""The network of methods on departures from the background: a U-net or a transformer, as their settings say."""

from torch import nn

from mlrtma_dist.methods.diffusion_settings import DepartureSettings
from mlrtma_dist.nn.dit import DiffusionTransformer, DiffusionTransformerConfig
from mlrtma_dist.nn.folded import FoldedUNet, FoldedUNetConfig
from mlrtma_dist.nn.vit import VisionTransformerConfig


def departure_network(settings: DepartureSettings, channels_in: int, embedding: int) -> nn.Module:
    """The network with its first weights.

    Args:
        channels_in: of its input; it gives a channel for each variable.
        embedding: numbers that describe a whole field and modulate every block; 0: none.
    """
    sizes = settings.transformer
    if sizes is None:
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
    return DiffusionTransformer(
        DiffusionTransformerConfig(
            channels_in=channels_in,
            channels_out=settings.variables,
            embedding=embedding,
            block=VisionTransformerConfig(width=sizes.width, heads=sizes.heads, window=sizes.window),
            fold=settings.fold,
            depth=sizes.depth,
            recompute=settings.recompute,
        )
    )
