"""Scores of single cases against known fields: the table ``case_scores.csv``, and what a release states of it."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.match import write_rows

FILE = "case_scores.csv"
COLUMNS = ("case", "time", "method", "variable", "points", "bias", "rmse")


def write_case_scores(
    path: str | Path, sums: Mapping[str, np.ndarray], variables: Sequence[str], time: np.ndarray
) -> None:
    """Write one row for each case, method and variable, analysis space.

    Args:
        sums: method -> `field_scores.sums_of` all points, shape (case, variable, 3).
        variables: their names; time: of every case, datetime64[s], shape (case,).
    """
    rows = (
        (number, str(time[number]), method, variable, int(points), error / points, np.sqrt(square / points))
        for method, own in sums.items()
        for number in range(len(time))
        for variable, (error, square, points) in zip(variables, own[number], strict=True)
    )
    write_rows(path, COLUMNS, rows)


def scores_by_time(path: str | Path, method: str) -> dict[str, dict[str, dict[str, float]]]:
    """Time -> variable -> points and rmse of a method, six digits, as no more can be computed again elsewhere.

    Raises:
        InputError: no such table, a time of several cases, or none of the method.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["method"] == method]
        keys = [(row["time"], row["variable"]) for row in rows]
        values = [{"points": int(row["points"]), "rmse": float(f"{float(row['rmse']):.6g}")} for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"fields: {path}: expected {FILE} of `mlrtma verify`, cannot read it: {error!r}") from error
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for (time, variable), value in zip(keys, values, strict=True):
        variables = scores.setdefault(time, {})
        if variable in variables:
            raise InputError(f"fields: {path}: expected one case at each time, got several at {time}")
        variables[variable] = value
    if not scores:
        raise InputError(f"fields: {path} has no analysis of method {method}. Verify this checkpoint again.")
    return scores
