"""The reports of a case as samplers of a posterior use them: departures at stations, on the tile that owns these."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.gaussian_sum import GaussianSum
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.learned import own_reports
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.nn.points import owned, sample

FACTORS = (0.25, 8.0)  # of a fitted deviation
PRIOR = 0.7  # standard deviation of its logarithm: two thirds of the hours within a factor of two of training
FARTHEST = 3.0  # standard deviations of a report from what the others say of it


@dataclass(frozen=True)
class Departures:
    """Used reports of the analysed variables on the whole domain, n of them, the same on every rank.

    Attributes:
        rows: in the case's table, shape (n,).
        places: grid coordinates (y, x), float64, shape (n, 2).
        channel: number of each one's variable, shape (n,).
        value: report minus first guess (or mean), in units of the departures' deviation, shape (n,).
        error: standard deviation of its error, same units, shape (n,).
    """

    rows: np.ndarray
    places: Tensor
    channel: Tensor
    value: Tensor
    error: Tensor

    @classmethod
    def of(
        cls,
        case: Case,
        variables: tuple[str, ...],
        unit: np.ndarray,
        errors: np.ndarray,
        mean: np.ndarray | None = None,
    ) -> "Departures":
        """The reports of a case.

        Args:
            variables: that are analysed; unit: of each one's departures, analysis space, shape (variable,).
            errors: standard deviation of the error of each report, analysis space, shape of the case's table.
            mean: of each variable, from which reports depart, analysis space, shape (variable,); None: the first guess.
        """
        rows, _, kind = own_reports(replace(case, box=Box.whole(case.domain.shape)), variables)
        departure = case.departure[rows] if mean is None else case.value[rows] - mean[kind]
        usable = np.isfinite(departure) & (errors[rows] > 0.0)
        rows, kind = rows[usable], kind[usable]
        value, error = departure[usable] / unit[kind], errors[rows] / unit[kind]
        places = np.asarray(case.grid_place[rows], dtype=np.float64).reshape(-1, 2)
        return cls(rows, *(torch.from_numpy(np.ascontiguousarray(each)) for each in (places, kind, value, error)))

    def to(self, device: torch.device) -> "Departures":
        """The same on a device."""
        tensors = {name: getattr(self, name).to(device) for name in ("places", "channel", "value", "error")}
        return replace(self, **tensors)

    def scaled(self, factor: np.ndarray) -> "Departures":
        """The same in units that are ``factor`` times as large, one for each variable."""
        each = torch.from_numpy(factor)[self.channel]
        return replace(self, value=self.value / each, error=self.error / each)

    def own(self, neighbourhood: Neighbourhood) -> Tensor:
        """Numbers of those that this tile owns, shape (m,)."""
        return owned(self.places, neighbourhood).nonzero()[:, 0]

    def observed(self, neighbourhood: Neighbourhood) -> Observed:
        """What this tile observes of a field of departures: bilinear interpolation to its stations."""
        own = self.own(neighbourhood)
        places, channel = self.places[own], self.channel[own]

        def operator(field: Tensor) -> Tensor:
            values = sample(field, places, neighbourhood)
            return values[:, channel, torch.arange(len(own), device=field.device)]

        value, error = self.value[own].float(), self.error[own].float()
        return Observed(value, error.square(), operator, lambda tensor: neighbourhood.total(tensor.detach()))


def tempered(covariance: GaussianSum, reports: Departures) -> Departures:
    """Reports whose errors are as large as it takes for none to lie more than ``FARTHEST`` deviations from the others.

    What the others say of a report follows from one inverse: with A = H B H^T + R the residual of a report that is left
    out is (A^-1 d)_i / (A^-1)_ii, its variance 1 / (A^-1)_ii (Dubrule 1983).
    """
    if len(reports.rows) < 2:
        return reports
    matrix = covariance.between(reports.places, reports.channel)
    matrix.diagonal().add_(reports.error.square())
    inverse = torch.linalg.inv(matrix)
    variance = 1.0 / inverse.diagonal()
    far = ((inverse @ reports.value) * variance).square() / (FARTHEST**2 * variance)
    more = variance * (far - 1.0).clamp(min=0.0)
    return replace(reports, error=(reports.error.square() + more).sqrt())


def fitted_deviations(covariance: GaussianSum, reports: Departures, deviation: float = PRIOR) -> np.ndarray:
    """By what the deviation of each variable's departures is to be multiplied to make its reports most likely.

    Of y ~ N(0, f^2 H B H^T + R) the likelihood, times a log-normal prior about 1, by which a few reports change little,
    is searched over f on a geometric grid of ``FACTORS``; 1 for a variable without a report. Variables are independent
    in B. Shape (variable,).

    Args:
        deviation: of the logarithm of the factor in the prior; infinite: there is none.
    """
    factors, best = torch.from_numpy(np.geomspace(*FACTORS, 61)), np.ones(len(covariance.power))
    prior = -0.5 * (factors.log() / deviation).square()
    for number in range(len(best)):
        own = (reports.channel == number).nonzero()[:, 0]
        if not len(own):
            continue
        error = reports.error[own]
        matrix = covariance.between(reports.places[own], reports.channel[own]) / (error[:, None] * error)
        eigenvalues, vectors = torch.linalg.eigh(matrix)
        squares = (vectors.T @ (reports.value[own] / error)).square()
        variances = 1.0 + factors[:, None].square() * eigenvalues.clamp(min=0.0)
        likelihood = -0.5 * (variances.log() + squares / variances).sum(1)
        best[number] = float(factors[(likelihood + prior).argmax()])
    return best


def robust_deviations(covariance: GaussianSum, reports: Departures) -> np.ndarray:
    """As `fitted_deviations`, fitted again with reports that fit no others weighed down: none of these widens them."""
    first = fitted_deviations(covariance, reports)
    inexact = tempered(covariance, reports.scaled(first))
    return fitted_deviations(covariance, inexact.scaled(1.0 / first))
