"""Nearby reports: those of a table that can influence the analyses of one domain."""

import numpy as np

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.observations.quality import MARGIN
from mlrtma_dist.observations.speeds import GUST
from mlrtma_dist.observations.table import Observations


def nearby(observations: Observations, domain: Domain, margin: float = MARGIN) -> Observations:
    """The reports within ``margin`` m of a domain, and of each network with gusts its first gust.

    The others take no part in any analysis there (``quality.check_outside``, ``quality.check_position``), but that a
    network reports gusts at all (``speeds.with_speeds``) is known from any one of them.

    Args:
        observations: n rows.
        domain: on the earth.
        margin: m around the domain.
    """
    placed = (np.abs(observations.latitude) <= 90.0) & np.isfinite(observations.longitude)
    kept = np.zeros(len(observations), dtype=bool)
    kept[placed] = domain.contains(observations.latitude[placed], observations.longitude[placed], margin)
    gusts = np.flatnonzero(observations.variable == GUST)
    kept[gusts[np.unique(observations.network[gusts], return_index=True)[1]]] = True
    return observations[kept]
