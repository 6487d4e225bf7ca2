"""Reports of a truth that is known: any number of them, anywhere, by which a network learns what reports are worth.

Their number plus one is drawn evenly in its logarithm, so that one report and hundreds are as usual as each other. In
half of the cases they lie anywhere, in the others within a rectangle: real networks have gaps and dense parts.
"""

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.methods.diffusion_reports import Departures
from mlrtma_dist.methods.diffusion_settings import OnePassSettings
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.nn.points import owned, sample

SMALLEST = 0.25  # side of the smallest rectangle, as a share of the domain's
NOTHING = 1e3  # deviation of a report of which the truth is not known: it tells nothing
CERTAIN = 0.999  # share of the points around a report where the truth must be known


def reports_of_truth(
    truth: Tensor, mask: Tensor | None, key: list[int], settings: OnePassSettings, here: Neighbourhood
) -> tuple[Departures, Tensor]:
    """Reports of one case on the whole domain, n of them, the same on every tile. Collective.

    Args:
        truth: departures on the tile, shape (1, channel, y, x).
        mask: 1 where they are known, shape (1, 1, y, x); None: they are everywhere.
        key: of which all that is random is a function; settings: numbers and errors.

    Returns:
        The reports, and normal noise for two members to perturb them by, shape (2, n).
    """
    random = np.random.default_rng(key)
    count = int((settings.reports + 2) ** random.random()) - 1
    share = SMALLEST ** np.maximum(0.0, 2.0 * random.random(2) - 1.0)
    corner = random.random(2) * (1.0 - share)
    places = (corner + share * random.random((count, 2))) * (np.array(here.domain) - 1.0)
    channel = random.integers(truth.shape[1], size=count)
    error = np.exp(random.uniform(*np.log(settings.report_error)))
    noise = torch.from_numpy(random.normal(size=(3, count))).to(truth.device)
    placed, kind = torch.from_numpy(places).to(truth.device), torch.from_numpy(channel).to(truth.device)
    own = owned(placed, here).nonzero()[:, 0]
    fields = truth if mask is None else torch.cat([truth, mask], 1)
    at_places = sample(fields, placed[own], here)[0].double()
    told = torch.zeros(2, count, dtype=torch.float64, device=truth.device)
    told[0, own] = at_places[kind[own], torch.arange(len(own), device=truth.device)]
    told[1, own] = 1.0 if mask is None else at_places[-1]
    value, certainty = here.total(told)
    deviation = torch.where(certainty > CERTAIN, error, NOTHING)
    return Departures(np.arange(count), placed, kind, value + error * noise[0], deviation), noise[1:]
