"""Two rivals of 4D-Var in the world of `fourdvar_shallow.py`, for `fourdvar_emulators.py`: the LETKF and a U-net.

**LETKF**: the members begin as draws of 3D-Var's posterior at the first time: its analysis, and about it the analyses,
by the linearised operators, of states of the climate and of the observations' errors. States of the climate themselves
are too far from the truth for a filter of so few members: the spread collapses. At the later times the filter of the
software (`methods.letkf`) analyses them, and the true model carries them on. Observations are repeated beyond the
sides, as the plane wraps, and the radius is at most half of it, so none counts twice.

**U-net**: the network of Exercise 2 (`nn.folded`) without a background; in units of the types' deviations it has five
channels of values and five of masks for each of the three times, and gives h, u, v at the end. It learns from the
trajectories that B is estimated from; each time that one is drawn it is shifted and observed anew, at other places.
"""

import time
from dataclasses import dataclass
from itertools import product

import fourdvar_shallow as plane
import numpy as np
import torch
from torch import Tensor, nn

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.fourdvar import Observations, Window, minimise
from mlrtma_dist.methods.letkf import LETKF
from mlrtma_dist.nn.folded import FoldedUNet, FoldedUNetConfig

SIZE, TYPES = plane.WORLD.size, 5
BATCH, RATE = 16, 2e-3


@dataclass(frozen=True)
class Choice:
    """What is chosen on other cases: factor on the members' variance, and radius of localisation in grid points."""

    inflation: float
    radius: float


CHOICES = tuple(Choice(*each) for each in product((1.0, 1.5), (12.0, 16.0)))


def _points(place: np.ndarray, column: np.ndarray) -> Points:
    """Places (n, 2) in grid points; the attribute ``land`` has the number of each one's column of members."""
    zero = np.zeros(len(place))
    position = np.column_stack([place, zero]).astype(np.float64)
    return Points(zero, zero, position, zero, column.astype(np.float64), zero)


