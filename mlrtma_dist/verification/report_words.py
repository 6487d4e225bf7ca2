"""Words and units of the report: what methods and variables are called, and what each figure means in a sentence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.diagnostics import ChiSquare, ErrorEstimate, SpreadSkill
from mlrtma_dist.verification.match import INCUMBENT
from mlrtma_dist.verification.ranking import Standing
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.scores import Difference, Score

# What each method is, and its name in sentences, legends and narrow columns.
WORDS = {name: entry.words for name, entry in METHODS.items()} | {INCUMBENT: "the trained network that is in use"}
SHORT = {name: entry.short for name, entry in METHODS.items()} | {INCUMBENT: "incumbent"}
MATERIAL = 0.05  # ratios within 5 % of one are called right: no observation error is known better


@dataclass(frozen=True)
class Unit:
    """How errors of a variable are shown: number = value in analysis space * factor, with some decimals."""

    text: str
    factor: float
    decimals: int

    def show(self, value: float, *, sign: bool = False) -> str:
        """A number without its unit; a dash for NaN. What is rounded to zero has no sign."""
        if not math.isfinite(value):
            return "–"
        number = round(float(value) * self.factor, self.decimals)
        return f"{number or 0.0:{'+' if sign and number else ''}.{self.decimals}f}".replace("-", "−")

    def interval(self, lower: float, upper: float) -> str:
        """Both ends of an interval, or that there is none."""
        return f"{self.show(lower)} to {self.show(upper)}" if math.isfinite(lower) else "too few stations"


@dataclass(frozen=True)
class Wording:
    """What methods and variables are called, and the units in which their errors are shown.

    Attributes:
        words: method -> what it is.
        short: method -> its name in sentences, legends and narrow columns.
        units: unit of each variable that the table of names lacks, such as a depth; "1" where there is none.
    """

    words: Mapping[str, str] = field(default_factory=lambda: WORDS)
    short: Mapping[str, str] = field(default_factory=lambda: SHORT)
    units: Mapping[str, str] = field(default_factory=dict)

    def method(self, name: str) -> str:
        """The short name of a method; a name without one stays as it is."""
        return self.short.get(name, name)

    def together(self, groups: Mapping[str, Sequence[str]]) -> "Wording":
        """The wording in which the first method of each group stands for all of the group."""
        names = {first: " and ".join(map(self.method, group)) for first, group in groups.items()}
        return replace(self, short={**self.short, **names})

    def method_words(self, name: str) -> str:
        """What a method is; a name without words stays as it is."""
        return self.words.get(name, name)

    def variable(self, name: str) -> str:
        """The long name of a variable up to the first remark; a name that is not in the table stays as it is."""
        return VARIABLES[name].long_name.split(";")[0] if name in VARIABLES else name

    def unit(self, name: str) -> Unit:
        """The unit of a variable's errors: that of its display, without the offset; logarithms stay logarithms."""
        if name not in VARIABLES:
            return Unit(self.units.get(name, "1"), 1.0, 3)
        entry = VARIABLES[name]
        if entry.transform == "log":
            return Unit("ln", 1.0, 2)
        text, factor, offset = entry.display
        if offset:  # a difference of two Celsius temperatures is in kelvin
            return Unit(entry.unit, 1.0, 2)
        return Unit(text.replace(" s-1", "/s"), factor, 1 if text == "%" else 2)


def sentence(text: str) -> str:
    """The text with its first letter large; the others stay as they are."""
    return text[:1].upper() + text[1:]


