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
from torch import Tensor

from mlrtma_dist.diffusion.noise import normal, uniform
from mlrtma_dist.linalg.noise import WORD
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.field_method import FieldMethod, normalise
from mlrtma_dist.methods.ground_channels import ground_channels, sun_channel
from mlrtma_dist.methods.lam_network import lam_network, require_rim, rim_mask
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.learned import ContentsError, GridAnswer, build_method, first_weights
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood

State = Mapping[str, np.ndarray]  # variable -> field on the box, shape (y, x), SI
NOISE, MISSING = range(2)  # steps of the noise of training
Boundary = Callable[[np.datetime64], State | None]


def nothing_known(time: np.datetime64) -> None:
    """The boundary of a forecast of which nothing is known: the outer cells stay as they are."""


class LamMethod(FieldMethod):
    """The method (`methods.learned.LearnedMethod`); its analysis of a case is the forecast from the states before it.

    Attributes:
        network: called with the channels of `advance` and the neighbourhood, gives the change in units of sigma_d.
        statistics: the units of the network, `Statistics.change_deviation` among them; None before they are gathered.
        signed: channels of the input that change their sign with the fields.
    """

    settings: LamSettings
    reads_reports = False

    def __init__(self, settings: LamSettings, statistics: Statistics | None = None):
        self.settings, self.statistics = settings, statistics
        self.signed = 2 * settings.variables
        with first_weights(settings.seed):
            self.network = lam_network(settings)

    @property
    def step(self) -> np.timedelta64:
        """From one state to the next."""
        return np.timedelta64(60 * self.settings.step_minutes, "s")

    @property
    def lags(self) -> tuple[np.timedelta64, ...]:
        """The states that a case needs before its own, which is the last that is forecast."""
        return tuple(self.step * count for count in range(self.settings.steps + 1, 0, -1))

    @property
    def draws(self) -> bool:
        """Whether a case may be shown many times, each time with other noise, or with and without a boundary."""
        return self.settings.noise > 0.0 or self.settings.rim_missing > 0.0

    @property
    def without_boundary(self) -> str:
        """What becomes of the outer cells in a forecast without a boundary, in words."""
        settings = self.settings
        if settings.rim_missing or not settings.rim:
            return "the outer cells are forecast as the others are"
        return f"the outer {settings.rim} cells stay as they are at the start"

    @property
    def channels(self) -> tuple[int, int]:
        """Of inputs (two states, ground, forcing of each step) and of the target (a state of each step)."""
        settings = self.settings
        inputs = 2 * settings.variables + settings.fixed + settings.steps * settings.forcings
        return inputs, settings.steps * settings.variables

    @property
    def fields_read(self) -> int:
        """Fields that are read of a store for one case: all its states."""
        return self.settings.variables * (self.settings.steps + 2)

    def check(self, contents: Contents) -> None:
        """Raise ContentsError unless cases of these contents suit the network and its statistics."""
        if len(contents.variables) != self.settings.variables or not contents.truth:
            raise ContentsError(
                f"settings.variables: expected {len(contents.variables)}, as the cases of {contents.domain.name} hold"
                f" {', '.join(contents.variables)} ({'with' if contents.truth else 'without'} truth, which is needed),"
                f" got {self.settings.variables}"
            )
        if contents.domain.is_plane and self.settings.sun:
            raise ContentsError(f"settings.sun: expected false on the plane {contents.domain.name}, got true")
        if contents.domain.periodic and self.settings.rim:
            raise ContentsError(
                f"settings.rim: expected 0 on {contents.domain.name}, which wraps, got {self.settings.rim}"
            )
        if self.statistics is not None and self.variables != contents.variables:
            raise ContentsError(
                f"the network was trained on {', '.join(self.variables)}, the cases of {contents.domain.name} hold"
                f" {', '.join(contents.variables)}. Use a checkpoint that was trained on such cases."
            )

    def check_source(self, contents: Contents) -> None:
        """See `check`."""
        self.check(contents)

    def encode(self, case: Case, draw: int = 0) -> Sample:
        """Two states, the ground and the sun of every step as input, the states of the steps as target.

        Raises:
            ContentsError: the source has no state of a time before the case.
        """
        states = [self._normalised(self._before(case, lag)) for lag in self.lags]
        coming = self._normalised(case.truth) if case.truth is not None else np.full_like(states[0], np.nan)
        channels = [*states[:2], *self._ground(case)]
        for count in range(self.settings.steps, 0, -1):
            channels += self._forcing(case, case.time - count * self.step)
        inputs, target = (torch.from_numpy(np.concatenate(each)[None]) for each in (channels, [*states[2:], coming]))
        seconds = int(case.time.astype("datetime64[s]").astype(np.int64))
        key = torch.tensor([[seconds % WORD, draw % WORD]])
        outer = rim_mask(case.domain.shape, case.box, self.settings.rim) * self._bounded(key)
        mask = target.isfinite().all(1, keepdim=True).float() * (1.0 - outer)
        time = np.array([case.time], dtype="datetime64[s]")
        return Sample(inputs.nan_to_num(0.0), target.nan_to_num(0.0), mask, time, key=key)

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

    def _roll(self, sample: Sample, neighbourhood: Neighbourhood) -> Tensor:
        """The forecast of every step of a sample, one after the other, shape of the target."""
        settings = self.settings
        before, now, ground, forcing = sample.inputs.split(
            (settings.variables, settings.variables, settings.fixed, settings.steps * settings.forcings), 1
        )
        if settings.noise and self.network.training and sample.key is not None:
            drawn = normal(sample.key, neighbourhood.box, settings.variables, NOISE).to(now.dtype)
            now = now + settings.noise * self._change(now) * drawn
        states, bounded = [], None if sample.key is None else self._bounded(sample.key)
        for step in range(settings.steps):
            sun = forcing[:, step * settings.forcings : (step + 1) * settings.forcings]
            coming = sample.target[:, step * settings.variables : (step + 1) * settings.variables].to(now.dtype)
            before, now = now, self.advance(before, now, torch.cat([ground, sun], 1), coming, neighbourhood, bounded)
            states.append(now)
        return torch.cat(states, 1)

    def advance(
        self,
        before: Tensor,
        now: Tensor,
        fixed: Tensor,
        coming: Tensor | None,
        neighbourhood: Neighbourhood,
        bounded: Tensor | None = None,
    ) -> Tensor:
        """One step: the next state on this tile, normalised, shape (batch, variable, y, x).

        Args:
            before, now: two states, normalised, shape (batch, variable, y, x).
            fixed: channels of the ground and of the step's forcing, shape (batch, channel, y, x).
            coming: the next state, of which only the rim is looked at; None: there is no boundary.
            bounded: 1 where a field of the batch has a boundary, else 0, shape (batch, 1, 1, 1); None: all have one.
        """
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
        moved = now + change * self.network(torch.cat(channels, 1), neighbourhood).to(now.dtype)
        return torch.where(rim > 0, outer, moved) if self.settings.rim else moved

    @torch.no_grad()
    def forecast(
        self, case: Case, steps: int, boundary: Boundary = nothing_known, neighbourhood: Neighbourhood | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """The states that follow the truth of a case, one per step, on its box: variable -> (y, x), SI, float32.

        Args:
            case: whose ``truth`` is the state of its time, and which knows the one a step before.
            steps: how many.
            boundary: the state of a time on the box, of which the rim is used; None: there is none, and the rim is
                forecast, too, where the network has learnt to (``settings.rim_missing``), or stays.
            neighbourhood: of the box; None: the box is the domain.

        Raises:
            ContentsError: one of the two states is not there, or not everywhere; or a boundary does not cover the rim.
        """
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        device = next(self.network.parameters()).device
        if case.truth is None:
            raise ContentsError(f"method lam: the source has no state of {case.time}, with which a forecast begins")
        pair = [self._normalised(each) for each in (self._before(case, self.step), case.truth)]
        if not np.isfinite(pair).all():
            raise ContentsError(f"method lam: a state of {case.time} or a step before does not cover {case.box}")
        before, now = (torch.from_numpy(each[None]).to(device) for each in pair)
        ground = self._ground(case)
        for step in range(steps):
            time = case.time + step * self.step
            state, fixed = boundary(time + self.step), [*ground, *self._forcing(case, time)]
            channels = np.concatenate(fixed) if fixed else np.empty((0, *case.box.shape), np.float32)
            coming = None if state is None else torch.from_numpy(self._normalised(state)[None]).to(device)
            require_rim(coming, case, self.settings.rim, time + self.step)
            before, now = now, self.advance(before, now, torch.from_numpy(channels[None]).to(device), coming, here)
            yield self._in_units(now)

    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> GridAnswer:
        """The forecast of a case from the states before it; see `methods.method.Method.analyse`.

        The boundary is the case's truth.

        Raises:
            ContentsError: the source has no state of a time before the case, or the case has no truth.
        """
        if case.truth is None:
            raise ContentsError(f"method lam: the case of {case.time} has no truth, whose outer cells are the boundary")
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        sample = replace(self.encode(case), key=None).to(next(self.network.parameters()).device)
        last = self.predict(sample, here)[:, -self.settings.variables :]
        return GridAnswer.of(case, self._in_units(last), neighbourhood)

    def _bounded(self, key: Tensor) -> Tensor:
        """1 where the network is shown a boundary, else 0, by the keys of a sample, shape (batch, 1, 1, 1)."""
        return (uniform(key, MISSING) >= self.settings.rim_missing).float()[:, None, None, None]

    def _before(self, case: Case, lag: np.timedelta64) -> State:
        state = case.before(lag)
        if state is None:
            raise ContentsError(
                f"method lam: the source has no state of {case.time - lag}, which the forecast of {case.time} begins"
                " with: name a source of times that follow each other every settings.step_minutes"
            )
        return state

    def _normalised(self, state: State) -> np.ndarray:
        """A state in units of each field's deviation from its mean, shape (variable, y, x), float32."""
        fields = np.empty((len(self.variables), *next(iter(state.values())).shape), np.float32)
        for number, (name, mean, deviation) in enumerate(zip(self.variables, *self.target_units, strict=True)):
            normalise(state[name], mean, deviation, fields[number])
        return fields

    def _in_units(self, state: Tensor) -> dict[str, np.ndarray]:
        """The state of a batch of one by variable, SI, float32."""
        mean, deviation = (part[:, None, None] for part in self.target_units)
        fields = state.cpu().double().numpy()[0] * deviation + mean
        return dict(zip(self.variables, fields.astype(np.float32), strict=True))

    def _change(self, like: Tensor) -> Tensor:
        """sigma_d of each variable in units of its deviation, shape (1, variable, 1, 1)."""
        if self.statistics is None:  # work and memory are counted before there are cases
            return like.new_ones(1, self.settings.variables, 1, 1)
        return like.new_tensor(np.array(self.statistics.change_deviation) / self.target_units[1])[None, :, None, None]

    def _ground(self, case: Case) -> list[np.ndarray]:
        return [ground_channels(case)] if self.settings.ground else []

    def _forcing(self, case: Case, time: np.datetime64) -> list[np.ndarray]:
        """The sun at the beginning and at the end of the step that begins at a time, shape (2, y, x)."""
        ends = (time, time + self.step)
        return [np.stack([sun_channel(case, each) for each in ends])] if self.settings.sun else []


def build_lam(settings: Mapping[str, object], where: str) -> LamMethod:
    """A forecast emulator with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(LamMethod, LamSettings, settings, where)
