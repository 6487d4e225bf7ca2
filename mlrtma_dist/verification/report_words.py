"""Words and numbers of the report: units for people, names of methods, and what each figure means in a sentence."""

import math
from dataclasses import dataclass

from mlrtma_dist.names import variable
from mlrtma_dist.verification.diagnostics import ChiSquare, ErrorEstimate, SpreadSkill
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.scores import Difference, Score

METHODS = {FIRST_GUESS: "first guess", NEAREST: "nearest station"}
CASE_METHODS = {  # of cases whose truth is known
    "background": "the background as it is",
    "interpolation": "optimal interpolation",
    "threedvar": "3D-Var with outer loops",
    "unet": "the trained network",
    "optimal": "the Bayes-optimal analysis",
}
SHORT_NAMES = {
    "background": "background",
    "interpolation": "interpolation",
    "threedvar": "3D-Var",
    "unet": "network",
    "optimal": "Bayes",
}
MATERIAL = 0.05  # ratios within 5 % of one are called right: no observation error is known better


@dataclass(frozen=True)
class Unit:
    """How errors of a variable are shown: shown = analysis space * factor, with some decimals."""

    text: str
    factor: float
    decimals: int

    def show(self, value: float, *, sign: bool = False) -> str:
        """A number without its unit; a dash for NaN."""
        if not math.isfinite(value):
            return "–"
        return f"{value * self.factor:{'+' if sign else ''}.{self.decimals}f}".replace("-", "−")

    def interval(self, lower: float, upper: float) -> str:
        """Both ends of an interval, or that there is none."""
        return f"{self.show(lower)} to {self.show(upper)}" if math.isfinite(lower) else "too few stations"


def error_unit(name: str) -> Unit:
    """The unit of a variable's errors: that of its display, without the offset; logarithms stay logarithms."""
    about = variable(name)
    if about.transform == "log":
        return Unit("ln", 1.0, 2)
    text, factor, offset = about.display
    if offset:  # a difference of two Celsius temperatures is in kelvin
        return Unit(about.unit, 1.0, 2)
    return Unit(text.replace(" s-1", "/s"), factor, 1 if text == "%" else 2)


def method_name(name: str) -> str:
    """The method for people; other names than those of the two references stay as they are typed."""
    return METHODS.get(name, name)


def variable_name(name: str) -> str:
    """The variable for people: its long name up to the first remark."""
    return variable(name).long_name.split(";")[0]


def sentence(text: str) -> str:
    """The text with its first letter large; the others stay as they are."""
    return text[:1].upper() + text[1:]


def headline(best: Score, references: list[Score]) -> str:
    """The main result of one variable in a sentence or two."""
    unit = error_unit(best.variable)
    text = f"{sentence(variable_name(best.variable))} analysed by {method_name(best.method)}: rmse "
    text += f"{unit.show(best.rmse)} {unit.text} (95 % interval {unit.interval(best.lower, best.upper)}) "
    text += f"at {count(best.n, 'observation')} it never saw"
    others = [f"{unit.show(row.rmse)} {unit.text} by the {method_name(row.method)}" for row in references if row.n]
    text += f", against {' and '.join(others)}." if others else "."
    better = [method_name(row.method) for row in references if row.rmse < best.rmse]
    return f"{text} No analysis does better than the {' or the '.join(better)}." if better else text


def compare(difference: Difference, name: str) -> str:
    """Whether a method is worse than the best one, for a cell of a table."""
    unit = error_unit(name)
    if not math.isfinite(difference.lower):
        return f"{unit.show(difference.difference, sign=True)}, too few stations to tell"
    ends = f"{unit.show(difference.lower, sign=True)} to {unit.show(difference.upper, sign=True)}"
    verdict = "no clear difference"
    if difference.significant:
        verdict = "clearly worse" if difference.lower > 0 else "clearly better"
    return f"{unit.show(difference.difference, sign=True)} ({ends}): {verdict}"


def explain_estimate(row: ErrorEstimate) -> str:
    """What Desroziers et al. say of an assumed observation error."""
    unit = error_unit(row.variable)
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
    """What a chi-square says of the assumed errors."""
    if chi.n == 0:
        return f"{subject}: there is no departure to judge by."
    figures = f"chi-square {chi.value:.2f} of {count(chi.n, 'departure')}; {chi.lower:.2f} to {chi.upper:.2f} expected"
    if chi.consistent or abs(chi.value - 1.0) <= MATERIAL:
        return f"{subject}: departures are as large as the assumed errors say ({figures})."
    size = "larger" if chi.value > 1 else "smaller"
    errors = "small" if chi.value > 1 else "large"
    return f"{subject}: departures are {size} than the assumed errors say, which are together too {errors} ({figures})."


def explain_spread(spread: SpreadSkill, method: str, name: str) -> str:
    """Whether a method knows how wrong it is."""
    unit = error_unit(name)
    subject = f"{method_name(method)}, {name}"
    figures = f"predicted {unit.show(spread.predicted)}, found {unit.show(spread.actual)} {unit.text}"
    if not math.isfinite(spread.lower):
        return f"{subject}: too few stations to judge its predicted error ({figures})."
    if abs(spread.ratio - 1.0) <= MATERIAL or spread.lower <= 1.0 <= spread.upper:
        return f"{subject}: the predicted error is right ({figures})."
    amount = f"{100 * abs(1.0 - 1.0 / spread.ratio):.0f} %"
    return f"{subject}: the predicted error is {amount} too {'small' if spread.ratio > 1 else 'large'} ({figures})."


def count(number: int, noun: str) -> str:
    """``2,635 observations``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
