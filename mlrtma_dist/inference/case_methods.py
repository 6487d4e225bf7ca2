"""Methods for the cases of a store, and the one dictionary in which one is chosen by name.

The network analyses the tile that this rank owns. The others solve a whole plane at once, on every tile alike, and keep
the tile's part.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.inference import estimated
from mlrtma_dist.inference.cases import Cases
from mlrtma_dist.inference.learned import Learned
from mlrtma_dist.methods.best_linear import BestLinear
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.simulation.worlds import world_of

log = logging.getLogger(__name__)
Analyse = Callable[[Sequence[int]], np.ndarray]  # numbers of cases -> (case, variable, y, x) of the tile, SI, float32


@dataclass(frozen=True)
class Given:
    """What methods know beside the case itself.

    Attributes:
        learned: the trained method; training: cases that classical methods learn covariances from.
    """

    learned: Learned | None = None
    training: estimated.TrainingCases | None = None

    @cached_property
    def interpolation(self) -> BestLinear:
        """Optimal interpolation of shallow water, learnt from the training set once.

        Raises:
            InputError: there is none, or of another world.
        """
        if self.training is None:
            raise InputError(
                "training: expected the store that covariances are estimated from, e.g."
                " --set training='{samples: output/exercise2/weak/samples.h5}', got none."
            )
        return estimated.best_linear(self.training, world_of(self.training.store, "shallow_plane").indirect)


def _background(cases: Cases, given: Given) -> Analyse:
    if not cases.store.layout.backgrounds:
        raise InputError(f"{cases.store.reader.path}: expected backgrounds to score, but its cases have none.")
    return cases.background


def _interpolation(cases: Cases, given: Given) -> Analyse:
    if not cases.store.layout.backgrounds:
        return _learnt(given.interpolation, cases, given)
    plane = world_of(cases.store, "gaussian_plane")
    return _exact(OptimalAnalysis.interpolation(plane.covariances[1], plane.observation_error), cases)


def _optimal(cases: Cases, given: Given) -> Analyse:
    plane = world_of(cases.store, "gaussian_plane")
    return _exact(OptimalAnalysis.bayes(*plane.covariances, plane.observation_error), cases)


def _threedvar(cases: Cases, given: Given) -> Analyse:
    start, plane = given.interpolation, world_of(cases.store, "shallow_plane")
    return _learnt(estimated.variational(given.training, plane.indirect, start), cases, given)


def _exact(method: OptimalAnalysis, cases: Cases) -> Analyse:
    def whole(number: int) -> np.ndarray:
        places, _, values, _ = estimated.columns_of(cases.store.observations(number, *cases.everywhere))
        background = cases.store.fields(number, *cases.everywhere)[0]
        return method.analyse(background.astype(np.float64), places, values)[None]

    return _by_planes(whole, cases)


def _learnt(method, cases: Cases, given: Given) -> Analyse:
    """A classical method that has learnt its covariances of shallow water."""
    plane = world_of(cases.store, "shallow_plane")
    if world_of(given.training.store, "shallow_plane").indirect != plane.indirect:
        raise InputError(
            f"{given.training.store.reader.path}: expected the indirect types {plane.indirect} of"
            f" {cases.store.reader.path}, got others. Name the training set of that regime."
        )
    factors = zip(cases.store.layout.observed, method.inflation, strict=True)
    words = ", ".join(f"{name} {factor:g}" for name, factor in factors)
    log.info("%s: factors on R: %s", type(method).__name__, words)

    def whole(number: int) -> np.ndarray:
        return method.analyse(*estimated.columns_of(cases.store.observations(number, *cases.everywhere)))

    return _by_planes(whole, cases)


def _by_planes(whole: Callable[[int], np.ndarray], cases: Cases) -> Analyse:
    """Analyses of tiles by a function of a case's number that says the whole plane, shape (variable, y, x)."""
    box, variables = cases.tile.box, cases.store.layout.targets

    def analyse(numbers: Sequence[int]) -> np.ndarray:
        said = np.empty((len(numbers), variables, *box.shape), np.float32)
        for row, number in enumerate(numbers):
            said[row] = whole(number)[:, box.y0 : box.y1, box.x0 : box.x1]
        return said

    return analyse


def _regression(cases: Cases, given: Given) -> Analyse:
    learned = given.learned
    assert learned is not None, "a learned method is prepared with its checkpoint"
    learned.check(cases.store)
    data = learned.dataset(cases.store, cases.tile)

    def analyse(numbers: Sequence[int]) -> np.ndarray:
        if not len(numbers):
            return np.empty((0, cases.store.layout.targets, *cases.tile.shape), np.float32)
        return learned.analyse(data, numbers, cases.neighbourhood, cases.device)

    return analyse


METHODS = {
    "background": _background,
    "interpolation": _interpolation,
    "threedvar": _threedvar,
    "unet": _regression,
    "optimal": _optimal,
}
LEARNS = ("unet",)  # those that need a checkpoint
ESTIMATES = ("interpolation", "threedvar")  # those that need a training set, without a background
WITH_BACKGROUND = ("background", "interpolation", "unet", "optimal")  # what suits a store, in the order of tables
WITHOUT_BACKGROUND = ("interpolation", "threedvar", "unet")


def prepare(name: str, cases: Cases, given: Given) -> Analyse:
    """A method made ready for a store: a function from numbers of cases to their analyses.

    Args:
        name: of ``METHODS``.
        given: a trained method for those of ``LEARNS``; a training set for the classical ones without a background.

    Raises:
        InputError: a method that does not suit the world of the store, or lacks a training set.
        CheckpointError: the checkpoint was trained on other fields.
    """
    return METHODS[name](cases, given)
