"""Estimate a covariance from departures: its scales, its variances and the observation error.

The score is the leave-one-out predictive density of each report -- of Student's t with five degrees of
freedom where the analysis has a variational quality control, so that gross errors do not decide, else of a Gaussian,

    e_i = [A^-1 d]_i / [A^-1]_ii,   var_i = 1 / [A^-1]_ii,   A = HBH' + r^2 I

(Rasmussen and Williams 2006, eqs. 5.10-5.12), averaged over hours and minimised by Adam with the gradient of
automatic differentiation. To be run on hours and stations that no score is reported for.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component
from mlrtma_dist.linalg.kernels import ROUNDING
from mlrtma_dist.methods.settings import VariableSettings

ROBUST, GAUSSIAN = 5.0, 1e6  # degrees of freedom
FEWEST = 10  # departures that an hour must have more of: fewer tell nothing of four scales and more
LEARNING_RATE = 0.1  # of logarithms: a scale moves by at most a tenth a step
PLACES = {"height": "elevation", "land": "land", "relief": "relief"}  # scale of a component -> attribute of Points
KERNELS = {
    "askey": lambda r: torch.relu(1 - r) ** 4,
    "rounded": lambda r: torch.exp(ROUNDING - torch.sqrt(r * r + ROUNDING**2)),
    "matern32": lambda r: (1 + r) * torch.exp(-r),
    "gaussian": lambda r: torch.exp(-0.5 * r * r),
}


@dataclass(frozen=True)
class Departures:
    """One variable's departures at one hour: n places and n values in analysis space."""

    points: Points
    value: np.ndarray


def estimate(
    start: VariableSettings,
    hours: list[Departures],
    *,
    steps: int,
    most_reports: int = 1000,
    most_length: float = 800e3,
) -> tuple[VariableSettings, float]:
    """Improve settings by gradient descent on the score.

    Args:
        start: where to begin; which scales a component has (null or a number) is not changed.
        hours: departures of some hours; those of ``FEWEST`` or fewer take no part.
        steps: of Adam, at least one.
        most_reports: of an hour that take part, the first in an order fixed by a seed: the cost grows with the cube.
        most_length: m; upper bound of the length of a component of compact support, because the cost of an
            analysis grows with its square.

    Returns:
        The settings with the best score on the way, and that score (mean negative log density, less is better).

    Raises:
        InputError: no hour of more than ``FEWEST`` departures.
    """
    hours = [hour for hour in hours if len(hour.value) > FEWEST]
    if not hours:
        raise InputError(f"expected at least one hour with more than {FEWEST} departures, got none. Name other files.")
    data = [_tensors(hour, most_reports) for hour in hours]
    largest = float(np.mean([np.mean(hour.value**2) for hour in hours]))
    logs = [_parameters(component) for component in start.covariance]
    error = torch.tensor(np.log(start.observation_error), requires_grad=True)
    optimiser = torch.optim.Adam([error, *(p for group in logs for p in group.values())], lr=LEARNING_RATE)
    best, best_score = start, np.inf
    for _ in range(steps):
        optimiser.zero_grad()
        score = torch.stack([_score(start, logs, error, *hour) for hour in data]).mean()
        score.backward()
        if float(score.detach()) < best_score:
            best, best_score = _settings(start, logs, error), float(score.detach())
        optimiser.step()
        _bound(start, logs, largest, most_length)
    return best, best_score


@torch.no_grad()
def _bound(start: VariableSettings, logs, largest: float, most_length: float) -> None:
    """Keep variances below that of the departures, and lengths of compact support below ``most_length``.

    Dense stations see of a smooth component little but variance / length^3: without the bound both grow
    together, at no gain in score, and the analysis extrapolates coastal slopes far over the ocean.
    """
    for component, group in zip(start.covariance, logs, strict=True):
        group["variance"].clamp_(max=np.log(largest))
        if component.kernel == "askey":
            group["length"].clamp_(max=np.log(most_length))


def _tensors(hour: Departures, most: int):
    chosen = np.random.default_rng(0).permutation(len(hour.value))[:most]
    points, column = hour.points[chosen], lambda a: torch.tensor(np.asarray(a, dtype=np.float64))
    centre = points.position.mean(axis=0)
    places = {name: column(getattr(points, name)) for name in PLACES.values()}
    return column(points.position - centre), places, column(hour.value[chosen])


def _parameters(component: Component) -> dict[str, torch.Tensor]:
    """Logarithms of a component's scales."""
    scales = {name: getattr(component, name) for name in ("variance", "length", *PLACES)}
    return {
        name: torch.tensor(np.log(value), requires_grad=True) for name, value in scales.items() if value is not None
    }


def _score(start, logs, log_error, position, places, value) -> torch.Tensor:
    a = torch.eye(len(value), dtype=torch.float64) * torch.exp(2 * log_error)
    for component, group in zip(start.covariance, logs, strict=True):
        columns = [position / torch.exp(group["length"])]
        columns += [(places[PLACES[name]] / torch.exp(group[name]))[:, None] for name in PLACES if name in group]
        c = torch.cat(columns, dim=1)
        squared = (c * c).sum(1)
        r = torch.sqrt(torch.clamp(squared[:, None] + squared - 2 * c @ c.T, min=0.0) + 1e-12)
        a = a + torch.exp(group["variance"]) * KERNELS[component.kernel](r)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(a))
    variance = 1.0 / torch.diagonal(inverse)
    e = (inverse @ value) * variance
    nu = GAUSSIAN if start.huber is None else ROBUST
    return (0.5 * (nu + 1) * torch.log1p(e * e / (nu * variance)) + 0.5 * torch.log(variance)).mean()


def _settings(start: VariableSettings, logs, log_error) -> VariableSettings:
    components = tuple(
        replace(component, **{name: float(torch.exp(p.detach())) for name, p in group.items()})
        for component, group in zip(start.covariance, logs, strict=True)
    )
    return VariableSettings(float(torch.exp(log_error.detach())), start.huber, components)
