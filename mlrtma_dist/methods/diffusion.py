"""Diffusion assimilation: a denoiser of departures from the background, and samples of the posterior given reports.

    x = x_b + s d           d ~ p(d | x_b), the departure in units s, as a denoiser has learnt it from cases with truth
    y_o = H(x) + e_o        e_o ~ N(0, R)

What is modelled is the field given its background, which is a condition of the network and no observation. Reports
enter only when a case is analysed (`mlrtma_dist.diffusion`), so that any operator H and any R can be used that training
never saw. Without reports the answer is the distribution given the background alone.

The denoiser minimises, over cases, noise levels and noise,

    (1 + sigma^2) / sigma^2  (D(d + sigma n, sigma, x_b) - d)^2         (Karras et al. 2022, with unit variance)
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.denoising import denoising_loss
from mlrtma_dist.methods.departure_network import departure_network
from mlrtma_dist.methods.diffusion_indirect import indirect_reports
from mlrtma_dist.methods.diffusion_settings import DiffusionSettings
from mlrtma_dist.methods.ensemble_method import EnsembleMethod
from mlrtma_dist.methods.learned import build_method, first_weights
from mlrtma_dist.methods.posterior import Posterior
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.denoiser import EMBEDDING, Denoiser
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.observations.indirect import VARIABLES as DIRECT


class DiffusionMethod(EnsembleMethod):
    """The method (`methods.learned.LearnedMethod`).

    Attributes:
        network: a `nn.denoiser.Denoiser`.
        statistics: the units of the network; None before they are gathered.
    """

    name = "diffusion"
    settings: DiffusionSettings

    def __init__(self, settings: DiffusionSettings, statistics: Statistics | None = None):
        self.settings, self.statistics = settings, statistics
        self.signed = settings.backgrounds
        with first_weights(settings.seed):
            channels = settings.variables + settings.conditions
            self.network = Denoiser(departure_network(settings, channels, EMBEDDING))

    def weight(self, sample: Sample) -> float:
        """Known target points of a sample on this tile, all channels, at all its noise levels."""
        return self.settings.levels * super().weight(sample)

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's points of the weighed squared error, a scalar, and its `weight`; never a mean."""
        target, key, mask = sample.target, sample.key, sample.mask
        total = denoising_loss(self.network, target, sample.inputs, key, mask, self.settings, neighbourhood)
        return total, self.weight(sample)

    def posterior(
        self, case: Case, errors: np.ndarray, neighbourhood: Neighbourhood | None = None
    ) -> tuple[Posterior, np.ndarray]:
        """See `methods.ensemble_method.EnsembleMethod.posterior`."""
        condition, here = self.conditioned(case, neighbourhood)
        reports, covariance, unit = self.reports(case, errors, here)

        def denoiser(noised: Tensor, sigma: float) -> Tensor:
            levels = noised.new_full((len(noised),), sigma)
            return self.network(noised, levels, condition.expand(len(noised), -1, -1, -1), here)

        levels, others = (self.settings.sigma_min, self.settings.sigma_max), None
        if self.indirect is not None and self.variables == DIRECT:
            others = indirect_reports(case, self.indirect, self.target_units, here, condition.device)
        reports = reports.to(condition.device)
        return Posterior(denoiser, reports, here, covariance, levels, self.settings.variables, others), unit


def build_diffusion(settings: Mapping[str, object], where: str) -> DiffusionMethod:
    """A diffusion assimilation with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(DiffusionMethod, DiffusionSettings, settings, where)
