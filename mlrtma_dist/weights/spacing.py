"""The grid spacing of an emulator's training: its steps are between grid points, whatever their distance."""

import contextlib
import logging

from mlrtma_dist import config
from mlrtma_dist.config import ConfigError
from mlrtma_dist.grid.domain import Domain, load_domain
from mlrtma_dist.parallel.communicator import is_first_started
from mlrtma_dist.weights.manifest import Manifest

log = logging.getLogger(__name__)
FACTOR = 1.25  # between two spacings that count as the same


def spacings_of(manifest: Manifest) -> tuple[float, ...]:
    """Grid spacings of the domains of the training cases, metres, ascending; none where they are not known any more."""
    metres: set[float] = set()
    for store in manifest.run.stores:
        try:
            cases = config.parse_yaml(store.get("made_by") or "", str(store.get("file"))).get("cases")
        except ConfigError:  # no reason to refuse the weights
            continue
        names = cases.get("domain") if isinstance(cases, dict) else None
        for name in names if isinstance(names, list) else [names]:
            with contextlib.suppress(ConfigError, OSError):  # a user's own file, which is not here
                metres |= {load_domain(name).spacing_metres} if isinstance(name, str) else set()
    return tuple(sorted(metres))


def warn_of_spacing(manifest: Manifest, place: str, domain: Domain, setting: str) -> None:
    """Warn, on rank 0, where weights of an emulator run at a grid spacing that is none of their training's.

    Args:
        manifest: of the weights; place: where they are, as it was named; setting: that names them.
    """
    if not is_first_started():
        return
    metres, here = spacings_of(manifest), domain.spacing_metres
    if not metres or any(1 / FACTOR < here / each < FACTOR for each in metres):
        return
    log.warning(
        "%s: %s was trained at a spacing of %s km; %s has %.3g km, at which its errors are not known. Train weights at"
        " that spacing, or name a domain of the training's",
        setting,
        place,
        ", ".join(f"{each / 1000.0:.3g}" for each in metres),
        domain.name,
        here / 1000.0,
    )
