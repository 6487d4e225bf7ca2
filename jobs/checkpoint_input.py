"""The trained method of a run, and which of its methods it is."""

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.registry import METHODS, Need


def load(run, names: tuple[str, ...]):
    """The trained method, if one of the methods needs it."""
    if not any(Need.CHECKPOINT in METHODS[name].needs for name in names):
        return None
    from mlrtma_dist.weights.trained import load_trained  # here: it needs torch, whose import takes seconds

    return load_trained(run.checkpoint)


def of_checkpoint(run, names: tuple[str, ...], trained, are_named: bool) -> tuple[str, ...]:
    """The methods without learned ones of other checkpoints.

    Raises:
        InputError: such a method was named.
    """
    others = [name for name in names if METHODS[name].untrained and (trained is None or trained.name != name)]
    if others and are_named:
        raise InputError(
            f"checkpoint: expected one of method {others[0]}, got {run.checkpoint}, which is of {trained.name}."
            f" Use --method {trained.name}, or another checkpoint."
        )
    return tuple(name for name in names if name not in others)
