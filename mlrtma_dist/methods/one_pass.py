"""One pass: members of the posterior by one evaluation of a network that is trained by their CRPS, the cheapest ones.

    d_0 = d' + K (y + e' - H d')     d' ~ N(0, B),  e' ~ N(0, R): a member of optimal interpolation, the injected noise
    d = d_0 + F(d_0, K y, K 1, x_b)  K y: the increment of optimal interpolation;  K 1: that of reports that are all one

K 1 is near 1 where reports determine the departure and 0 far away: it says what is left unknown, at the cost of one
increment on any grid, where the exact error of interpolation takes one per point. F is the network of the diffusion
assimilation without noise levels, a U-net or a transformer. It learns what interpolation about the background does not
have: the mean given the background, other scales, the ground, and how the reports' weight changes with them. Without
training the members are those of optimal interpolation.

Training shows each case with reports of its truth (`methods.truth_reports`) and minimises the fair CRPS of two members
(Ferro 2014) at points and of averages over squares: without these, members of the right spread at every point may lack
the right spread of any average (Lang et al. 2024, AIFS-CRPS; Larsson et al. 2025, CRPS-LAM).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.gain import Gain
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.departure_network import departure_network
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import OnePassSettings
from mlrtma_dist.methods.ensemble_method import EnsembleMethod
from mlrtma_dist.methods.learned import build_method, first_weights
from mlrtma_dist.methods.pair_scores import PAIR, PairScored, pair_scores
from mlrtma_dist.methods.posterior import PRIOR, Posterior
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.team import ALONE_IN_TEAM, Team
from mlrtma_dist.methods.truth_reports import reports_of_truth
from mlrtma_dist.nn.corrector import Corrector
from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class OnePass(Posterior):
    """Members by one evaluation each; ``denoiser`` is given d_0, K y and K 1 as channels, and no noise level."""

    def ready_in_time(self, sampling: Sampling, team: Team = ALONE_IN_TEAM) -> Sampling:
        """See `Posterior.ready_in_time`; guidance, sampler and steps do not matter."""
        return super().ready_in_time(replace(sampling, steps=0), team)

    @torch.no_grad()
    def interpolated(self, gain: Gain, observed: Observed, keys: Tensor) -> Tensor:
        """Members of optimal interpolation about the background, corrected."""
        draws = gain.covariance.draw(keys, self.neighbourhood.box, PRIOR).float()
        return self.denoiser(interpolation(gain, observed, draws, self.report_noise(gain, keys)), 0.0)


def interpolation(gain: Gain, observed: Observed, draws: Tensor, noise: Tensor) -> Tensor:
    """d_0 of each member, K y and K 1 as channels, shape (member, 3 channel, y, x). Collective.

    Args:
        draws: d', shape (member, channel, y, x); noise: of e', normal, shape (member, m) for this tile's m reports.
    """
    perturbed = observed.value + noise.to(draws.dtype) * observed.variance.sqrt() - observed.operator(draws)
    rows = torch.cat([perturbed, observed.value[None], torch.ones_like(observed.value)[None]])
    increments = gain.increment(math.inf, rows)
    same = [each.expand_as(draws) for each in (increments[-2:-1], increments[-1:])]
    return torch.cat([draws + increments[:-2], *same], 1)


class OnePassMethod(PairScored, EnsembleMethod):
    """The method (`methods.learned.LearnedMethod`)."""

    name = "one_pass"
    settings: OnePassSettings

    def __init__(self, settings: OnePassSettings, statistics: Statistics | None = None):
        self.settings, self.statistics = settings, statistics
        self.signed = settings.backgrounds
        with first_weights(settings.seed):
            self.network = Corrector(departure_network(settings, 3 * settings.variables + settings.conditions, 0))

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's points of the CRPS at points and of averages, and its `weight`; never a mean."""
        target, mask = sample.target, sample.mask
        if mask is not None:  # what is unknown may be NaN, whose gradient would be NaN even with weight 0
            target = torch.where(mask > 0, target, 0.0)
        seen = self._seen(replace(sample, target=target), neighbourhood)
        condition = sample.inputs.repeat_interleave(PAIR, 0)
        members = self._corrected(seen, condition, neighbourhood).unflatten(0, (-1, PAIR))
        return pair_scores(members, target, mask, self.settings.smoothed, neighbourhood), self.weight(sample)

    def _corrected(self, seen: Tensor, condition: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """Members of d_0, K y and K 1, which are channels of ``seen``, and of the condition."""
        member, interpolated = seen[:, : self.settings.variables], seen[:, self.settings.variables :]
        return self.network(member, torch.cat([interpolated, condition.to(seen.dtype)], 1), neighbourhood)

    def _seen(self, sample: Sample, here: Neighbourhood) -> Tensor:
        """`interpolation` of two members of every case, one after the other, by reports of its truth."""
        target = sample.target
        if target.device.type == "meta":  # work and memory are counted without data, and so without reports
            return target.new_empty(PAIR * len(target), 3 * target.shape[1], *target.shape[2:])
        covariance = self.covariance(here)
        draws = [covariance.draw(sample.key, here.box, PRIOR + number) for number in range(PAIR)]
        parts = []
        for number, pair in enumerate(torch.stack(draws, 1).to(target.dtype)):
            mask = None if sample.mask is None else sample.mask[number : number + 1]
            key, truth = sample.key[number].tolist(), target[number : number + 1]
            reports, noise = reports_of_truth(truth, mask, key, self.settings, here)
            variance, own = reports.error.square(), reports.own(here)
            gain = Gain(covariance, reports.places, reports.channel, variance, own, here.box, here.total)
            parts.append(interpolation(gain, reports.observed(here), pair, noise[:, own]))
        return torch.cat(parts)

    def posterior(
        self, case: Case, errors: np.ndarray, neighbourhood: Neighbourhood | None = None
    ) -> tuple[Posterior, np.ndarray]:
        """The one-pass ensemble; see `methods.ensemble_method.EnsembleMethod.posterior`."""
        condition, here = self.conditioned(case, neighbourhood)
        reports, covariance, unit = self.reports(case, errors, here)

        def corrected(seen: Tensor, _: float) -> Tensor:
            return self._corrected(seen, condition.expand(len(seen), -1, -1, -1), here)

        reports = reports.to(condition.device)
        return OnePass(corrected, reports, here, covariance, (0.0, 0.0), self.settings.variables), unit


def build_one_pass(settings: Mapping[str, object], where: str) -> OnePassMethod:
    """A one-pass ensemble with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(OnePassMethod, OnePassSettings, settings, where)
