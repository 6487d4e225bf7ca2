"""Forecast emulator of a limited area (ML-LAM): a network that carries two past states to the next one, step by step.

    X(t+1) = X(t) + sigma_d f(X(t), (X(t) - X(t-1)) / sigma_d, ground, F(t), F(t+1), B(t+1))     in the interior
    X(t+1) = B(t+1)                                                                          in the outer cells

sigma_d is the deviation of each variable's change in one step, F the sun, and B the boundary: the coming state in the
outer cells, of which the network is shown (B(t+1) - X(t)) / sigma_d. f minimises the square of the error over sigma_d,
summed over interior points, variables and the steps of a forecast that is fed with its own states (Oskarsson, Landelius
and Lindsten 2023, arXiv 2309.17370, sections 3 and 4). In training B is the truth, and a share of the cases may be
shown without it; then the outer cells are forecast as the others are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from mlrtma_dist.diffusion.noise import normal
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.lam_draws import Draw
from mlrtma_dist.methods.lam_network import lam_network, require_rim, rim_mask
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.lam_states import NOISE, State, StatesMethod
from mlrtma_dist.methods.learned import ContentsError, GridAnswer, build_method, first_weights
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood

Boundary = Callable[[np.datetime64], State | None]


def nothing_known(time: np.datetime64) -> None:
    """The boundary of a forecast of which nothing is known: the outer cells stay as they are."""


class LamMethod(StatesMethod):
    """The method (`methods.learned.LearnedMethod`); its analysis of a case is the forecast from the states before it.

    Attributes:
        network: called with the channels of `advance` and the neighbourhood, gives the change in units of sigma_d.
        statistics: the units of the network, `Statistics.change_deviation` among them; None before they are gathered.
        signed: channels of the input that change their sign with the fields.
    """

    name = "lam"
    count = 1  # members of a forecast

    def __init__(self, settings: LamSettings, statistics: Statistics | None = None):
        self.settings, self.statistics = settings, statistics
        self.signed = 2 * settings.variables
        with first_weights(settings.seed):
            self.network = self.untrained()

    def untrained(self) -> nn.Module:
        """The network with its first weights."""
        return lam_network(self.settings, self.settings.channels_in)

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's interior points of the squared error over sigma_d, a scalar, and its `weight`."""
        forecast = self._roll(sample, neighbourhood).to(sample.target.dtype)
        change = self._change(sample.target).repeat(1, self.settings.steps, 1, 1)
        squares = ((forecast - sample.target) / change).square()
        if sample.mask is not None:
            squares = squares * sample.mask
        return squares.sum(), self.weight(sample)

    @torch.no_grad()
    def predict(self, sample: Sample, neighbourhood: Neighbourhood) -> Tensor:
        """The forecast states on this tile, shape of the target, in its units; the boundary is the target's."""
        return self._roll(sample, neighbourhood).to(sample.target.dtype)

    def _roll(self, sample: Sample, neighbourhood: Neighbourhood, draws: Callable[[int], Draw] | None = None) -> Tensor:
        """The forecast of every step of a sample, one after the other, shape of the target.

        Args:
            draws: the noise of each step, where the method draws members.
        """
        settings = self.settings
        before, now, ground, forcing = self._parts(sample, neighbourhood)
        states, bounded = [], None if sample.key is None else self._bounded(sample.key)
        for step in range(settings.steps):
            sun = forcing[:, step * settings.forcings : (step + 1) * settings.forcings]
            coming = sample.target[:, step * settings.variables : (step + 1) * settings.variables].to(now.dtype)
            draw, fixed = draws(step) if draws else None, torch.cat([ground, sun], 1)
            before, now = now, self.advance(before, now, fixed, coming, neighbourhood, bounded, draw)
            states.append(now)
        return torch.cat(states, 1)

    def _parts(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, ...]:
        """Both states, of which the last one is perturbed in training, the ground, and the forcing of all steps."""
        settings = self.settings
        before, now, ground, forcing = sample.inputs.split(
            (settings.variables, settings.variables, settings.fixed, settings.steps * settings.forcings), 1
        )
        if settings.noise and self.network.training and sample.key is not None:
            drawn = normal(sample.key, neighbourhood.box, settings.variables, NOISE).to(now.dtype)
            now = now + settings.noise * self._change(now) * drawn
        return before, now, ground, forcing

    def advance(
        self,
        before: Tensor,
        now: Tensor,
        fixed: Tensor,
        coming: Tensor | None,
        neighbourhood: Neighbourhood,
        bounded: Tensor | None = None,
        draw: Draw | None = None,
    ) -> Tensor:
        """One step: the next state on this tile, normalised, shape (batch, variable, y, x).

        Args:
            before, now: two states, normalised, shape (batch, variable, y, x).
            fixed: channels of the ground and of the step's forcing, shape (batch, channel, y, x).
            coming: the next state, of which only the rim is looked at; None: there is no boundary.
            bounded: 1 where a field of the batch has a boundary, else 0, shape (batch, 1, 1, 1); None: all have one.
            draw: the noise of the step, where the method draws members.
        """
        channels, outer, rim = self._shown(before, now, fixed, coming, neighbourhood, bounded)
        moved = now + self._change(now) * self.change(channels, neighbourhood, draw).to(now.dtype)
        return torch.where(rim > 0, outer, moved) if self.settings.rim else moved

    def change(self, channels: Tensor, neighbourhood: Neighbourhood, draw: Draw | None) -> Tensor:
        """The change of one step in units of sigma_d, shape (batch, variable, y, x), of the network's channels."""
        return self.network(channels, neighbourhood)

    def _shown(
        self,
        before: Tensor,
        now: Tensor,
        fixed: Tensor,
        coming: Tensor | None,
        neighbourhood: Neighbourhood,
        bounded: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The channels of the network, the coming state in the rim, and the rim (1 where there is a boundary)."""
        change = self._change(now)
        channels = [now, (now - before) / change, fixed]
        rim = rim_mask(neighbourhood.domain, neighbourhood.box, self.settings.rim).to(now)
        if bounded is not None:
            rim = rim * bounded.to(now)
        if coming is None and self.settings.rim_missing:  # the network has learnt to go without
            rim = torch.zeros_like(rim)
        outer = now if coming is None else torch.where(rim > 0, coming, now)  # inside it may be NaN
        if self.settings.rim:
            channels += [(outer - now) / change * rim, rim.expand(len(now), -1, -1, -1)]
        return torch.cat(channels, 1), outer, rim

    def forecast(
        self, case: Case, steps: int, boundary: Boundary = nothing_known, neighbourhood: Neighbourhood | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """The states that follow the truth of a case, one per step, on its box: variable -> (y, x), SI, float32.

        Of a method that draws members they are the members' means. Arguments and errors are those of `members`.
        """
        for states in self.members(case, steps, boundary, neighbourhood):
            yield {name: each.mean(0) for name, each in states.items()}

    @torch.no_grad()
    def members(
        self, case: Case, steps: int, boundary: Boundary = nothing_known, neighbourhood: Neighbourhood | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """The states that follow the truth of a case, one per step, on its box: variable -> (member, y, x), float32.

        Args:
            case: whose ``truth`` is the state of its time, and which knows the one a step before.
            steps: how many.
            boundary: the state of a time on the box, of which the rim is used; None: there is none, and the rim is
                forecast, too, where the network has learnt to (``settings.rim_missing``), or stays.
            neighbourhood: of the box; None: the box is the domain.

        Returns:
            In SI units; a method that draws no members gives one.

        Raises:
            ContentsError: one of the two states is not there, or not everywhere; or a boundary does not cover the rim.
        """
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        device = next(self.network.parameters()).device
        if case.truth is None:
            raise ContentsError(
                f"method {self.name}: the source has no state of {case.time}, with which a forecast begins"
            )
        pair = [self._normalised(each) for each in (self._before(case, self.step), case.truth)]
        if not np.isfinite(pair).all():
            raise ContentsError(
                f"method {self.name}: a state of {case.time} or a step before does not cover {case.box}"
            )
        before, now = (torch.from_numpy(each[None]).to(device).repeat(self.count, 1, 1, 1) for each in pair)
        for step in range(steps):
            time = case.time + step * self.step
            state, channels = boundary(time + self.step), self.fixed_channels(case, time)
            coming = None if state is None else torch.from_numpy(self._normalised(state)[None]).to(device)
            require_rim(coming, case, self.settings.rim, time + self.step, self.name)
            context = torch.from_numpy(channels[None]).to(device), coming
            before, now = now, self._next(before, now, context, here, time + self.step)
            yield self._in_units(now)

    def _next(
        self,
        before: Tensor,
        now: Tensor,
        context: tuple[Tensor, Tensor | None],
        neighbourhood: Neighbourhood,
        time: np.datetime64,
    ) -> Tensor:
        """The states of a time that follow two states of each member, by `advance`; ``context``: fixed, coming."""
        return self.advance(before, now, *context, neighbourhood)

    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> GridAnswer:
        """The forecast of a case from the states before it; see `methods.method.Method.analyse`.

        The boundary is the case's truth.

        Raises:
            ContentsError: the source has no state of a time before the case, or the case has no truth.
        """
        here, sample = self._with_boundary(case, neighbourhood)
        last = self.predict(sample, here)[:, -self.settings.variables :]
        return GridAnswer.of(case, {name: each[0] for name, each in self._in_units(last).items()}, neighbourhood)

    def _with_boundary(self, case: Case, neighbourhood: Neighbourhood | None) -> tuple[Neighbourhood, Sample]:
        """Where a case is analysed, and its sample without keys of training, on the network's device.

        Raises:
            ContentsError: the case has no truth.
        """
        if case.truth is None:
            raise ContentsError(
                f"method {self.name}: the case of {case.time} has no truth, whose outer cells are the boundary"
            )
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        return here, replace(self.encode(case), key=None).to(next(self.network.parameters()).device)


def build_lam(settings: Mapping[str, object], where: str) -> LamMethod:
    """A forecast emulator with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(LamMethod, LamSettings, settings, where)
