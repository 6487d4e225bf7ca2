"""How near methods are to the truth of the demonstration's world, at all grid points."""

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.registry import LEARNED, Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.names import to_analysis
from mlrtma_dist.samples.limited import Limited
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.simulation.simulated_hour import SimulatedHour


def error_ratios(
    cases: CasesSection, world: SimulatedHour, methods: list[str], variables: tuple[str, ...]
) -> dict[str, float]:
    """Method -> rms error at all grid points over that of the background, geometric mean of the variables."""
    whole, settings = load_settings("classical"), load_settings("classical", variables)
    hours = Limited.to(tuple(settings.variables), open_cases(cases, assumptions(whole)))
    case = hours.case(0, Box.whole(hours.contents.domain.shape))
    trained = {}
    if set(methods) & set(LEARNED):
        from mlrtma_dist.weights.trained import load_released  # here: it needs torch, whose import takes seconds

        trained = load_released(methods, hours.contents.domain)
    ratios = {}
    for name, method in build(methods, Means(settings, trained=trained)).items():
        fields = method.analyse(case).fields().values
        errors = [
            _rms_error(world, each, fields) / _rms_error(world, each, world.background.values)
            for each in settings.variables
        ]
        ratios[name] = float(np.exp(np.mean(np.log(errors))))
    return ratios


def _rms_error(world: SimulatedHour, name: str, fields: dict[str, np.ndarray]) -> float:
    """Rms error of a variable's field, analysis space."""
    analysed, true = (to_analysis(name, each[name].astype(np.float64)) for each in (fields, world.truth.values))
    return float(np.sqrt(np.mean((analysed - true) ** 2)))
