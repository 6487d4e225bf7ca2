"""Simulated weather on the toy domain, for `diffusion_worlds.py`: its cases, and OI, 3D-Var and LETKF.

OI and 3D-Var are the shipped ones, which fit what they assume of the background's and of the reports' errors to the
reports of each hour. LETKF has other forecasts of the hour, whose model errors are independent of the background's;
their deviations from their mean are taken about the background, so that they tell no more of the truth than it does.
Everything is scored at every eighth grid point of rows and columns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from plane_rivals import Estimate, tuned

from mlrtma_dist import config
from mlrtma_dist.fields.ensemble import Ensemble
from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.state import State
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalMethod
from mlrtma_dist.methods.departure_kind import DepartureKind
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.letkf import LETKF_KIND
from mlrtma_dist.methods.oi import OI
from mlrtma_dist.methods.settings import Classical, load_settings
from mlrtma_dist.methods.threedvar import THREEDVAR
from mlrtma_dist.simulation.ground import Ground
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather

WORLD, THINNED = "weather", 8
CASES, CHOICE, CHOSEN_FROM = 12, 3, 500  # hours of the world of configs/verification/weather.yaml, far from each other
MEMBERS = 20
FILTER = {
    "inflation": (1.0, 2.0, 4.0, 8.0),
    "radius": (75e3, 150e3, 300e3),
    "error_factor": (0.7, 1.0, 1.5, 2.5),
    "relaxation": (0.0, 0.3, 0.6),
}
SPREADS = {"spread": (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)}
SAMPLERS = {
    "optimal interpolation about D(0), no step": Sampling(steps=0),
    "jfps, warm, DPM-Solver++ 4": Sampling(guidance="jfps", steps=4),
    "mmps, warm, DPM-Solver++ 4": Sampling(guidance="mmps", steps=4, iterations=3),
}


@dataclass(frozen=True)
class AtPoints:
    """OI or 3D-Var at some points of a case's grid, with its expected error.

    Attributes:
        kind: of the method; settings: of the classical methods.
        spread: factor on the expected error.
        kept: analyses and errors of cases by their identity, which do not depend on the factor.
    """

    kind: DepartureKind
    settings: Classical
    spread: float = 1.0
    kept: dict = field(default_factory=dict)

    def analyse(self, case: Case) -> Estimate:
        """The analysis and its expected error, shape (variable, y, x)."""
        if id(case) not in self.kept:
            answer = ClassicalMethod(self.kind, self.settings, HourSettings(self.settings)).analyse(case)
            pairs = [answer.at(name, points_of(case)) for name in case.variables]
            shape = (len(pairs), *truth_of(case).shape[1:])
            self.kept[id(case)] = tuple(np.stack(part).reshape(shape) for part in zip(*pairs, strict=True))
        mean, error = self.kept[id(case)]
        return Estimate(mean, self.spread * error)


@dataclass(frozen=True)
class Filter:
    """LETKF of the shipped code with these settings, at some points of a case's grid."""

    settings: Classical
    radius: float = 150e3
    inflation: float = 1.0
    error_factor: float = 1.0
    relaxation: float = 0.0

    def analyse(self, case: Case) -> Estimate:
        """Members of the analysis, shape (member, variable, y, x)."""
        own = self.settings.ensemble
        letkf = replace(
            own.letkf,
            localisation=Localisation(self.radius),
            weight=self.inflation,
            error_factor=self.error_factor,
        )
        settings = replace(self.settings, ensemble=replace(own, letkf=letkf, relaxation=self.relaxation))
        answer = ClassicalMethod(LETKF_KIND, settings, HourSettings(settings)).analyse(case)
        points = points_of(case)
        members = [answer.at(name, points)[0] + answer.fits[name].members(points) for name in case.variables]
        shape = truth_of(case).shape
        return Estimate.of(np.stack(members, 1).reshape(-1, *shape))


def points_of(case: Case):
    """The points that are scored."""
    return case.grid_points(*(np.arange(0, size, THINNED) for size in case.domain.shape))


def truth_of(case: Case) -> np.ndarray:
    """The truth there, shape (variable, y, x), float64."""
    return np.stack([case.truth[name][::THINNED, ::THINNED] for name in case.variables]).astype(np.float64)


def crps(analyse: Callable[[Case], Estimate], cases: list[Case]) -> float:
    """Mean CRPS, each variable over its deviation."""
    truths = [truth_of(case) for case in cases]
    scale = np.std(truths, axis=(0, 2, 3))
    return float(np.mean([analyse(case).scores(truth)[0] / scale for case, truth in zip(cases, truths, strict=True)]))


class WeatherSetting:
    """Temperature, dew point and wind, with terrain, moving fronts and stations that err in several ways."""

    bars, samplers, indirect = ("3D-Var", f"LETKF of {MEMBERS}"), SAMPLERS, None
    checkpoint, thinned = "output/weather_toy/diffusion/checkpoints/best", THINNED

    def __init__(self):
        section = config.load_yaml(config.find("verification", WORLD))["cases"]
        self.world = config.build(SimulatedWeather, section["simulated_weather"], WORLD)
        self.source = self.world.on(load_domain(section["domain"]), 0, 2 * CHOSEN_FROM)
        self.variables = self.world.variables
        self._cases: dict[int, Case] = {}

    def numbers(self, choose: int | None, cases: int | None) -> tuple[range, range]:
        """Of the cases that settings are chosen on, and of those that judge."""
        return range(CHOSEN_FROM, CHOSEN_FROM + (choose or CHOICE)), range(cases or CASES)

    def case(self, number: int) -> Case:
        """A case, with the members that LETKF takes."""
        if number not in self._cases:
            case = self.source.case(number, Box.whole(self.source.static.domain.shape))
            self._cases[number] = replace(case, members=Ensemble(tuple(self._members(case)), "other forecasts"))
        return self._cases[number]

    def _members(self, case: Case):
        ground = Ground.of(case.static, case.box)
        for member in range(MEMBERS):
            errors = 100_000 + member
            fields = self.world.model.fields(self.world.weather, self.world.seed, ground, case.time, errors)
            own = {name: fields[name].astype(np.float32) for name in self.variables}
            yield GriddedFirstGuess(State(case.domain, case.time, own, case.static.terrain, "forecast"), "forecast")

    def truth(self, number: int) -> np.ndarray:
        """Shape (variable, y, x)."""
        return truth_of(self.case(number))

    def rivals(self, chosen: range) -> dict[str, tuple[Callable[[int], Estimate], int]]:
        """As of `world_plane.PlaneSetting.rivals`."""
        cases = [self.case(number) for number in chosen]
        settings = load_settings("classical", self.variables)
        methods: dict[str, tuple] = {}
        for name, kind in (("OI", OI), ("3D-Var", THREEDVAR)):
            best = tuned(AtPoints(kind, settings), SPREADS, lambda tried: crps(tried.analyse, cases))
            print(f"{name}: spread {best.spread}", flush=True)
            methods[name] = (lambda number, best=best: best.analyse(self.case(number))), 1
        best = tuned(Filter(settings), FILTER, lambda tried: crps(tried.analyse, cases))
        print(f"LETKF of {MEMBERS}: {', '.join(f'{name} {getattr(best, name)}' for name in FILTER)}", flush=True)
        methods[f"LETKF of {MEMBERS}"] = (lambda number, best=best: best.analyse(self.case(number))), MEMBERS
        return methods
