"""Distribution: quantiles, probabilities beyond limits and the members of an analysis, as its product has them.

Of an answer that has members (`members_of`) they are those of the members: the quantile of level p has the share p of
the members below it, as of any further draw (Weibull: the k-th of M members has the level k / (M + 1)), and a
probability is the share of the members beyond the limit. An answer without members has a Gaussian of the analysis and
its error, in analysis space.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from scipy.special import ndtri

from mlrtma_dist.inference.derived import DERIVED
from mlrtma_dist.inference.ensemble_section import Distribution, EnsembleSection
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.ensemble_fields import by_rows
from mlrtma_dist.methods.events import gaussian_below
from mlrtma_dist.methods.method import ALONE, Answer, Fields, Share
from mlrtma_dist.names import EVENTS, VARIABLES, from_analysis, to_analysis

SPEED, COMPONENTS = "wind_speed", ("u10", "v10")  # of members the speed is that of each member's wind


Parts = tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]


def check_limits(section: EnsembleSection, others: Collection[str] = ()) -> None:
    """Raise ValueError where a limit is of something that is neither a variable, derived, nor among ``others``."""
    for side in ("above", "below"):
        for name in getattr(section, side):
            if name not in VARIABLES and name not in DERIVED and name not in others:
                expected = ", ".join((*VARIABLES, *DERIVED, *others))
                raise ValueError(f"ensemble.{side}: expected some of {expected}, got {name!r}")


def members_of(answer: Answer, fields: Fields, share: Share = ALONE) -> Mapping[str, np.ndarray]:
    """The members of an answer on its box, SI, float32 (member, y, x); of no variable where it has none.

    Collective over the ranks of ``share``.

    Args:
        fields: of the answer.
    """
    own = getattr(answer, "members_of", None)
    return own(fields, share) if own is not None else {}


def distribution_of(
    case: Case, members: Mapping[str, np.ndarray], fields: Fields, section: EnsembleSection
) -> tuple[Distribution, tuple[str, ...]]:
    """The distribution of an answer on its box, and what is asked for that it has not, a sentence each.

    Args:
        case: that was analysed, on the answer's box; members: `members_of` the answer; fields: of the answer.
    """
    if section.is_empty:
        return Distribution(section), ()
    drawn = _of_members(case, members, section)
    gaussian = _of_gaussians(fields, section, frozenset(members))
    quantiles, above, below = (one | other for one, other in zip(gaussian, drawn, strict=True))
    distribution = Distribution(
        section,
        quantiles,
        above,
        below,
        dict(members) if section.members else {},
        drawn=frozenset[str]().union(*drawn),
        count=len(next(iter(members.values()), ())),
    )
    return distribution, _lacking(distribution, fields)


def _of_members(case: Case, members: Mapping[str, np.ndarray], section: EnsembleSection) -> Parts:
    """Quantiles and probabilities of members."""
    levels = np.array(section.quantiles)

    def quantiles(values: np.ndarray) -> np.ndarray:
        return np.quantile(values, levels, axis=0, method="weibull")

    terrain = case.static.terrain[case.box.slices][None]
    names = [*members, *([SPEED] if _is_derived(SPEED, members) else [])] if section.quantiles else []
    of_levels = {name: _evaluate(name, members, terrain, quantiles) for name in names}
    sides = [
        {
            name: _evaluate(name, members, terrain, share_beyond(np.array(limits), is_above))
            for name, limits in limits_of_names.items()
            if name in members or _is_derived(name, members)
        }
        for limits_of_names, is_above in ((section.above, True), (section.below, False))
    ]
    return of_levels, sides[0], sides[1]


def share_beyond(limits: np.ndarray, is_above: bool) -> Callable[[np.ndarray], np.ndarray]:
    """A function of members (member, ...): the share at or above, or below, each limit, (limit, ...), NaN as it is."""

    def share(values: np.ndarray) -> np.ndarray:
        parts = [(values >= limit if is_above else values < limit).mean(0) for limit in limits]
        return np.where(np.isnan(values).any(0), np.nan, np.stack(parts))

    return share


def _is_derived(name: str, members: Mapping[str, np.ndarray]) -> bool:
    """Whether a field is no member itself, but a function of members that there are."""
    needs = COMPONENTS if name == SPEED else DERIVED[name].needs if name in DERIVED else ()
    return name not in members and bool(needs) and set(needs) <= set(members)


def _evaluate(
    name: str, members: Mapping[str, np.ndarray], terrain: np.ndarray, function: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """A function of the members of a variable or of a derived field, some rows at a time."""
    if name in members:
        return by_rows(function, members[name])
    needs = COMPONENTS if name == SPEED else DERIVED[name].needs

    def of_parts(ground: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        if name == SPEED:
            return function(np.hypot(*parts))
        return function(DERIVED[name].of(dict(zip(needs, parts, strict=True)), ground))

    return by_rows(of_parts, terrain, *(members[each] for each in needs))


def _of_gaussians(fields: Fields, section: EnsembleSection, drawn: frozenset[str]) -> Parts:
    """Quantiles and probabilities of Gaussians, of variables that have an error and no distribution of their own."""
    without = drawn.union(fields.probability)
    names = [name for name in fields.values if name in fields.error and name not in without]
    deviates = ndtri(np.array(section.quantiles))

    def quantiles(name: str) -> np.ndarray:
        centre, error = to_analysis(name, fields.values[name]), fields.error[name]
        parts = [from_analysis(name, centre + deviate * error) for deviate in deviates]
        return np.stack(parts).astype(np.float32, copy=False)

    def below(name: str, limits: tuple[float, ...]) -> np.ndarray:
        centre, error = to_analysis(name, fields.values[name]).ravel(), fields.error[name].ravel()
        edges = np.asarray(to_analysis(name, np.array(limits)))
        return gaussian_below(centre, error, edges).T.reshape(-1, *fields.values[name].shape).astype(np.float32)

    above = {name: 1.0 - below(name, limits) for name, limits in section.above.items() if name in names}
    of_levels = {name: quantiles(name) for name in names} if section.quantiles else {}
    return of_levels, above, {name: below(name, limits) for name, limits in section.below.items() if name in names}


def _lacking(distribution: Distribution, fields: Fields) -> tuple[str, ...]:
    """What was asked for and is not there, a sentence each."""
    section, sentences = distribution.section, []
    if section.members and not distribution.members:
        sentences.append("no members: the method draws none")
    if section.quantiles and not distribution.quantiles:
        sentences.append("no quantiles: the method has neither members nor a Gaussian error")
    for side in ("above", "below"):
        for name, limits in getattr(section, side).items():
            missing = set(limits) if name not in getattr(distribution, side) else set()
            if side == "below" and name in fields.probability:  # of these the product has them all the same
                missing -= set(EVENTS[name])
            if missing:
                words = ", ".join(f"{limit:g}" for limit in sorted(missing))
                sentences.append(f"no probability of {name} {side} {words}: its distribution there is not analysed")
    return tuple(sentences)
