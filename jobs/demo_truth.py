"""How near methods are to the truth of the demonstration's world, at all grid points."""

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import LEARNED, Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.names import to_analysis
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.simulation.simulated_hour import SimulatedHour
from mlrtma_dist.weights.release import released


def error_ratios(
    cases: CasesSection, world: SimulatedHour, methods: list[str], variables: tuple[str, ...]
) -> dict[str, float]:
    """Method -> rms error at all grid points over that of the background, geometric mean of the variables."""
    settings = load_settings("classical", variables)
    hours = open_cases(cases, assumptions(settings))
    case = hours.case(0, Box.whole(hours.contents.domain.shape))
    ratios = {}
    for name, method in build(methods, Means(settings, trained=_trained(methods, hours.contents.domain))).items():
        fields = method.analyse(case).fields().values
        errors = [
            _rms_error(world, each, fields) / _rms_error(world, each, world.background.values)
            for each in settings.variables
        ]
        ratios[name] = float(np.exp(np.mean(np.log(errors))))
    return ratios


def _trained(methods: list[str], domain: Domain) -> dict[str, Method]:
    """The learned ones among the methods, with the weights that come with them."""
    learned = [name for name in methods if name in LEARNED]
    if not learned:
        return {}
    from mlrtma_dist.weights.trained import load_trained  # here: it needs torch, whose import takes seconds

    trained: dict[str, Method] = {}
    for name in learned:
        method = load_trained(released(name)).method
        method.settle(domain)
        trained[name] = method
    return trained


def _rms_error(world: SimulatedHour, name: str, fields: dict[str, np.ndarray]) -> float:
    """Rms error of a variable's field, analysis space."""
    analysed, true = (to_analysis(name, each[name].astype(np.float64)) for each in (fields, world.truth.values))
    return float(np.sqrt(np.mean((analysed - true) ** 2)))
