"""The one check of periodic planes: that a domain is the whole plane of a world, or a part of it."""

import numpy as np

from mlrtma_dist.config import ConfigError
from mlrtma_dist.grid.domain import Domain


def require_plane(domain: Domain, shape: tuple[int, int], setting: str, whose: str, parts: bool = False) -> None:
    """Raise ConfigError unless a domain is a periodic plane of ``shape`` (y, x).

    Args:
        setting: that the domain comes of; whose: the plane of that shape is, both for the message.
        parts: whether a plane that does not wrap will do, too, of no more rows and columns: a part of the plane.
    """
    if domain.shape == shape and domain.periodic:
        return
    if parts and domain.is_plane and not domain.periodic and max(np.subtract(domain.shape, shape)) <= 0:
        return
    part = " or a part of it, a plane that does not wrap," if parts else ""
    wraps = "wraps" if domain.periodic else "does not wrap"
    raise ConfigError(
        f"{setting}: expected a periodic plane of {shape} points{part} as that of {whose}, got {domain.name} of"
        f" {domain.shape}, which {wraps}. Name another {setting}."
    )
