"""What a forecast is made of, checked before anything is computed: the network, the starts, the boundary."""

from typing import TYPE_CHECKING

import numpy as np

from mlrtma_dist import clock, config
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.methods.lam_drawing import Drawing
from mlrtma_dist.samples.states import StateCases
from mlrtma_dist.samples.successive import successive

if TYPE_CHECKING:  # it imports torch
    from mlrtma_dist.methods.lam import LamMethod


def forecaster_of(trained, hours: float, drawing: Drawing | None, ensemble: EnsembleSection) -> "tuple[LamMethod, int]":
    """The trained network, which draws its members in this way from now on, and its steps in so many hours.

    Raises:
        InputError: the network does not forecast, or draws no members where they are wanted.
        ConfigError: the hours are no multiple of its step.
    """
    from mlrtma_dist.methods.lam import LamMethod  # here: it needs torch
    from mlrtma_dist.methods.lam_members import LamMembers

    method = trained.method
    if not isinstance(method, LamMethod):
        raise InputError(
            "checkpoint: expected one of method lam, lam_diffusion or lam_one_pass, which forecast, got one of"
            f" {trained.name}"
        )
    if isinstance(method, LamMembers):
        method.drawing = drawing or method.drawing
        for setting in method.without_effect:
            if getattr(method.drawing, setting) != getattr(Drawing(), setting):
                raise InputError(
                    f"drawing.{setting}: without effect, as the network of method {trained.name} draws a step of a"
                    " member by one evaluation: leave it out"
                )
    elif drawing is not None or not ensemble.is_empty:
        setting = "ensemble" if drawing is None else "drawing (--members)"
        raise InputError(
            f"{setting}: the checkpoint is of method {trained.name}, which draws no members: name one of lam_diffusion"
            " or lam_one_pass"
        )
    steps, step = hours * 60 / method.settings.step_minutes, method.settings.step_minutes
    if steps != round(steps):
        raise config.ConfigError(f"hours: expected a multiple of the network's step of {step} min, got {hours:g}")
    return method, round(steps)


def starts_of(cases: Cases, start: tuple[str, ...], step: np.timedelta64, first: bool) -> list[int]:
    """Numbers of the cases that forecasts begin with: those of times, or the last one, with a state a step before them.

    Args:
        start: times; step: from one state to the next; first: whether this rank logs what is left out.

    Raises:
        InputError: a time is not one of the cases', or none has a state before it.
    """
    starts = clock.parse_times(start) if start else cases.time[-1:]
    missing = [str(each) for each in starts if each not in cases.time]
    if missing:
        raise InputError(f"start: expected times of the cases, {cases.time[0]} to {cases.time[-1]}, got {missing[0]}")
    numbers = np.array([np.flatnonzero(cases.time == each)[-1] for each in starts])
    return successive(cases.time, (step,), "start", numbers, first).tolist()


def check_boundary(coming: StateCases, times: np.ndarray) -> None:
    """Raise InputError unless the boundary has a state of every time."""
    missing = times[~np.isin(times, coming.time)]
    if missing.size:
        raise InputError(f"boundary: expected states of every step, found none of {missing[0]}: add to --boundary-time")
