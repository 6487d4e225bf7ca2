"""Exercise 2's world in small, for `diffusion_worlds.py`: its cases, and optimal interpolation, 3D-Var and LETKF.

There is no background: members of the prior are other cases, of training. Optimal interpolation and 3D-Var with outer
loops are those of Exercise 2; their expected error is that of the linear problem, at the analysis.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from plane_rivals import Estimate, Problem, best_filters, crps, tuned
from scipy.linalg import cho_factor, cho_solve

from mlrtma_dist import clock, config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.methods.best_linear import BestLinear
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.estimated import TrainingCases, Variational, truth_of
from mlrtma_dist.methods.outer_loops import OuterLoops
from mlrtma_dist.methods.plane import columns_of
from mlrtma_dist.observations.indirect import TYPES, VARIABLES
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.shallow_plane import ShallowPlane

WORLD, TRAINED_BEFORE = "exercise2_small", "2000-03-05T00:00"
JUDGED, CHOSEN_ON = 1_000_000, 2_000_000
CASES, CHOICE = 8, 4
MEMBERS = (20, 64)
THINNED, TUNED = 4, 8  # everything is scored at every fourth, LETKF is tuned at every eighth point of rows and columns
SCORED = ..., slice(None, None, THINNED), slice(None, None, THINNED)
FILTER = {
    "reach": (8.0, 12.0, 16.0, 24.0, 32.0),
    "error_factor": (1.0, 2.0, 4.0, 8.0),
    "inflation": (0.7, 1.0, 1.5),
    "relaxation": (0.0, 0.3),
}
FACTORS = {
    "indirect": (0.25, 1.0, 4.0, 16.0, 64.0),
    "direct": (0.5, 1.0, 2.0, 4.0),
    "spread": (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5),
}
SAMPLERS = {
    "optimal interpolation of h, u, v, no step": Sampling(steps=0, guidance="mmps"),
    "mmps, warm, DPM-Solver++ 4": Sampling(guidance="mmps", steps=4, iterations=3),
    "mmps, cold, DPM-Solver++ 16": Sampling(guidance="mmps", steps=16, iterations=3, warm_start=None),
}


@dataclass(frozen=True)
class Gaussian:
    """Optimal interpolation or 3D-Var with the expected error of its linear problem.

    Attributes:
        linear: optimal interpolation; loops: 3D-Var, which begins there; None: optimal interpolation is the analysis.
        direct, indirect: factors on R of h, u, v and of the indirect types; spread: on the expected error.
        kept: analyses and their expected errors, which do not depend on the last factor.
    """

    linear: BestLinear
    loops: OuterLoops | None = None
    direct: float = 1.0
    indirect: float = 1.0
    spread: float = 1.0
    kept: dict = field(default_factory=dict)

    def analyse(self, problem: "Observed") -> Estimate:
        """The analysis and its expected error."""
        key = id(problem), self.direct, self.indirect
        if key not in self.kept:
            inflation = np.where(np.arange(len(TYPES)) < len(VARIABLES), self.direct, self.indirect)
            method = replace(self.linear, inflation=inflation)
            if self.loops is not None:
                method = Variational(replace(self.loops, inflation=inflation), self.linear)
            self.kept[key] = analysed(method, problem)
        mean, deviation = self.kept[key]
        return Estimate(mean, self.spread * deviation)


@dataclass(frozen=True)
class Observed(Problem):
    """A case with the numbers of its reports' types, shape (n,)."""

    kinds: np.ndarray


def analysed(method, problem: Observed) -> tuple[np.ndarray, np.ndarray]:
    """Analysis and expected error at the points that are scored, shape (variable, y, x) each."""
    observed = problem.places, problem.kinds, problem.value, problem.error
    variance = method.inflation[problem.kinds] * problem.error**2
    if isinstance(method, BestLinear):
        weights = np.eye(len(TYPES))[problem.kinds]
        return method.analyse(*observed)[SCORED], expected_error(method.covariance, problem.places, weights, variance)
    result = method.loops.minimise(*observed, first=method.start.analyse(*observed))
    weights = method.loops.operator.tangent(result.state, problem.kinds)
    return result.field[SCORED], expected_error(method.loops.covariance, problem.places, weights, variance)


