"""The diffusion assimilation on the line of `transect.py`: covariance, denoiser, and members of the posterior.

    x = x_b + f s d        x_b, s: mean and deviation of an hour's members; d of unit variance; f: fitted to the hour

The denoiser has learnt d from members: each in turn is the truth, mean and deviation of the others are x_b and s, which
are conditions with the height and the relief. Reports are adjusted to the line's height.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transect import Hour

from mlrtma_dist.diffusion.noise import normal
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.localisation import gaspari_cohn
from mlrtma_dist.methods.diffusion import DiffusionMethod
from mlrtma_dist.methods.diffusion_reports import Departures, robust_deviations, tempered
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import DiffusionSettings
from mlrtma_dist.methods.posterior import Posterior
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.neighbourhood import Alone

REACH = 250  # points, 500 km, from which on departures are taken as independent
SETTINGS = DiffusionSettings(variables=1, ground=True, fold=1, widths=(32, 32, 32, 32), levels=2, sigma_max=80.0)
FIELD = 283.0, 5.0  # K, of which and by which a background becomes a number of size one
HEIGHT = 500.0  # m, likewise
SMOOTH = 10  # points on both sides over which a deviation of few members is averaged
RATE, WEIGHT_DECAY, AVERAGE = 1e-3, 1e-2, 0.99


@dataclass(frozen=True)
class LineCovariance:
    """A covariance of departures on the line, with the questions that `diffusion.gaussian_sum.GaussianSum` answers.

    Attributes:
        variance: eigenvalues, shape (501,); vectors: in columns, float64.
        power: of the one channel.
    """

    variance: Tensor
    vectors: Tensor
    power = np.ones(1)

    @classmethod
    def of(cls, departures: np.ndarray) -> "LineCovariance":
        """The one that depends on the distance alone, tapered, of departures, shape (case, 501)."""
        count = departures.shape[1]
        products = [np.mean(departures[:, lag:] * departures[:, : count - lag]) for lag in range(count)]
        distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
        matrix = np.array(products)[distance] * gaspari_cohn(distance / REACH)
        values, vectors = torch.linalg.eigh(torch.from_numpy(matrix))
        return cls(values.clamp(min=1e-8), vectors)

    def below_noise(self, sigma: float) -> "LineCovariance":
        """(B^-1 + sigma^-2)^-1; an infinite sigma gives the covariance itself."""
        if not np.isfinite(sigma):
            return self
        return replace(self, variance=self.variance * sigma**2 / (self.variance + sigma**2))

    def between(self, places: Tensor, channel: Tensor) -> Tensor:
        """Covariances of points, shape (n, n)."""
        rows = self.vectors[places[:, 1].long()]
        return (rows * self.variance) @ rows.T

    def field(self, places: Tensor, channel: Tensor, weights: Tensor, box: Box) -> Tensor:
        """Sum of covariances with points times weights (member, n), shape (member, 1, 1, 501)."""
        rows = self.vectors[places[:, 1].long()]
        return ((weights.double() @ rows * self.variance) @ self.vectors.T)[:, None, None]

    def draw(self, keys: Tensor, box: Box, step: int) -> Tensor:
        """Random fields, shape (key, 1, 1, 501)."""
        white = normal(keys, box, 1, step)[:, 0, 0]
        return (white * self.variance.sqrt() @ self.vectors.T)[:, None, None]


@dataclass(frozen=True)
class Line:
    """The assimilation with a trained denoiser.

    Attributes:
        method: whose network is the denoiser; covariance: of the departures that it was trained on.
        error: standard deviation of the error of a report, K.
    """

    method: DiffusionMethod
    covariance: LineCovariance
    error: float

    @classmethod
    def trained(cls, hours: list[Hour], steps: int, error: float, batch: int = 8, seed: int = 0) -> "Line":
        """The assimilation after so many steps of training on all members of some hours."""
        cases = [departure(hour, own) for hour in hours for own in range(len(hour.members))]
        method = DiffusionMethod(SETTINGS)
        optimizer = torch.optim.AdamW(method.network.parameters(), RATE, (0.9, 0.99), weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
        average = torch.optim.swa_utils.AveragedModel(
            method.network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE)
        )
        here, generator = Alone((1, len(cases[0][0]))), np.random.default_rng(seed)
        for step in range(steps):
            rows = generator.integers(0, len(cases), batch)
            target, inputs = (
                torch.from_numpy(np.stack([cases[row][part] for row in rows]).astype(np.float32)) for part in (0, 1)
            )
            key = torch.tensor([[seed, step * batch + number] for number in range(batch)])
            sample = Sample(inputs[:, :, None], target[:, None, None], None, np.zeros(batch), key=key)
            loss, weight = method.loss(sample, here)
            optimizer.zero_grad()
            (loss / weight).backward()
            torch.nn.utils.clip_grad_norm_(method.network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(method.network)
            if step % 100 == 99:
                print(f"step {step + 1} of {steps}: loss {float(loss.detach()) / weight:.3f}", flush=True)
        method.network = average.module
        return cls(method, LineCovariance.of(np.stack([target for target, _ in cases])), error)

    def members(self, hour: Hour, kept: np.ndarray, sampling: Sampling) -> np.ndarray:
        """Members of the analysis at all stations by some of the reports, K, shape (member, n).

        Args:
            kept: mask of the reports that are used, shape (n,).
        """
        at_stations, size = hour.at_stations().mean(0), deviation(hour.members)[hour.slot]
        posterior, factor = self.posterior(hour, kept, (hour.observation - at_stations) / size, self.error / size)
        drawn = posterior.members(sampling)[:, 0, 0].numpy().astype(np.float64)
        return at_stations + factor * size * drawn[:, hour.slot]

    def posterior(self, hour: Hour, kept: np.ndarray, value: np.ndarray, error: np.ndarray) -> tuple[Posterior, float]:
        """The posterior of d given reports of f d with their errors, shape (n,) both, and f."""
        rows = np.flatnonzero(kept)
        places = torch.from_numpy(np.stack([np.zeros(len(rows)), hour.slot[rows]], 1).astype(np.float64))
        tensors = (torch.from_numpy(each[rows]) for each in (value, error))
        reports = Departures(rows, places, torch.zeros(len(rows), dtype=torch.int64), *tensors)
        factor = robust_deviations(self.covariance, reports)
        reports = tempered(self.covariance, reports.scaled(factor))
        condition = torch.from_numpy(conditions(hour, hour.members).astype(np.float32))[None, :, None]
        here = Alone((1, condition.shape[3]))

        def denoiser(noised: Tensor, sigma: float) -> Tensor:
            levels = noised.new_full((len(noised),), sigma)
            return self.method.network(noised, levels, condition.expand(len(noised), -1, -1, -1), here)

        levels = SETTINGS.sigma_min, SETTINGS.sigma_max
        return Posterior(denoiser, reports, here, self.covariance, levels, 1), float(factor[0])


def departure(hour: Hour, own: int) -> tuple[np.ndarray, np.ndarray]:
    """Departure of a member from the mean of the others in units of their deviation, (501,), and the conditions."""
    others = np.delete(hour.members, own, axis=0)
    return (hour.members[own] - others.mean(0)) / deviation(others), conditions(hour, others)


def deviation(members: np.ndarray) -> np.ndarray:
    """Of one more member from the mean of members (member, 501), K, averaged over near points, shape (501,)."""
    kernel = np.ones(2 * SMOOTH + 1)
    sums = np.convolve(members.var(0, ddof=1), kernel, "same")
    return np.sqrt((1.0 + 1.0 / len(members)) * sums / np.convolve(np.ones(members.shape[1]), kernel, "same"))


def conditions(hour: Hour, members: np.ndarray) -> np.ndarray:
    """Mean and logarithm of the deviation of members, height and relief, numbers of size one, shape (4, 501)."""
    middle, size = FIELD
    spread = np.log(deviation(members))
    return np.stack(
        [(members.mean(0) - middle) / size, spread, hour.grid.elevation / HEIGHT, hour.grid.relief / HEIGHT]
    )
