"""Losses of a step over all ranks: weights first, sums then, one division; and what to say when it is no number."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.sample import Sample


class LossError(InputError):
    """A loss that cannot be trained on: not a number, or without weight."""


def times_of(samples: Sequence[Sample]) -> np.ndarray:
    """The times of all cases of ``samples``, datetime64[s], shape (n,)."""
    return np.concatenate([np.asarray(sample.time, "datetime64[s]").reshape(-1) for sample in samples])


def global_weight(weights: Sequence[float], samples: Sequence[Sample], everyone: Transport) -> float:
    """The weight of a whole step: all its samples on all ranks. Collective.

    Raises:
        LossError: nothing of the step has weight; names its times.
    """
    total = float(everyone.sum(torch.tensor([sum(weights)], dtype=torch.float64)))
    if not total > 0.0:
        raise LossError(
            f"expected samples with known target points, got a total weight of {total:g} in {_words(times_of(samples))}."
            " Leave these times out."
        )
    return total


def global_loss(sums: Sequence[Tensor], weight: float, samples: Sequence[Sample], step: int, everyone: Transport) -> float:
    """The mean loss of a step from this rank's sums, one a sample. Collective.

    Raises:
        LossError: it is no number, on every rank alike; names the samples' times.
    """
    own = torch.stack([each.detach().double().reshape(()) for each in sums]).cpu()
    loss = float(everyone.sum(own.sum().reshape(1))) / weight
    if np.isfinite(loss):
        return loss
    bad = np.concatenate([np.full(np.size(s.time), not bool(torch.isfinite(each))) for s, each in zip(samples, own)])
    seconds = times_of(samples).astype(np.int64)
    reports = everyone.collect(torch.tensor(np.stack([bad, seconds])))
    found = np.unique(np.concatenate([each[1][each[0] > 0].numpy() for each in reports])).astype("datetime64[s]")
    raise LossError(
        f"expected a finite loss, got {loss} at step {step} in the samples of {_words(found)}. Look for missing values"
        " there; if there are none, lower schedule.learning_rate or set engine.gradient_clipping."
    )


def _words(times: np.ndarray) -> str:
    shown = ", ".join(str(time) for time in times[:8])
    return shown + (f" and {len(times) - 8} more" if len(times) > 8 else "")
