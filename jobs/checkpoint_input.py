"""The trained methods of a run: that of its checkpoint, and those whose weights come with the software."""

import logging

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.registry import LEARNED
from mlrtma_dist.verification.match import INCUMBENT
from mlrtma_dist.weights.release import released

log = logging.getLogger(__name__)


def has_weights(run, name: str) -> bool:
    """Whether a learned method has weights in a run."""
    return bool(run.checkpoint or released(name))


def load(run, names: tuple[str, ...], are_named: bool) -> dict:
    """The learned methods among ``names``, and one about whose analyses they draw, with weights, by name.

    Args:
        are_named: whether the user named them; of those that were not, only the checkpoint's own takes part.

    Returns:
        Name -> `weights.trained.TrainedMethod`.

    Raises:
        InputError: the checkpoint is of a method that is not among them, or a named method has no weights.
    """
    learned = [name for name in names if name in LEARNED]
    if not learned:
        return {}
    # here: they need torch, whose import takes seconds
    from mlrtma_dist.methods.ensemble_method import EnsembleMethod
    from mlrtma_dist.weights.trained import load_trained

    trained = {}
    if run.checkpoint:
        own = load_trained(run.checkpoint)
        if own.name not in learned:
            raise InputError(
                f"checkpoint: expected one of method {' or '.join(learned)}, got {run.checkpoint}, which is of"
                f" {own.name}. Use --method {own.name}, or another checkpoint."
            )
        trained[own.name] = own
    for name in (each for each in learned if are_named and each not in trained):
        trained[name] = _released(name, run.checkpoint, trained)
    for each in list(trained.values()):
        method = each.method
        about: tuple[str, ...] = method.weights_needed(run.diffusion) if isinstance(method, EnsembleMethod) else ()
        for name in about:
            if name not in trained:
                trained[name] = _released(name, run.checkpoint, trained)
    return trained


def _released(name: str, checkpoint: str | None, trained: dict):
    """A method with the weights that come with the software (`weights.trained.TrainedMethod`).

    Args:
        checkpoint: of the run; trained: what was loaded of it, for messages.

    Raises:
        InputError: it comes without.
    """
    from mlrtma_dist.weights.trained import load_trained  # here: it needs torch, whose import takes seconds

    folder = released(name)
    if folder is None:
        raise InputError(
            f"checkpoint: expected one of method {name}, whose weights do not come with the software, got"
            f" {checkpoint}, which is of {next(iter(trained))}"
        )
    return load_trained(folder)


def load_incumbent(folder: str | None, ranks) -> dict:
    """The method of the current release of a weights folder by its name there, INCUMBENT; none without one. Collective.

    Args:
        folder: the weights folder; None: none is named.
        ranks: of the run; the first one says which release is current.
    """
    if folder is None:
        return {}
    from mlrtma_dist.weights.folder import WeightsFolder
    from mlrtma_dist.weights.trained import load_trained

    current = ranks.from_first(lambda: WeightsFolder(folder).current)
    if current is None:
        log.warning("incumbent: %s has no current release yet: it takes no part", folder)
        return {}
    return {INCUMBENT: load_trained(current)}
