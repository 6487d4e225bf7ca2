"""Field scores: how far analyses are from a truth that is known at every point, over many cases.

Errors within a case depend on each other, those of different cases do not: a case is what the bootstrap draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from mlrtma_dist.names import VARIABLES, to_analysis
from mlrtma_dist.verification.bootstrap import DRAWS, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.match import write_rows

NORMAL = 1.959964  # standard errors of a 95 % interval
SUMS = ("error", "square", "points")  # what is added up of every case


@dataclass(frozen=True)
class FieldScore:
    """The scores of one method and variable: a row of ``fields.csv``.

    Attributes:
        method, variable: what was scored.
        cases: how many.
        bias, rmse: over all points of all cases, analysis space.
        lower, upper: 95 % interval of the rmse, NaN for fewer than ``bootstrap.LEAST_CLUSTERS`` cases.
        standard_error: of the rmse, by the spread of the cases; NaN of one case.
    """

    method: str
    variable: str
    cases: int
    bias: float
    rmse: float
    lower: float
    upper: float
    standard_error: float


def in_analysis_space(fields: np.ndarray, variables: Sequence[str]) -> np.ndarray:
    """Fields of shape (case, variable, y, x) in SI as they are scored: visibility and ceiling by their logarithm."""
    return np.stack([to_analysis(name, fields[:, number]) for number, name in enumerate(variables)], axis=1)


def error_units(units: Mapping[str, str]) -> dict[str, str]:
    """The unit of each variable's error in analysis space, from the units of its values."""
    logarithmic = {name for name, entry in VARIABLES.items() if entry.transform == "log"}
    return {name: "ln" if name in logarithmic else unit for name, unit in units.items()}


def sums_of(analysis: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What a part of the points adds to the sums of its cases; sums of parts are the sums of the whole.

    Args:
        analysis, truth: shape (case, variable, y, x), analysis space (see `in_analysis_space`).

    Returns:
        Error, squared error and number of points, shape (case, variable, 3).
    """
    error = analysis.astype(np.float64) - truth
    points = np.full(error.shape[:2], error.shape[2] * error.shape[3], np.float64)
    return np.stack([error.sum((2, 3)), np.square(error).sum((2, 3)), points], axis=-1)


def score_fields(
    sums: Mapping[str, np.ndarray], variables: Sequence[str], *, seed: int = 0, draws: int = DRAWS
) -> list[FieldScore]:
    """Score every method and variable; all share the draws of the bootstrap.

    Args:
        sums: of each method, `sums_of` all points of all cases, shape (case, variable, 3).
        variables: their names.
        seed, draws: of the bootstrap.
    """
    table = np.concatenate([each.reshape(len(each), -1) for each in sums.values()], axis=1)
    draw_sums = resampled_sums(table, seed=seed, draws=draws).reshape(draws, len(sums), len(variables), len(SUMS))
    rows = []
    for number, (method, own) in enumerate(sums.items()):
        for index, variable in enumerate(variables):
            error, square, points = own[:, index].sum(0)
            samples = np.sqrt(ratio_of_sums(draw_sums[:, number, index], 1, 2))
            rmse, (lower, upper) = float(np.sqrt(square / points)), interval(samples, len(own))
            rows.append(
                FieldScore(
                    method,
                    variable,
                    len(own),
                    float(error / points),
                    rmse,
                    lower,
                    upper,
                    0.5 * rmse * _spread(own[:, index, 1] / square * len(own)),
                )
            )
    return rows


def ratio(sums: Mapping[str, np.ndarray], above: str, below: str, variable: int = 0) -> tuple[float, float]:
    """The rmse of one method over that of another on the same cases, and its standard error.

    By linearisation: the relative departures of the two squared errors from their means are subtracted case by case,
    which removes what makes a case hard for both (Cochran 1977, Sampling Techniques, section 2.11).

    Args:
        sums: as in `score_fields`, cases of equal points; above, below: two methods; variable: its number.
    """
    one, other = (sums[name][:, variable, 1] / sums[name][:, variable, 1].mean() for name in (above, below))
    value = float(np.sqrt(sums[above][:, variable, 1].sum() / sums[below][:, variable, 1].sum()))
    return value, 0.5 * value * _spread(one - other)


def around(value: float, spread: float) -> tuple[float, float]:
    """Both ends of the 95 % interval of a value with this standard error."""
    return value - NORMAL * spread, value + NORMAL * spread


def _spread(values: np.ndarray) -> float:
    """Standard error of the mean of the values (n,); NaN of one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def write_field_scores(path: str | Path, rows: Sequence[FieldScore]) -> None:
    """Write ``fields.csv``: the attributes of `FieldScore` as columns, SI units (natural logarithm for
    visibility and ceiling)."""
    write_rows(path, [field.name for field in fields(FieldScore)], (astuple(row) for row in rows))


def describe(
    rows: Sequence[FieldScore], words: Mapping[str, str], limit: str, units: Mapping[str, str] | None = None
) -> str:
    """The scores as text for people, variable by variable.

    Args:
        words: what to call each method; limit: the method whose rmse is 1 in the last column, which stays empty
            where it was not scored; units: of the variables, which are named if there are several.
    """
    least = {row.variable: row.rmse for row in rows if row.method == limit}
    lines = [f"{'':<50} {'rmse':>6} +- {'error':<6}  {'95 % interval':<16}  {'bias':>7}  of {words.get(limit, limit)}"]
    variables = list(dict.fromkeys(row.variable for row in rows))
    for variable in variables:
        if len(variables) > 1:
            lines.append(f"{variable} ({(units or {}).get(variable, '1')})")
        for row in (row for row in rows if row.variable == variable):
            share = f"{row.rmse / least[variable]:.3f}" if variable in least else ""
            lines.append(
                f"{words.get(row.method, row.method):<50} {row.rmse:.4f} +- {row.standard_error:.4f}  "
                f"{row.lower:.4f} to {row.upper:.4f}  {round(row.bias, 4) + 0.0:7.4f}  {share:>12}".rstrip()
            )
    return "\n".join(lines)


def ratio_lines(
    sums: Mapping[str, np.ndarray], variables: Sequence[str], above: str, below: Sequence[str], words: Mapping[str, str]
) -> list[str]:
    """The rmse of one method over those of others as text: a line for each of them and variable, with its interval.

    Args:
        sums: as in `score_fields`; methods that were not scored are left out.
        variables: their names; above: a method; below: those it is measured by; words: what to call each.
    """
    lines = []
    for other in below:
        for index, variable in enumerate(variables if {above, other} <= set(sums) else ()):
            value, spread = ratio(sums, above, other, index)
            name = f"{words[above]} / {words[other]}" + (f", {variable}" if len(variables) > 1 else "")
            low, high = around(value, spread)
            lines.append(f"{name}: {value:.4f} +- {spread:.4f}, 95 % interval {low:.4f} to {high:.4f}")
    return lines