def expected_error(covariance: CrossCovariance, places: np.ndarray, rows: np.ndarray, variance: np.ndarray):
    """Deviation of h, u and v, shape (variable, y, x), where sums of fields at points are observed.

    Args:
        places: shape (n, 2); rows: weights of the covariance's fields in each observation, shape (n, field).
        variance: of the errors, shape (n,).
    """
    fields = np.arange(len(covariance.mean))
    pairs = np.repeat(places, len(fields), 0), np.tile(fields, len(places))
    between = covariance.between(*pairs, *pairs).reshape(len(places), len(fields), len(places), len(fields))
    solver = cho_factor(np.einsum("ia,iajb,jb->ij", rows, between, rows, optimize=True) + np.diag(variance), lower=True)
    targets = np.zeros(covariance.shape, bool)
    targets[SCORED] = True
    shape, targets = targets[SCORED].shape, np.argwhere(targets)
    result = []
    for variable in range(len(VARIABLES)):
        across = covariance.between(targets, np.full(len(targets), variable), *pairs)
        across = np.einsum("pjb,jb->pj", across.reshape(len(targets), *rows.shape), rows)
        left = covariance.rows[variable, variable, 0, 0] - (across * cho_solve(solver, across.T).T).sum(1)
        result.append(np.sqrt(left.clip(min=0.0)).reshape(shape))
    return np.stack(result)


class ShallowSetting:
    """Shallow water with the five types of observation, strongly nonlinear."""

    variables, bars, samplers = VARIABLES, ("3D-Var", f"LETKF of {MEMBERS[-1]}"), SAMPLERS
    thinned = THINNED
    checkpoint = "output/exercise2/small/diffusion/checkpoints/best"

    def __init__(self):
        section = config.load_yaml(config.find("samples", WORLD))
        self.world = config.build(ShallowPlane, section["cases"]["shallow_plane"], WORLD)
        self.training = TrainingCases.before(Store(section["output"]), clock.parse_time(TRAINED_BEFORE))
        self.domain, self.indirect = load_domain("plane"), self.world.indirect
        self._problems: dict[int, Observed] = {}

    def numbers(self, choose: int | None, cases: int | None) -> tuple[range, range]:
        """Of the cases that settings are chosen on, and of those that judge."""
        return range(CHOSEN_ON, CHOSEN_ON + (choose or CHOICE)), range(JUDGED, JUDGED + (cases or CASES))

    def case(self, number: int) -> Case:
        """A case as the diffusion assimilation has it."""
        return self.world.on(self.domain, number).case(0, Box.whole(self.world.shape))

    def problem(self, number: int) -> Observed:
        """A case as the classical methods have it; its prior is of other cases for each."""
        if number not in self._problems:
            case = self.case(number)
            places, kinds, value, error = columns_of(case, TYPES)
            chosen = np.random.default_rng(number).choice(self.training.numbers, MEMBERS[-1], replace=False)
            members = np.stack([self.training.truth(each) for each in chosen])
            at = np.stack([self.indirect.values(each[:, *places.T].T, kinds) for each in members])
            truth = truth_of(case)
            background = np.broadcast_to(members.mean((0, 2, 3))[:, None, None], truth.shape)
            self._problems[number] = Observed(self.domain, truth, background, places, value, error, members, at, kinds)
        return self._problems[number]

    def truth(self, number: int) -> np.ndarray:
        """Shape (variable, y, x)."""
        return self.problem(number).truth[SCORED]

    def rivals(self, chosen: range) -> dict[str, tuple[Callable[[int], Estimate], int]]:
        """As of `world_plane.PlaneSetting.rivals`."""
        problems = [self.problem(number) for number in chosen]
        blocks = (self.indirect.fields(block) for block in self.training.blocks(64))
        linear = BestLinear(CrossCovariance.estimate(blocks), len(VARIABLES), np.ones(len(TYPES)))
        methods: dict[str, tuple] = {
            "members of the prior": (lambda problem: Estimate.of(problem.members[SCORED]), MEMBERS[-1])
        }
        best = tuned(Gaussian(linear), FACTORS, lambda tried: crps(tried.analyse, problems, THINNED))
        loops = OuterLoops(linear.covariance.part(slice(len(VARIABLES))), self.indirect, linear.inflation)
        start = replace(linear, inflation=np.where(np.arange(len(TYPES)) < len(VARIABLES), best.direct, best.indirect))
        other = tuned(Gaussian(start, loops), FACTORS, lambda tried: crps(tried.analyse, problems, THINNED))
        for name, each in (("OI", best), ("3D-Var", other)):
            print(f"{name}: {', '.join(f'{key} {getattr(each, key)}' for key in FACTORS)}", flush=True)
            methods[name] = each.analyse, 1
        methods |= best_filters(problems, FILTER, MEMBERS, TUNED, THINNED)
        return {
            name: (lambda number, analyse=analyse: analyse(self.problem(number)), count)
            for name, (analyse, count) in methods.items()
        }
