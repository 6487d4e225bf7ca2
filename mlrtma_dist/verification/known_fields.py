"""Score analyses against fields that are known: simulated weather, the exercises' worlds, labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.config import ConfigError
from mlrtma_dist.inference.analyse import NOTHING
from mlrtma_dist.inference.distribution import distribution_of, members_of
from mlrtma_dist.inference.ensemble_section import Distribution, EnsembleSection
from mlrtma_dist.inference.parts import Analyst
from mlrtma_dist.methods.method import Fields
from mlrtma_dist.names import to_analysis
from mlrtma_dist.verification.distribution_scores import SUMS as DISTRIBUTION_SUMS
from mlrtma_dist.verification.distribution_scores import (
    TENTHS,
    reliability_sums,
    sums_of_gaussians,
    sums_of_members,
)
from mlrtma_dist.verification.field_scores import SUMS, sums_of


@dataclass(frozen=True)
class FieldSums:
    """What all methods' errors add up to, and the fields of one case.

    Attributes:
        sums: method -> error and squared error in analysis space, and number of points, shape (case, variable, 3).
        case_fields: "truth" and every method -> fields of the case that is drawn, shape (variable, y, x), SI.
        distributions: method -> sums of ``distribution_scores``, shape (case, variable, ...); zeros where there are
            neither members nor an error.
        reliability: method -> sums of probabilities beyond each of the limits, shape (limit, tenth, 3).
        limits: variable, side and limit, SI.
    """

    sums: dict[str, np.ndarray]
    case_fields: dict[str, np.ndarray]
    distributions: dict[str, np.ndarray] = field(default_factory=dict)
    reliability: dict[str, np.ndarray] = field(default_factory=dict)
    limits: tuple[tuple[str, str, float], ...] = ()


def score(
    analyst: Analyst, drawn: int, progress: Callable[[str, float], None], section: EnsembleSection = NOTHING
) -> FieldSums:
    """Analyse every case of a source and compare the fields with the truth. Collective.

    Args:
        analyst: the methods at work on the cases, whose truth is known.
        drawn: number of the case whose fields are kept.
        progress: called with "cases" and the share that is done.
        section: limits of whose probabilities the reliability is scored.

    Returns:
        The same on every rank.

    Raises:
        ConfigError: there is no case ``drawn``.
    """
    part, contents, methods = analyst.part, analyst.cases.contents, list(analyst.methods)
    names, count = contents.variables, len(analyst.cases.time)
    if drawn >= count:
        raise ConfigError(f"case: expected 0 to {count - 1}, got {drawn}")
    sums = np.zeros((len(methods), count, len(names), len(SUMS)))
    case_fields = np.zeros((1 + len(methods), len(names), *contents.domain.shape))
    distributions = np.zeros((len(methods), count, len(names), len(DISTRIBUTION_SUMS) + TENTHS))
    limits = tuple(each for each in limits_of(section) if each[0] in names)
    reliability = np.zeros((len(methods), len(limits), TENTHS, 3))
    rows, columns = part.box.slices
    for block in part.blocks(count):
        for number in block:
            for index, (_, case, answer) in enumerate(analyst.answers(number)):
                fields, truth = analyst.fields(case, answer), analyst.truth(case)
                values, true = (np.stack([group[name] for name in names]) for group in (fields.values, truth))
                members = members_of(answer, fields, part.share)
                distributions[index, number] = _distribution_sums(names, fields, truth, members)
                if limits:
                    distribution, _ = distribution_of(case, members, fields, section)
                    reliability[index] += _reliability_sums(limits, distribution, truth)
                sums[index, number] = sums_of(*(_analysis_space(names, each) for each in (values, true)))[0]
                if number == drawn:
                    case_fields[0, :, rows, columns] = true
                    case_fields[1 + index, :, rows, columns] = values
        progress("cases", block.stop / count)
    sums, case_fields, distributions, reliability = map(part.total, (sums, case_fields, distributions, reliability))
    by_method = (dict(zip(methods, each, strict=True)) for each in (sums, distributions, reliability))
    of_errors, of_distributions, of_reliability = by_method
    drawn_fields = dict(zip(("truth", *methods), case_fields, strict=True))
    return FieldSums(of_errors, drawn_fields, of_distributions, of_reliability, limits)


def limits_of(section: EnsembleSection) -> Iterator[tuple[str, str, float]]:
    """Variable, side and limit of each probability that a section asks for, in its order."""
    for side in ("above", "below"):
        for name, limits in getattr(section, side).items():
            yield from ((name, side, limit) for limit in limits)


def _distribution_sums(
    names: Sequence[str], fields: Fields, truth: dict[str, np.ndarray], members: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The sums of every variable, shape (variable, ...)."""
    sums = np.zeros((len(names), len(DISTRIBUTION_SUMS) + TENTHS))
    for index, name in enumerate(names):
        true = to_analysis(name, truth[name])
        if name in members:
            sums[index] = sums_of_members(to_analysis(name, members[name]), true)
        elif name in fields.error and name not in fields.probability:
            sums[index] = sums_of_gaussians(to_analysis(name, fields.values[name]), fields.error[name], true)
    return sums


def _reliability_sums(limits, distribution: Distribution, truth: dict[str, np.ndarray]) -> np.ndarray:
    """The sums of every limit, shape (limit, tenth, 3)."""
    sums = np.zeros((len(limits), TENTHS, 3))
    for index, (name, side, limit) in enumerate(limits):
        probabilities, true = getattr(distribution, side), truth[name]
        if name in probabilities:
            number = getattr(distribution.section, side)[name].index(limit)
            probability = np.where(np.isnan(true), np.nan, probabilities[name][number])
            sums[index] = reliability_sums(probability, true >= limit if side == "above" else true < limit)
    return sums


def _analysis_space(variables: tuple[str, ...], fields: np.ndarray) -> np.ndarray:
    """Fields of one case (variable, y, x), SI, in analysis space and as an array of one case."""
    return np.stack([to_analysis(name, field) for name, field in zip(variables, fields, strict=True)])[None]
