"""Score analyses against fields that are known: simulated weather, the exercises' worlds, labels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.inference.parts import Analyst
from mlrtma_dist.names import to_analysis
from mlrtma_dist.verification.field_scores import SUMS, sums_of


@dataclass(frozen=True)
class FieldSums:
    """What all methods' errors add up to, and the fields of one case.

    Attributes:
        sums: method -> error and squared error in analysis space, and number of points, shape (case, variable, 3).
        case_fields: "truth" and every method -> fields of the case that is drawn, shape (variable, y, x), SI.
    """

    sums: dict[str, np.ndarray]
    case_fields: dict[str, np.ndarray]


def score(analyst: Analyst, drawn: int, progress: Callable[[str, float], None]) -> FieldSums:
    """Analyse every case of a source and compare the fields with the truth. Collective.

    Args:
        analyst: the methods at work on the cases, whose truth is known.
        drawn: number of the case whose fields are kept.
        progress: called with "cases" and the share that is done.

    Returns:
        The same on every rank.
    """
    part, contents, methods = analyst.part, analyst.cases.contents, list(analyst.methods)
    names, count = contents.variables, len(analyst.cases.time)
    sums = np.zeros((len(methods), count, len(names), len(SUMS)))
    case_fields = np.zeros((1 + len(methods), len(names), *contents.domain.shape))
    rows, columns = part.box.slices
    for block in part.blocks(count):
        for number in block:
            for index, (_, case, answer) in enumerate(analyst.answers(number)):
                fields, truth = analyst.fields(case, answer).values, analyst.truth(case)
                values, true = (np.stack([group[name] for name in names]) for group in (fields, truth))
                sums[index, number] = sums_of(*(_analysis_space(names, each) for each in (values, true)))[0]
                if number == drawn:
                    case_fields[0, :, rows, columns] = true
                    case_fields[1 + index, :, rows, columns] = values
        progress("cases", block.stop / count)
    sums, case_fields = analyst.part.total(sums), analyst.part.total(case_fields)
    return FieldSums(dict(zip(methods, sums, strict=True)), dict(zip(("truth", *methods), case_fields, strict=True)))


def _analysis_space(variables: tuple[str, ...], fields: np.ndarray) -> np.ndarray:
    """Fields of one case (variable, y, x), SI, in analysis space and as an array of one case."""
    return np.stack([to_analysis(name, field) for name, field in zip(variables, fields, strict=True)])[None]