def count(number: int, noun: str) -> str:
    """``2,635 observations``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


PER_CENT = Unit("%", 100.0, 0)  # of a share


def headline(best: Score, references: list[Score], wording: Wording) -> str:
    """The main result of one variable in a sentence or two."""
    unit = wording.unit(best.variable)
    text = f"{sentence(wording.variable(best.variable))} analysed by {wording.method(best.method)}: rmse "
    text += f"{unit.show(best.rmse)} {unit.text} (95 % interval {unit.interval(best.lower, best.upper)}) "
    text += f"at {count(best.n, 'withheld observation')}"
    others = [f"{unit.show(row.rmse)} {unit.text} by the {wording.method(row.method)}" for row in references if row.n]
    text += f", against {' and '.join(others)}." if others else "."
    better = [wording.method(row.method) for row in references if row.rmse < best.rmse]
    return f"{text} No analysis does better than the {' or the '.join(better)}." if better else text


def compare_methods(standings: Sequence[Standing], wording: Wording) -> list[str]:
    """Which methods are the best in how many of several variables, a sentence; of one variable or method none."""
    variables = max((row.variables for row in standings), default=0)
    if variables < 2 or len(standings) < 2:
        return []
    parts = [f"{wording.method(row.method)} {row.best} ({PER_CENT.show(row.excess)} %)" for row in standings]
    text = f"Of {variables} variables, those in which a method is the best or not clearly worse"
    return [f"{text} (how far its rmse is above the least one on average): {', '.join(parts)}."]


def mark_of(methods: int, *, decided: bool) -> str:
    """What the methods of the least rmse are called: one or several, or one where there are too few cases to tell."""
    return "least rmse" if not decided else "best" if methods == 1 else "among the best"


def compare(difference: Difference, unit: Unit) -> str:
    """Whether a method is worse than the best one, for a cell of a table."""
    if not math.isfinite(difference.lower):
        return f"{unit.show(difference.difference, sign=True)}, too few stations for a verdict"
    ends = f"{unit.show(difference.lower, sign=True)} to {unit.show(difference.upper, sign=True)}"
    verdict = "no clear difference"
    if difference.significant:
        verdict = "clearly worse" if difference.lower > 0 else "clearly better"
    return f"{unit.show(difference.difference, sign=True)} ({ends}): {verdict}"


def explain_estimate(row: ErrorEstimate, wording: Wording) -> str:
    """Whether the estimate of Desroziers et al. agrees with an assumed observation error."""
    unit = wording.unit(row.variable)
    where = row.variable if row.network == ALL else f"{row.variable}, network {row.network},"
    start = f"The assumed observation error of {where}"
    if not math.isfinite(row.estimated):
        return f"{start} cannot be judged: the departures imply a negative variance."
    figures = f"({unit.show(row.assumed)} {unit.text}; the departures imply {unit.show(row.estimated)} {unit.text}, "
    figures += f"95 % interval {unit.interval(row.lower, row.upper)})"
    if not math.isfinite(row.lower):
        return f"{start} cannot be judged by so few stations {figures}."
    if abs(row.ratio - 1.0) <= MATERIAL or row.lower <= row.assumed <= row.upper:
        return f"{start} agrees with the departures {figures}."
    amount = f"{100 * abs(row.assumed / row.estimated - 1.0):.0f} %" if row.estimated > 0 else "far"
    return f"{start} is {amount} too {'small' if row.ratio > 1 else 'large'} {figures}."


def explain_chi_square(chi: ChiSquare, subject: str) -> str:
    """Whether departures are as large as the assumed errors imply."""
    if chi.n == 0:
        return f"{subject}: there is no departure to judge by."
    figures = f"chi-square {chi.value:.2f} of {count(chi.n, 'departure')}; {chi.lower:.2f} to {chi.upper:.2f} expected"
    if chi.consistent or abs(chi.value - 1.0) <= MATERIAL:
        return f"{subject}: departures are as large as the assumed errors imply ({figures})."
    size, errors = ("larger", "small") if chi.value > 1 else ("smaller", "large")
    verdict = f"departures are {size} than the assumed errors imply, which are together too {errors}"
    return f"{subject}: {verdict} ({figures})."


def explain_spread(spread: SpreadSkill, method: str, name: str, wording: Wording) -> str:
    """Whether the error that a method predicts of itself is its actual error."""
    unit = wording.unit(name)
    subject = f"{wording.method(method)}, {name}"
    figures = f"predicted {unit.show(spread.predicted)}, actual {unit.show(spread.actual)} {unit.text}"
    if not math.isfinite(spread.lower):
        return f"{subject}: too few stations to judge its predicted error ({figures})."
    if abs(spread.ratio - 1.0) <= MATERIAL or spread.lower <= 1.0 <= spread.upper:
        return f"{subject}: the predicted error is right ({figures})."
    amount = f"{100 * abs(1.0 - 1.0 / spread.ratio):.0f} %"
    return f"{subject}: the predicted error is {amount} too {'small' if spread.ratio > 1 else 'large'} ({figures})."
