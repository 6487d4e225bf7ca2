"""Cases as channels of a forecast emulator: states before and after, ground, sun, and the keys of its noise."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.noise import uniform
from mlrtma_dist.linalg.noise import WORD
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.field_method import FieldMethod, normalise
from mlrtma_dist.methods.ground_channels import ground_channels, sun_channel
from mlrtma_dist.methods.lam_network import rim_mask
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.sample import Sample

State = Mapping[str, np.ndarray]  # variable -> field on the box, shape (y, x), SI
NOISE, MISSING = range(2)  # steps of the noise of training


class StatesMethod(FieldMethod):
    """The parts of a `methods.learned.LearnedMethod` that carries states of cases ahead.

    Attributes:
        name: of the registry, for messages.
    """

    name: str
    settings: LamSettings
    reads_reports = False

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
                f" got {self.settings.variables}: train with that setting, or name a checkpoint of such cases"
            )
        if contents.boxes:
            raise ContentsError(
                f"cases.boxes: expected null for method {self.name}, as the box of each time lies in another place,"
                f" got boxes of {contents.domain.shape} points ({contents.domain.name}): make a store without boxes"
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

    def _bounded(self, key: Tensor) -> Tensor:
        """1 where the network is shown a boundary, else 0, by the keys of a sample, shape (batch, 1, 1, 1)."""
        return (uniform(key, MISSING) >= self.settings.rim_missing).float()[:, None, None, None]

    def _before(self, case: Case, lag: np.timedelta64) -> State:
        state = case.before(lag)
        if state is None:
            raise ContentsError(
                f"method {self.name}: the source has no state of {case.time - lag}, which the forecast of"
                f" {case.time} begins with: name files of states, or a store, of times that follow each other every"
                " settings.step_minutes; a simulated world has them in a store alone (mlrtma samples)"
            )
        return state

    def _normalised(self, state: State) -> np.ndarray:
        """A state in units of each field's deviation from its mean, shape (variable, y, x), float32."""
        fields = np.empty((len(self.variables), *next(iter(state.values())).shape), np.float32)
        for number, (name, mean, deviation) in enumerate(zip(self.variables, *self.target_units, strict=True)):
            normalise(state[name], mean, deviation, fields[number])
        return fields

    def _in_units(self, states: Tensor) -> dict[str, np.ndarray]:
        """The states (batch, variable, y, x) by variable, SI, float32 (batch, y, x)."""
        mean, deviation = (part[:, None, None] for part in self.target_units)
        fields = states.cpu().double().numpy() * deviation + mean
        return dict(zip(self.variables, fields.astype(np.float32).swapaxes(0, 1), strict=True))

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

    def fixed_channels(self, case: Case, time: np.datetime64) -> np.ndarray:
        """Ground and sun of the step that begins at a time, on the box of a case, shape (channel, y, x), float32."""
        fixed = [*self._ground(case), *self._forcing(case, time)]
        return np.concatenate(fixed) if fixed else np.empty((0, *case.box.shape), np.float32)
