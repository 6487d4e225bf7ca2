"""Members of the posterior of departures, drawn by a denoiser on a tile: warm start, guidance, sampler.

    d_0 = members of optimal interpolation about D(0, sigma_max), the mean that the denoiser expects without reports
    start = d_0 + sigma_0 n,  or  sigma_max n where the start is cold
    sampler from there to sigma_min with the denoiser of the posterior, E[d | d_t, y]

All noise is a function of (seed, member, step, channel, y, x): members are the same on any ranks.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from mlrtma_dist.diffusion import samplers
from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.gain import Gain
from mlrtma_dist.diffusion.gaussian_sum import GaussianSum
from mlrtma_dist.diffusion.guidance_dps import dps
from mlrtma_dist.diffusion.guidance_pigdm import pigdm
from mlrtma_dist.diffusion.guidance_sda import sda
from mlrtma_dist.diffusion.jfps import jfps
from mlrtma_dist.diffusion.mmps import mmps
from mlrtma_dist.diffusion.noise import normal
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.deadline import FEWEST, within
from mlrtma_dist.methods.diffusion_reports import Departures
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.team import ALONE_IN_TEAM, Team
from mlrtma_dist.nn.neighbourhood import Neighbourhood

log = logging.getLogger(__name__)
START, PRIOR, REPORTS, FIRST_STEP = range(4)  # steps of the noise


@dataclass(frozen=True)
class Posterior:
    """The posterior of departures on a tile.

    Attributes:
        denoiser: of the prior.
        reports: of the whole domain.
        neighbourhood: of the tile.
        covariance: of what is not known where there are no reports; None: it is not known, and there is neither a warm
            start nor jfps.
        levels: least and largest noise level of the denoiser.
        channels: of the fields.
        others: observations of the tile beside the reports, of any operator, in units of the departures; they enter by
            mmps, pigdm, sda and dps, but neither the warm start nor jfps. None: there are none.
    """

    denoiser: Denoiser
    reports: Departures
    neighbourhood: Neighbourhood
    covariance: GaussianSum | None
    levels: tuple[float, float]
    channels: int
    others: Observed | None = None

    def members(self, sampling: Sampling) -> Tensor:
        """All members, as `drawn` gives them. Collective."""
        sampling = self.ready_in_time(sampling)
        batches = ALONE_IN_TEAM.batches(sampling.members, sampling.at_once)
        return torch.cat([self.drawn(sampling, numbers) for numbers in batches])

    def drawn(self, sampling: Sampling, numbers: range) -> Tensor:
        """Members of these numbers, float32, shape (member, channel, y, x), units of the departures' deviation.

        Collective among the tiles, unless there is no number.
        """
        if not len(numbers):
            return torch.empty(0, self.channels, *self.neighbourhood.box.shape)
        return self._draw(sampling, self._observed, self._gain_for(sampling), self._keys(sampling, numbers))

    def _keys(self, sampling: Sampling, numbers: range) -> Tensor:
        """Of the noise of members: seed and number, shape (member, 2)."""
        return torch.tensor([[sampling.seed, number] for number in numbers], device=self.device)

    @cached_property
    def _observed(self) -> Observed:
        """What this tile observes at its reports."""
        return self.reports.observed(self.neighbourhood)

    @property
    def device(self) -> torch.device:
        """Where the fields are."""
        return self.reports.value.device

    def _draw(self, sampling: Sampling, observed: Observed, gain: Gain | None, keys: Tensor) -> Tensor:
        """The members of these keys."""
        noise = partial(self._noise, keys)
        start, sigma = self.levels[1] * noise(START), self.levels[1]
        if sampling.warm_start is not None or not sampling.steps:
            start = self.interpolated(gain, observed, keys)
            if not sampling.steps:
                return start
            start, sigma = start + sampling.warm_start * noise(START), sampling.warm_start
        sigmas = karras_sigmas(sigma, self.levels[0], sampling.steps)
        posterior = self._guided(sampling, observed, gain)
        return samplers.sample(sampling.sampler, posterior, start, sigmas, lambda step: noise(FIRST_STEP + step))

    def ready_in_time(self, sampling: Sampling, team: Team = ALONE_IN_TEAM) -> Sampling:
        """What can be drawn within the seconds, by the measured cost of optimal interpolation and of an evaluation.

        The sampling itself where it has no limit. Collective among the tiles and the team, which draws the members.
        """
        if sampling.seconds is None:
            return sampling
        observed, gain = self._observed, self._gain_for(sampling)
        share = replace(sampling, members=max(FEWEST, -(-sampling.members // team.count)))
        count = min(sampling.at_once, share.members)
        keys = self._keys(sampling, range(count))
        began = time.perf_counter()
        start = self.interpolated(gain, observed, keys)
        without = time.perf_counter() - began
        began = time.perf_counter()
        if sampling.steps:
            self._guided(sampling, observed, gain)(start, sampling.warm_start or self.levels[1])
        costs = torch.tensor([without, time.perf_counter() - began], dtype=torch.float64, device=self.device)
        costs = self.neighbourhood.largest(costs).tolist()
        without, evaluation = (team.largest(each) for each in costs)  # the same choice on every rank
        ready = within(share, without, evaluation)
        chosen = replace(ready, members=min(sampling.members, ready.members * team.count))
        if chosen != sampling:
            log.warning(
                "diffusion: %d members of %d steps instead of %d of %d: an evaluation of %d members takes %.2f s,"
                " all may take %g s",
                *(chosen.members, chosen.steps, sampling.members, sampling.steps, count, evaluation, sampling.seconds),
            )
        return chosen

    @torch.no_grad()
    def interpolated(self, gain: Gain, observed: Observed, keys: Tensor) -> Tensor:
        """Members of optimal interpolation about the mean that the denoiser expects without reports."""
        return gain.posterior(self.expected(), observed, keys, self.report_noise(gain, keys), PRIOR)

    def report_noise(self, gain: Gain, keys: Tensor) -> Tensor:
        """Normal noise of this tile's reports, shape (key, m)."""
        return normal(keys, Box(0, 1, 0, len(self.reports.rows)), 1, REPORTS)[:, 0, 0, gain.own]

    @torch.no_grad()
    def expected(self) -> Tensor:
        """The mean that the denoiser expects without reports, shape (1, channel, y, x). Collective."""
        nothing = torch.zeros(1, self.channels, *self.neighbourhood.box.shape, device=self.device)
        return self.denoiser(nothing, self.levels[1])

    def _guided(self, sampling: Sampling, observed: Observed, gain: Gain | None) -> Denoiser:
        """The denoiser of the posterior."""
        if self.others is not None:
            if sampling.guidance == "jfps":
                raise InputError(
                    "diffusion: guidance jfps takes reports at points alone, but there are observations of another"
                    " operator. Set diffusion.guidance to mmps or sda."
                )
            observed = observed.with_others(self.others)
        guided: dict[str, Callable[[], Denoiser]] = {
            "mmps": lambda: mmps(self.denoiser, observed, iterations=sampling.iterations),
            "jfps": lambda: jfps(self.denoiser, observed, gain),
            "pigdm": lambda: pigdm(self.denoiser, observed),
            "sda": lambda: sda(self.denoiser, observed),
            "dps": lambda: dps(self.denoiser, observed),
        }
        return guided[sampling.guidance]()

    def _gain_for(self, sampling: Sampling) -> Gain | None:
        """Optimal interpolation of the reports; None where it is neither needed nor possible.

        Raises:
            InputError: it is needed and no covariance is known.
        """
        if self.covariance is not None:
            return self.gain
        if sampling.needs_covariance:
            raise InputError(
                "diffusion: a warm start, jfps, a limit of seconds and members without a step need a covariance of"
                " the departures, which this network's settings.scales do not give. Set diffusion.warm_start=null"
                " with steps of mmps, or train with settings.scales."
            )
        return None

    @cached_property
    def gain(self) -> Gain:
        """Optimal interpolation of the reports by the covariance."""
        reports, here = self.reports, self.neighbourhood
        variance = reports.error.square()
        return Gain(self.covariance, reports.places, reports.channel, variance, reports.own(here), here.box, here.total)

    def _noise(self, keys: Tensor, step: int) -> Tensor:
        return normal(keys, self.neighbourhood.box, self.channels, step).float()
