"""What a physics-informed network is a departure from: the base, the scale of the departure, and reports to be fitted.

The base is the analysis by optimal interpolation in time and the scale the error that it expects, or the first guess
and its deviation; then the network is fitted to the reports themselves.
"""

import numpy as np
import torch

from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.pinn_fit import Prior, Reported
from mlrtma_dist.methods.pinn_points import SECONDS, Collocation
from mlrtma_dist.methods.settings import VariableSettings
from mlrtma_dist.nn.space_time import Jet

HEIGHT = 500.0  # m over which what the network adds varies
HOURS = 1.5  # of the same in time
LENGTHS = 2.0  # of the same in place, in spacings of the stations


def lengths_of(spacing: float) -> tuple[float, float, float, float]:
    """Of the network's coordinates, m, m, m of height and s, where stations are ``spacing`` m from each other."""
    return LENGTHS * spacing, LENGTHS * spacing, HEIGHT, HOURS * SECONDS


def prior_of(base: ClassicalAnswer, names: tuple[str, ...], collocation: Collocation, of: str) -> Prior:
    """The base and its scale at the collocation points.

    Args:
        base: of the interpolation; names: of the network's variables.
        of: what the network is a departure from, as of `pinn_settings.PinnSettings`.
    """
    guess = base.case.first_guess
    jets, scales = [], []
    for name in names:
        if of == "analysis":
            jets.append(collocation.differences(lambda p, n=name: guess.mean(n, p) + base.fits[n].increment(p)))
            same = name == "v10" and "u10" in names  # one vector, one error
            scales.append(scales[-1] if same else collocation.error(base, name))
        else:
            jets.append(collocation.differences(lambda p, n=name: guess.mean(n, p)))
            scales.append(_constant(deviation_of(base.assumed[name]), len(collocation.points)))
    return Prior(names, _stacked(jets), _stacked(scales), lengths_of(collocation.spacing))


def reported_of(
    base: ClassicalAnswer, names: tuple[str, ...], collocation: Collocation, inside: np.ndarray
) -> Reported:
    """The used reports of a mask (n,), with the weights of the interpolation's quality control."""
    case, parts = base.case, []
    for number, name in enumerate(names):
        rows = np.flatnonzero(inside & case.used & (case.observations.variable == name))
        scale = deviation_of(base.assumed[name])
        error = base.observation_error[rows] / np.sqrt(base.weight[rows])
        x = collocation.frame.coordinates(case.points[rows])
        columns = (case.departure[rows] / scale, error / scale)
        parts.append((x, torch.full((len(rows),), number), *(torch.from_numpy(c.astype(np.float32)) for c in columns)))
    return Reported(*(torch.cat(column) for column in zip(*parts, strict=True)))


def deviation_of(assumed: VariableSettings) -> float:
    """Standard deviation of the first guess's error."""
    return Covariance(assumed.covariance).variance ** 0.5


def _constant(value: float, count: int) -> Jet:
    return Jet(torch.full((1, count), value), torch.zeros(4, 1, count), torch.zeros(2, 1, count))


def _stacked(jets: list[Jet]) -> Jet:
    return Jet(*(torch.stack([getattr(jet, part) for jet in jets], dim=-1) for part in ("value", "first", "second")))