def _wrapped(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and their images within half of the plane beyond its sides, and the number of each one's original."""
    shifts = [np.array(each) * SIZE for each in product((-1, 0, 1), repeat=2)]
    images, numbers = np.concatenate([place + shift for shift in shifts]), np.tile(np.arange(len(place)), 9)
    near = ((images >= -SIZE // 2) & (images < 3 * SIZE // 2)).all(1)
    return images[near], numbers[near]


GRID = _points(np.tile(np.stack(np.divmod(np.arange(SIZE**2), SIZE), 1), (3, 1)), np.arange(3 * SIZE**2))


def letkf(members: Tensor, reports: plane.Reports, choice: Choice) -> Tensor:
    """Analysed members of one case, shape (member, 3, y, x), of those before and the reports of one time."""
    mean = members.mean(0)
    deviations = (members - mean).flatten(1).numpy()
    at_reports = torch.stack([reports.at(0, reports.error).operator(member[None]) for member in members]).numpy()
    expected = at_reports.mean(0)
    place, number = _wrapped(reports.place.numpy())
    table = np.concatenate([deviations, at_reports - expected], 1)
    method = LETKF(lambda points: table[:, points.land.astype(int)], Localisation(choice.radius), choice.inflation)
    stations = _points(place, deviations.shape[1] + number)
    fit = method.fit(stations, (reports.value.numpy() - expected)[number], reports.error.numpy()[number])
    analysed = mean.flatten().numpy() + fit.increment(GRID) + fit.members(GRID)
    return torch.from_numpy(analysed).reshape(members.shape)


def first_members(climate: plane.Climate, reports: list[plane.Reports], seed: int = 5) -> Tensor:
    """Members of each case after the reports of the first time, shape (case, member, 3, y, x)."""
    random, deviations = torch.Generator().manual_seed(seed), climate.members[0]
    mean = climate.mean.expand(len(reports), *climate.mean.shape)
    first = Window(mean, climate.root, plane.forward, [plane.together(reports)])
    analyses = minimise(first, outer_loops=3, tolerance=1e-2, kept=True).states[0]
    members = []
    for analysis, each in zip(analyses, reports, strict=True):
        linear = [_linear(analysis, each, number, random) for number in range(len(deviations))]
        window = Window(deviations, climate.root, plane.forward, [plane.joined(linear)])
        members.append(analysis + minimise(window, outer_loops=1, tolerance=1e-2, kept=True).states[0])
    return torch.stack(members)


def _linear(analysis: Tensor, reports: plane.Reports, number: int, random: torch.Generator) -> Observations:
    """Errors of the reports as observations of a departure from the analysis, number ``number`` of a batch of them."""
    y, x = reports.place.T
    rows = plane.WORLD.indirect.tangent(plane.centred(analysis[None])[0][:, y, x].T.numpy(), reports.kind.numpy())
    noise = reports.error * torch.randn(reports.error.shape, generator=random, dtype=torch.float64)

    def operator(departures: Tensor) -> Tensor:
        own = plane.MODEL.to_centres(departures[number : number + 1], plane.HERE)[0]
        return (own[:, y, x] * torch.from_numpy(rows.T)).sum(0)

    return Observations(noise, reports.error, operator)


def filtered(members: Tensor, reports: list[list[plane.Reports]], choice: Choice) -> tuple[np.ndarray, float]:
    """Means of the analysed members at the end, shape (case, 3, y, x), and seconds; from `first_members`."""
    began = time.perf_counter()
    for each in reports[1:]:
        blocks = members.flatten(0, 1).split(32)
        members = torch.cat([plane.forward(block) for block in blocks]).reshape(members.shape)
        members = torch.stack([letkf(own, report, choice) for own, report in zip(members, each, strict=True)])
    return plane.centred(members.mean(1)).numpy(), time.perf_counter() - began


def network() -> FoldedUNet:
    """The U-net of reports of all times."""
    channels = 2 * TYPES * plane.TIMES
    return FoldedUNet(FoldedUNetConfig(channels, 3, fold=2, widths=(32, 48, 48), groups=8, adds=False))


@dataclass(frozen=True)
class Scales:
    """Deviations of the five types, of which the first three are those of h, u, v; their means are taken as 0."""

    deviation: Tensor

    def encode(self, values: Tensor, seen: Tensor) -> Tensor:
        """Channels of fields (case, time, 5, y, x) of values at points that are seen."""
        scaled = torch.where(seen, values, 0.0) / self.deviation[:, None, None]
        return torch.cat([scaled, seen.to(scaled)], 2).flatten(1, 2).float()

    def of_reports(self, reports: list[list[plane.Reports]]) -> Tensor:
        """Channels (case, channel, y, x) of reports."""
        values = torch.zeros(len(reports[0]), plane.TIMES, TYPES, SIZE, SIZE, dtype=torch.float64)
        seen = torch.zeros(values.shape, dtype=torch.bool)
        for k, each in enumerate(reports):
            for case, own in enumerate(each):
                index = (case, k, own.kind, own.place[:, 0], own.place[:, 1])
                values[index], seen[index] = own.value, True
        return self.encode(values, seen)


def observed(types: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Values with errors, and where they are seen, of fields (case, time, 5, y, x); numbers are the world's."""
    order = torch.rand(types.shape, generator=random).flatten(-2).argsort(-1).argsort(-1).reshape(types.shape)
    count, error = (
        torch.tensor(each)[:, None, None] for each in (plane.WORLD.observations, plane.WORLD.observation_error)
    )
    return types + error * torch.randn(types.shape, generator=random), order < count


def train_unet(states: Tensor, steps: int, seed: int = 0) -> tuple[FoldedUNet, Scales, float]:
    """The U-net and the seconds of its training, from trajectories (time, case, 3, y, x)."""
    began, random = time.perf_counter(), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    centres = plane.centred(states.flatten(0, 1)).numpy()
    types = torch.from_numpy(plane.WORLD.indirect.fields(centres)).float().unflatten(0, states.shape[:2]).movedim(0, 1)
    scales, unet = Scales(types.square().mean((0, 1, 3, 4)).sqrt()), network()
    optimiser = torch.optim.AdamW(unet.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.05)
    for _ in range(steps):
        shift = torch.randint(SIZE, (2,), generator=random).tolist()
        drawn = types[torch.randint(len(types), (BATCH,), generator=random)].roll(shift, (-2, -1))
        truth = drawn[:, -1, :3] / scales.deviation[:3, None, None]
        optimiser.zero_grad()
        loss = (unet(scales.encode(*observed(drawn, random)), plane.HERE) - truth).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return unet.eval(), scales, time.perf_counter() - began


def predicted(unet: FoldedUNet, scales: Scales, reports: list[list[plane.Reports]]) -> tuple[np.ndarray, float]:
    """h, u, v at the end, shape (case, 3, y, x), and seconds."""
    began = time.perf_counter()
    with torch.no_grad():
        answer = unet(scales.of_reports(reports), plane.HERE) * scales.deviation[:3, None, None]
    return answer.double().numpy(), time.perf_counter() - began
