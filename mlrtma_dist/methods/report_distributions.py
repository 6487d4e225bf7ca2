"""From what the network gives at points to the distribution of every variable, and its score.

A smooth variable is Gaussian: its mean is a sum of the attention heads' means of near departures, with weights that
the network gives, and of what it adds; its spread and its vertical gradient are the network's own. Of a variable with
limits the heads' means are frequencies of values below each limit; the network weighs them, with the frequency of the
hour beside them, and changes their logits.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.methods.predictands import PREDICTANDS, Channels, values
from mlrtma_dist.nn.crps import class_crps, gaussian_crps
from mlrtma_dist.nn.report_points import Stations
from mlrtma_dist.nn.report_transformer import Decoded

OF_SMOOTH = 3  # addition, logarithm of the spread, vertical gradient, before the weights of the heads
TRUSTED = "trust "  # before the variable's name in the label of the output that weighs another analysis
TRUST = 1.0  # logit of the weight of another analysis, before any training
SPREAD = 0.5  # of an untrained network, in scales
LOG_SPREADS = (-4.0, 2.0)  # between which it lies about that
SURE = 1e-3  # frequencies lie so far from 0 and 1 before their logits are changed
CLIMATE = 2.0  # reports that the frequency in any weather counts for beside those of the hour
HOUR = 0.05  # stations of weight 1 that the hour's frequency counts for beside near stations


@dataclass(frozen=True)
class Distributions:
    """At m points, in units of the scale.

    Attributes:
        mean, spread, gradient: of the smooth variables, the last per km, shape (b, m, smooth) each.
        below: variable with limits -> probability below each limit, shape (b, m, k).
    """

    mean: Tensor
    spread: Tensor
    gradient: Tensor
    below: dict[str, Tensor]


@dataclass(frozen=True)
class Heads:
    """How the network's outputs are read.

    Attributes:
        channels: of the reports; heads: of the attention; rounds: of attention among stations.
        beside: variables whose analysis by another method is given at the points; the smooth ones among them have a
            weight of it.
    """

    channels: Channels
    heads: int
    rounds: int
    beside: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Numbers that the network gives at a point."""
        smooth = len(self.channels.smooth) * self._of_smooth
        return smooth + sum(self._count(name) for name in self.channels.classes) + len(self._trusted)

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each of the outputs, in their order, the same whatever the other variables are."""
        smooth = [f"{name} {number}" for name in self.channels.smooth for number in range(self._of_smooth)]
        classes = [f"{name} {number}" for name in self.channels.classes for number in range(self._count(name))]
        return (*smooth, *classes, *(f"{TRUSTED}{name}" for name in self._trusted))

    @property
    def _trusted(self) -> tuple[str, ...]:
        """Smooth variables whose analysis by another method is given."""
        return tuple(name for name in self.channels.smooth if name in self.beside)

    @property
    def _of_smooth(self) -> int:
        """Outputs of a smooth variable: three, and weights of the heads for departures and what each round leaves."""
        return OF_SMOOTH + self.heads * (1 + self.rounds)

    @cached_property
    def steps(self) -> dict[str, Tensor]:
        """From each value of a variable with limits to the next, in units of its scale."""
        return {
            name: torch.from_numpy(np.diff(values(name)) / PREDICTANDS[name].scale).float()
            for name in self.channels.classes
        }

    def _count(self, name: str) -> int:
        """Outputs of a variable with limits: changes of the logits, slope, weights of the heads and of the hour."""
        return len(PREDICTANDS[name].limits) + 1 + self.heads + 1

    def read(self, decoded: Decoded, stations: Stations, features: Tensor) -> Distributions:
        """The distributions at the points of ``decoded``, whose features (b, m, f) end with what stands beside them."""
        smooth, heads, count = len(self.channels.smooth), self.heads, self.channels.count
        outputs = decoded.outputs.float()
        means, density = decoded.means.float(), decoded.density.float()
        own = outputs[..., : smooth * self._of_smooth].unflatten(-1, (smooth, self._of_smooth))
        left = [means[..., first : first + smooth] for first in (count + smooth * n for n in range(self.rounds))]
        near_means = torch.cat([means[..., :smooth], *left], 2)
        mean = own[..., 0] + ((own[..., OF_SMOOTH:] + 1.0 / heads) * near_means.mT).sum(-1)
        spread = SPREAD * own[..., 1].clamp(*LOG_SPREADS).exp()
        below, start, hour = {}, smooth * self._of_smooth, self._of_hour(stations)
        for name in self.channels.classes:
            limits, part = len(PREDICTANDS[name].limits), self.channels.slices[name]
            own_class = outputs[..., start : start + self._count(name)]
            share = torch.softmax(own_class[..., limits + 1 :], -1)
            near = (share[..., :heads, None] * (density * means)[..., part]).sum(2)
            total = (share[..., :heads, None] * density[..., part]).sum(2)
            beside = HOUR * share[..., heads, None]
            frequency = (near + beside * hour[:, None, part]) / (total + beside)
            logit = torch.logit(frequency.clamp(SURE, 1.0 - SURE))
            below[name] = torch.sigmoid(logit * (1.0 + own_class[..., limits, None]) + own_class[..., :limits])
            start += self._count(name)
        return Distributions(self._beside(mean, outputs[..., start:], features), spread, own[..., 2], below)

    def _beside(self, mean: Tensor, trust: Tensor, features: Tensor) -> Tensor:
        """The means of the smooth variables, drawn towards another method's where that is given.

        Args:
            trust: logits of its weights, shape (b, m, trusted).
        """
        if not self._trusted:
            return mean
        count, columns = len(self.beside), list(mean.unbind(-1))
        other, present = features[..., -3 * count : -2 * count].float(), features[..., -count:].float()
        for number, name in enumerate(self._trusted):
            at, of = self.channels.smooth.index(name), self.beside.index(name)
            weight = torch.sigmoid(trust[..., number] + TRUST) * present[..., of]
            columns[at] = columns[at] + weight * (other[..., of] - columns[at])
        return torch.stack(columns, -1)

    def _of_hour(self, stations: Stations) -> Tensor:
        """Frequency of values below each limit among all stations, shape (b, channels)."""
        climate = torch.from_numpy(self.channels.frequency).to(stations.values.device)
        total = (stations.values * stations.present).sum(1) + CLIMATE * climate
        return total / (stations.present.sum(1) + CLIMATE)

    def crps(self, at: Distributions, target: Tensor, rise: Tensor) -> Tensor:
        """CRPS of every variable at every point in units of its scale, shape (b, variable, m).

        Args:
            target: as of `report_sample.ReportSample`, without its last dimension; rise: km, shape (b, m).
        """
        scores = {}
        for column, name in enumerate(self.channels.smooth):
            mean = at.mean[..., column] + at.gradient[..., column] * rise
            scores[name] = gaussian_crps(mean, at.spread[..., column], target[:, self.channels.variables.index(name)])
        for name in self.channels.classes:
            index = target[:, self.channels.variables.index(name)]
            scores[name] = class_crps(at.below[name], index, self.steps[name].to(index.device))
        return torch.stack([scores[name] for name in self.channels.variables], 1)
