"""What the stations of a slot have put into its analysis, beside the product, for the slot whose background it is."""

from pathlib import Path

import numpy as np

from mlrtma_dist.inference.analyse import analysed_rows
from mlrtma_dist.inference.cycle_methods import Attempt
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.error_calibration import error_factors, influence_of
from mlrtma_dist.observations.own_influence import OwnInfluence, influence_path


def write_influence(product: Path, case: Case, attempt: Attempt, earlier: OwnInfluence | None = None) -> None:
    """Write the file of own influence beside a product; remove an older one where the method does not tell it.

    Known is the influence on a classical analysis, and on members drawn about one.

    Args:
        product: its path; case: what was analysed; attempt: the analysis.
        earlier: influence on the case's first guess; None: not known.

    Raises:
        OSError: the file cannot be written.
    """
    path, classical = influence_path(product), _classical(attempt.answer)
    others = None if classical is None else classical.others
    if others is None or not others.assumed:
        path.unlink(missing_ok=True)
        return
    rows, analysis = analysed_rows(case), np.full(len(case.used), np.nan)
    analysis[rows] = case.value[rows] - attempt.analysis.analysis_departure
    influence_of(case, analysis, others, earlier).write(path)


def factors_of(attempt: Attempt) -> str:
    """The factors on the errors of an analysis in words, as "t2m 1.42, u10 0.98"; "none": they are as fitted."""
    classical = _classical(attempt.answer)
    factors = {} if classical is None else error_factors(classical.fits)
    return ", ".join(f"{name} {factor:.2f}" for name, factor in factors.items()) or "none"


def _classical(answer) -> ClassicalAnswer | None:
    """The answer itself, or the one about which it has members, where that is a classical analysis."""
    if isinstance(answer, ClassicalAnswer):
        return answer
    about = getattr(getattr(answer, "case", None), "first_guess", None)
    own = getattr(about, "answer", None)
    return own if isinstance(own, ClassicalAnswer) else None
