"""The learned methods, and the one dictionary in which one is chosen by name."""

from collections.abc import Mapping

from mlrtma_dist import config
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings

LEARNED = {"unet": (UNetMethod, UNetSettings)}


def build_method(name: str, settings: Mapping[str, object], where: str):
    """A learned method with its first weights.

    Args:
        name: of ``LEARNED``; settings: by key; where: for messages.

    Raises:
        ConfigError: an unknown method, or settings that do not suit it.
    """
    if name not in LEARNED:
        raise config.ConfigError(f"{where}: expected a learned method of {', '.join(LEARNED)}, got {name!r}")
    method, kind = LEARNED[name]
    built = config.build(kind, dict(settings), f"{where}: settings")
    try:
        return method(built)
    except ValueError as error:  # each setting is possible, the network that they describe is not
        raise config.ConfigError(f"{where}: settings: {error}") from error
