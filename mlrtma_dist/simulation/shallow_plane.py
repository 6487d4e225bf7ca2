"""Exercise 2: shallow water on a periodic plane, without a background, observed in five ways at random points.

A truth begins as a random wind without divergence and the depth in balance with it (`physics.balance`) and moves for
some hours (`physics.shallow_water`). Strength and scale of the wind differ from case to case, as weather does. What is
to be analysed are the height h of the surface above its mean and the winds u, v at the centres of cells; what is
observed are these and the two indirect types of `observations.indirect`.

Every case is a function of the seed and its number, never of the ranks, nor of the cases that are integrated with it.
With ``states`` above 1 the cases are consecutive states of runs, as a forecast is learnt from: number n is state
n % states of run n // states, and the times that name the states of a run follow each other; two runs are never as
close in time as the first and the last state of one. On a domain that does not wrap the cases are the south-west
corner of the plane, so that its sides have a coming state of a larger world.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.plane import require_plane
from mlrtma_dist.linalg.noise import distinct_points, normal
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.observations.indirect import TYPES, VARIABLES, IndirectTypes
from mlrtma_dist.simulation.source import EPOCH, Drawn, PlaneCases, PlaneReports, hours_from_epoch

STREAM, KIND_OF_WEATHER, PLACES, ERRORS = 0, 1, 2, 2 + len(TYPES)  # channels of the noise; a type has its own of each
DAY = 86400  # s


@dataclass(frozen=True)
class ShallowPlane:
    """The world of Exercise 2.

    Attributes:
        size: number of points on a side.
        spacing: of the points, m.
        depth: mean depth of the water, m.
        coriolis: Coriolis parameter f, s-1.
        speed: least and greatest root mean square wind of a case, m s-1.
        length: least and greatest length L of a case in grid points: the stream function's spectrum is
            exp(-k^2 L^2 / 8).
        step: of the integration in time, s.
        steps: number of steps of the integration before the first state of a run.
        states: number of consecutive states of a run, of which each is a case; 1: every case is a run of its own.
        every: number of steps from one state of a run to the next.
        indirect: the types o1, o2.
        observations: numbers of distinct grid points where each of the types h, u, v, o1, o2 is observed.
        observation_error: standard deviation of the error of each type, m or m s-1.
        seed: of everything random.
    """

    size: int = 64
    spacing: float = 20e3
    depth: float = 300.0
    coriolis: float = 1e-4
    speed: tuple[float, ...] = (3.0, 13.0)
    length: tuple[float, ...] = (8.0, 20.0)
    step: float = 150.0
    steps: int = 60
    states: int = 1
    every: int = 4
    indirect: IndirectTypes = IndirectTypes()
    observations: tuple[int, ...] = (40, 40, 40, 160, 160)
    observation_error: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    seed: int = 1

    def __post_init__(self):
        for name in ("speed", "length"):
            pair = getattr(self, name)
            if len(pair) != 2 or not 0.0 < pair[0] <= pair[1]:
                raise ValueError(f"{name}: expected the least and the greatest, above 0, got {pair}")
        for name, least in (("observations", 1), ("observation_error", 0.0)):
            each = getattr(self, name)
            if len(each) != len(TYPES) or min(each) < least or not min(each) > 0.0:
                raise ValueError(f"{name}: expected one above 0 for each of {', '.join(TYPES)}, got {each}")
        if not (self.step > 0.0 and self.steps >= 0):
            raise ValueError(f"step, steps: expected seconds above 0 and steps from 0, got {self.step:g}, {self.steps}")
        if self.states < 1 or self.every < 1:
            raise ValueError(f"states, every: expected whole numbers from 1, got {self.states}, {self.every}")
        if self.states == 1 and self.every != type(self).every:
            raise ValueError(
                f"every: expected none where states is 1, as there is no next state then, got {self.every}: leave it"
                " out, or set states above 1"
            )
        if self.states > 1 and (self.every * self.step) % 1.0:
            raise ValueError(
                f"every: expected whole seconds from one state to the next, got {self.every} steps of {self.step:g} s"
            )
        if max(self.observations) > self.size**2:
            raise ValueError(f"observations: expected at most {self.size**2} distinct points, got {self.observations}")

    @property
    def shape(self) -> tuple[int, int]:
        """Points in y and x."""
        return self.size, self.size

    def on(self, domain: Domain, first: int = 0, count: int = 1) -> PlaneCases:
        """The cases of the world on its plane or on a part of it, ``count`` from number ``first`` on.

        Raises:
            ConfigError: the domain is no periodic plane of the world's size, nor a smaller one that does not wrap.
        """
        require_plane(domain, self.shape, "domain", "the world of the cases", parts=True)
        contents = Contents(domain, VARIABLES, ("m", "m s-1", "m s-1"), TYPES, background=False, truth=True)
        return PlaneCases(contents, self, self.draw, first, count, self.times)

    def times(self, numbers: np.ndarray) -> np.ndarray:
        """The times that name the cases of these numbers, datetime64[s], shape (n,); a run begins at midnight."""
        if self.states == 1:
            return hours_from_epoch(numbers)
        seconds = round(self.every * self.step)
        days = -(-2 * (self.states - 1) * seconds // DAY)  # between the beginnings of two runs
        run, state = np.divmod(numbers, self.states)
        return EPOCH + (run * days * DAY + state * seconds).astype("timedelta64[s]")

    def draw(self, number: int) -> Drawn:
        """A whole case: truth of h, u and v, shape (y, x), no background, and the reports of all types."""
        truth = self.truth(number)
        return dict(zip(VARIABLES, truth, strict=True)), {}, self.observe(number, truth)

    def truth(self, number: int) -> np.ndarray:
        """h, u, v of a case, shape (3, y, x), m and m s-1.

        Raises:
            InputError: the winds have no balance (`physics.balance.balanced`), or the step is not stable.
        """
        from mlrtma_dist.simulation.shallow_truths import TOGETHER, block_of  # here: torch takes seconds to import

        run, state = divmod(number, self.states)
        block, place = divmod(run, TOGETHER)
        return block_of(self, block)[place, state]

    def observe(self, number: int, truth: np.ndarray) -> PlaneReports:
        """The reports of a case whose truth is known, type by type."""
        everything, parts = self.indirect.fields(truth), []
        for kind, (count, error) in enumerate(zip(self.observations, self.observation_error, strict=True)):
            place = distinct_points(self.seed, self.shape, count, member=number, channel=PLACES + kind)
            noise = normal(self.seed, *place.T, member=number, channel=ERRORS + kind)
            value = everything[kind][tuple(place.T)] + error * noise
            parts.append((place, np.full(count, kind), value, np.full(count, error)))
        return PlaneReports(*(np.concatenate(column) for column in zip(*parts, strict=True)))
