"""Ensemble forecasts of a limited area: each member's change of state in each step is drawn, not expected.

    X_m(t+1) = X_m(t) + sigma_d d_m,      d_m ~ p(d | X_m(t), X_m(t) - X_m(t-1), ground, F, B(t+1))

with the symbols of `methods.lam`, of which everything else is taken: states, boundary, tiles. The noise of d_m is a
function of (seed, member, valid time, channel, y, x). `methods.lam_diffusion` and `methods.lam_one_pass` draw it.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.ensemble_answer import Batch, EnsembleAnswer
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_drawing import Drawing
from mlrtma_dist.methods.lam_draws import Draw
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.neighbourhood import Neighbourhood


class LamMembers(LamMethod):
    """The parts of a forecast emulator that draws members; its answer to a case is an ensemble.

    Attributes:
        drawing: how members are drawn.
        without_effect: settings of it that the method does not use.
    """

    without_effect: tuple[str, ...] = ()
    draws = True  # a case may be shown many times, each time with other noise
    drawing = Drawing()

    @property
    def count(self) -> int:
        """Members of a forecast."""
        return self.drawing.members

    def sampled(self, sampling: Sampling) -> "LamMembers":
        """The method, which draws as many members, with the same seed, as a run's section ``diffusion:`` says."""
        members, at_once, seed = sampling.members, sampling.at_once, sampling.seed
        self.drawing = replace(self.drawing, members=members, at_once=at_once, seed=seed)
        return self

    def without_data(self, shape: tuple[int, int], batch: int) -> Sample:
        """See `methods.learned.LearnedMethod.without_data`."""
        plain, key = super().without_data(shape, batch), torch.empty(batch, 2, dtype=torch.int64, device="meta")
        return Sample(plain.inputs, plain.target, plain.mask, plain.time, key=key)

    def _next(
        self,
        before: Tensor,
        now: Tensor,
        context: tuple[Tensor, Tensor | None],
        neighbourhood: Neighbourhood,
        time: np.datetime64,
    ) -> Tensor:
        """See `LamMethod._next`; some members at once."""
        fixed, coming = context
        states = []
        for numbers in self.drawing.batches():
            rows, draw = slice(numbers.start, numbers.stop), Draw.of(self.drawing.seed, numbers, time).to(now.device)
            same = fixed.expand(len(numbers), -1, -1, -1)
            states.append(self.advance(before[rows], now[rows], same, coming, neighbourhood, draw=draw))
        return torch.cat(states)

    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> EnsembleAnswer:
        """Members of the forecast of a case from the states before it, with its truth as the boundary.

        Raises:
            ContentsError: the source has no state of a time before the case, or the case has no truth.
        """
        here, sample = self._with_boundary(case, neighbourhood)

        def batches() -> Iterator[Batch]:
            for numbers in self.drawing.batches():
                yield numbers, self._in_units(self._last(sample, numbers, case.time, here))

        errors = np.full(len(case.used), np.nan)
        return EnsembleAnswer.of(case, self.count, batches(), errors, neighbourhood)

    @torch.no_grad()
    def _last(self, sample: Sample, numbers: range, time: np.datetime64, neighbourhood: Neighbourhood) -> Tensor:
        """The state of the last step of some members, shape (member, variable, y, x)."""
        each = Sample(sample.inputs, sample.target, None, sample.time).each(
            lambda tensor: tensor.expand(len(numbers), -1, -1, -1)
        )

        def draws(step: int) -> Draw:
            valid = time - (self.settings.steps - 1 - step) * self.step
            return Draw.of(self.drawing.seed, numbers, valid).to(sample.inputs.device)

        return self._roll(each, neighbourhood, draws)[:, -self.settings.variables :]
