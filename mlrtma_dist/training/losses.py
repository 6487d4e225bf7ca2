"""Losses of a step over all ranks: one sum of single numbers, one division; and what to say when it is no number."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.parallel.transport import Transport


class LossError(InputError):
    """A loss that cannot be trained on: not a number, or without weight."""


def global_sums(values: Sequence[Tensor | float], device: torch.device, everyone: Transport) -> list[float]:
    """The sums of single numbers over all ranks, all by one message, on the ranks' own device. Collective."""
    own = [torch.as_tensor(value, dtype=torch.float64, device=device).detach().reshape(()) for value in values]
    return everyone.sum(torch.stack(own)).tolist()


def checked_weight(weight: float, times: Sequence[np.ndarray]) -> float:
    """The weight of a whole step, which must be more than nothing.

    Args:
        weight: of all its samples on all ranks; times: of this rank's cases, datetime64[s], one array per sample.

    Raises:
        LossError: nothing of the step has weight; names this rank's times.
    """
    if not weight > 0.0:
        raise LossError(
            f"expected samples with known target points, got a total weight of {weight:g} in"
            f" {_words(np.concatenate(times))}. Leave these times out."
        )
    return weight


def checked_loss(loss: float, where: str, blame: Callable[[], np.ndarray], everyone: Transport) -> float:
    """The mean loss over all ranks, which must be a number. Collective where it is none.

    Args:
        where: for the message: "step 12".
        blame: asked only where the loss is no number: `suspects` of all this rank's samples, joined, as many on all.

    Raises:
        LossError: it is no number, on every rank alike; names the times of the cases to blame.
    """
    if np.isfinite(loss):
        return loss
    flags, seconds = torch.cat(everyone.collect(torch.from_numpy(blame())), 1).numpy()
    times = np.unique(seconds[flags == max(flags.max(), 1)]).astype("datetime64[s]")
    raise LossError(
        f"expected a finite loss, got {loss} at {where}, in the samples of {_words(times)}. Look for missing values"
        " there; if there are none, lower schedule.learning_rate or set engine.gradient_clipping."
    )


def suspects(sample: Sample, total: Tensor) -> np.ndarray:
    """How likely each case of a sample made the loss no number, and its time, integers of shape (2, batch).

    2: its own inputs or known targets are none on this tile; 1: the sum is none, perhaps by a neighbour's points; 0: it
    is not to blame. Times are seconds since 1970.
    """
    target = sample.target if sample.mask is None else torch.where(sample.mask > 0, sample.target, 0.0)
    spoilt = ~torch.stack([part.isfinite().flatten(1).all(1) for part in (sample.inputs, target)]).all(0)
    flags = np.maximum(2 * spoilt.cpu().numpy(), int(not bool(torch.isfinite(total))))
    return np.stack([flags.astype(np.int64), np.asarray(sample.time, "datetime64[s]").astype(np.int64)])


def _words(times: np.ndarray) -> str:
    text = ", ".join(str(time) for time in times[:8])
    return text + (f" and {len(times) - 8} more" if len(times) > 8 else "")
