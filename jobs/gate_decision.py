"""The decision of a gate, as what comes after the gate requires it: passed, and of the weights at hand."""

from pathlib import Path

from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.gate import read_decision


def require_passed(path: str) -> dict:
    """A decision that was passed.

    Raises:
        InputError: none, or the gate refused its candidate.
    """
    decision = read_decision(path)
    if decision["passed"] is not True:
        failed = [f"{each['rule']} of {each['of']}" for each in decision["checks"] if each["passed"] is False]
        why = ", ".join(failed) or "nothing was checked"
        raise InputError(f"gate: {path}: the gate refused {decision['candidate']['folder']}: {why}")
    return decision


def require_candidate(decision: dict, path: str, folder: str | Path) -> str:
    """The checksum of the weights in a folder, which are those that a decision is about.

    Raises:
        InputError: they are others. CheckpointError: the folder holds no checkpoint, or a damaged one.
    """
    from mlrtma_dist.weights.identity import checksum_of  # here: it needs torch, whose import takes seconds

    checksum, candidate = checksum_of(folder), decision["candidate"]
    if checksum != candidate["sha256"]:
        raise InputError(
            f"gate: {path} is about the weights {candidate['sha256'][:12]} of {candidate['folder']},"
            f" got {checksum[:12]} of {folder}. Let the gate decide about these."
        )
    return checksum
