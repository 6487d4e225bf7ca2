"""A world whose background's errors are not Gaussian, for `diffusion_worlds.py`: its cases, and its tuned rivals."""

from collections.abc import Callable

import numpy as np
from plane_rivals import Estimate, Problem, ThreeDVar, best_filters, crps, estimated, tuned

from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.simulation.gaussian_plane import VARIABLE
from mlrtma_dist.simulation.uncertain_plane import UncertainPlane

JUDGED, CHOSEN_ON = 1_000_000, 2_000_000  # numbers of the first cases; those of training count from 0
CASES, CHOICE = 16, 6
ESTIMATED_FROM = 200  # cases of training
MEMBERS = (20, 64)  # of LETKF
THINNED = 4  # LETKF is tuned at every fourth point of rows and columns
SAMPLERS = {
    "optimal interpolation about D(0), no step": Sampling(steps=0),
    "jfps, warm, DPM-Solver++ 4": Sampling(guidance="jfps", steps=4),
    "jfps, cold, DPM-Solver++ 16": Sampling(guidance="jfps", steps=16, warm_start=None),
    "mmps, warm, DPM-Solver++ 8": Sampling(guidance="mmps", steps=8, iterations=3),
    "mmps, cold, DPM-Solver++ 16": Sampling(guidance="mmps", steps=16, iterations=3, warm_start=None),
}
FILTER = {
    "reach": (3.0, 4.5, 6.0, 9.0, 12.0, 16.0, 24.0),
    "inflation": (0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 4.5),
    "error_factor": (0.7, 1.0, 1.5, 2.0, 3.0),
    "relaxation": (0.0, 0.2, 0.4),
}
THREEDVAR = {
    "guess": ("background", "mean of members"),
    "each_case": (False, True),
    "inflation": (0.12, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    "spread": (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6),
}


class PlaneSetting:
    """One of the worlds of `simulation.uncertain_plane`, as the configuration of its samples has it."""

    variables, bars, samplers, indirect = (VARIABLE,), ("3D-Var", f"LETKF of {MEMBERS[-1]}"), SAMPLERS, None

    thinned = 1

    def __init__(self, name: str):
        section = config.load_yaml(config.find("samples", name))["cases"]["uncertain_plane"]
        self.world = config.build(UncertainPlane, section, name)
        self.domain = load_domain(f"plane_{self.world.size}")
        self.checkpoint = f"output/{name}/diffusion/checkpoints/best"
        self._problems: dict[int, Problem] = {}

    def numbers(self, choose: int | None, cases: int | None) -> tuple[range, range]:
        """Of the cases that settings are chosen on, and of those that judge."""
        return range(CHOSEN_ON, CHOSEN_ON + (choose or CHOICE)), range(JUDGED, JUDGED + (cases or CASES))

    def case(self, number: int) -> Case:
        """A case as the diffusion assimilation has it."""
        return self.world.on(self.domain, number).case(0, Box.whole(self.world.shape))

    def problem(self, number: int) -> Problem:
        """A case as the classical methods have it, with members of its prior."""
        if number not in self._problems:
            self._problems[number] = self._draw(number)
        return self._problems[number]

    def truth(self, number: int) -> np.ndarray:
        """Shape (variable, y, x)."""
        return self.problem(number).truth

    def rivals(self, chosen: range) -> dict[str, tuple[Callable[[int], Estimate], int]]:
        """Name -> analysis of a case by a method whose settings are chosen on some, and its number of members."""
        problems = [self.problem(number) for number in chosen]
        statistics = estimated(self._draw(number) for number in range(ESTIMATED_FROM))
        methods = {"members of the prior": (lambda problem: Estimate.of(problem.members), MEMBERS[-1])}
        best = tuned(ThreeDVar(statistics), THREEDVAR, lambda tried: crps(tried.analyse, problems))
        print(f"3D-Var: {', '.join(f'{name} {getattr(best, name)}' for name in THREEDVAR)}")
        methods["3D-Var"] = best.analyse, 1
        methods |= best_filters(problems, FILTER, MEMBERS, THINNED)
        return {
            name: (lambda number, analyse=analyse: analyse(self.problem(number)), count)
            for name, (analyse, count) in methods.items()
        }

    def _draw(self, number: int) -> Problem:
        truth, background, reports = self.world.draw(number)
        prior = np.stack([self.world.member(number, 1 + member) for member in range(MEMBERS[-1])])[:, None]
        fields = (each[VARIABLE][None] for each in (truth, background))
        at = prior[:, 0, *reports.place.T]
        return Problem(self.domain, *fields, reports.place, reports.value, reports.error, prior, at)
