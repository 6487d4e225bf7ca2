"""Figures of one case whose truth is known: truth, observations, background, analyses and their errors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mlrtma_dist.io.atomic import written_atomically

FIELD, ERROR = "RdYlBu_r", "PuOr_r"  # diverging, and unlike each other: errors have another scale
INK, FAINT = "#22262b", "#6b7280"
DPI = 130
SHARE = 0.995  # of the values that a scale holds: a single extreme does not fade the rest


@dataclass(frozen=True)
class CaseShown:
    """One case.

    Attributes:
        variables: their names; units: SI, "1" where there is none.
        truth: shape (variable, y, x).
        analyses: by the name that stands above each, the background first where there is one, shape (variable, y, x).
        places: for each variable the grid coordinates (y, x) of its own observations, shape (n, 2); values: shape (n,).
        title: of the figure.
    """

    variables: tuple[str, ...]
    units: tuple[str, ...]
    truth: np.ndarray
    analyses: Mapping[str, np.ndarray]
    places: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]
    title: str

    def rmse(self, name: str, variable: int) -> str:
        """That of one of the analyses, as text."""
        return f"rmse {np.sqrt(np.mean((self.analyses[name] - self.truth)[variable] ** 2)):.3f}"

    def named(self, variable: int) -> str:
        """A variable with its unit."""
        name, unit = self.variables[variable], self.units[variable]
        return name if unit == "1" else f"{name}, {unit}"


def draw_case(path, case: CaseShown, background: str | None, prediction: str) -> None:
    """Truth, prediction and its error side by side, a row for each variable, as a PNG.

    Args:
        background: name of an analysis that is shown before the prediction, after the observations; None: neither is.
        prediction: name of an analysis of the case.
    """
    sheet = _Sheet(case, len(case.variables), 5 if background else 3)
    last = sheet.columns - 1
    for row, variable in enumerate(case.variables):
        truth, analysis = case.truth[row], case.analyses[prediction][row]
        limits, error_limits = _limits(truth), _symmetric(_bound(analysis - truth))
        sheet.field(row, 0, truth, limits, "truth" if len(case.variables) == 1 else f"{variable}: truth", "")
        if background:
            sheet.observations(row, 1, limits, f"{len(case.values[row])} observations")
            sheet.field(row, 2, case.analyses[background][row], limits, background, case.rmse(background, row))
        image = sheet.field(row, last - 1, analysis, limits, prediction, case.rmse(prediction, row))
        sheet.bar(image, row, slice(0, last), case.named(row))
        image = sheet.field(row, last, analysis - truth, error_limits, "error", f"{prediction} minus truth", ERROR)
        sheet.dots(row, last)
        sheet.bar(image, row, slice(last, last + 1), "error")
    sheet.save(path)


def draw_errors(path, case: CaseShown) -> None:
    """The error of every analysis of a case, a row for each variable on one scale, as a PNG; dots are observations."""
    sheet = _Sheet(case, len(case.variables), len(case.analyses))
    for row, variable in enumerate(case.variables):
        errors = {name: fields[row] - case.truth[row] for name, fields in case.analyses.items()}
        bound = float(np.median([_bound(error) for error in errors.values()]))
        for number, (name, error) in enumerate(errors.items()):
            title = name if len(case.variables) == 1 or number else f"{variable}: {name}"
            image = sheet.field(row, number, error, _symmetric(bound), title, case.rmse(name, row), ERROR)
            sheet.dots(row, number)
        sheet.bar(image, row, slice(0, len(errors)), "analysis minus truth")
    sheet.save(path)


def _bound(field: np.ndarray) -> float:
    """The absolute value below which ``SHARE`` of a field lies."""
    return float(np.quantile(np.abs(field), SHARE))


def _symmetric(bound: float) -> tuple[float, float]:
    return -bound, bound


def _limits(field: np.ndarray) -> tuple[float, float]:
    """Ends of a field's colour scale: symmetric about zero where it has both signs, else around its own values."""
    if field.min() < 0.0 < field.max():
        return _symmetric(_bound(field))
    lower, upper = np.quantile(field, [0.5 * (1.0 - SHARE), 0.5 * (1.0 + SHARE)])
    return float(lower), float(upper)


class _Sheet:
    """Panels in rows; every point of the plane is drawn as it is, without interpolation."""

    def __init__(self, case: CaseShown, rows: int, columns: int):
        self.case, self.columns = case, columns
        points_y, points_x = case.truth.shape[1:]
        height = 3.45 - 2.45 * (1.0 - points_y / points_x)  # inches of a row; panels are 2.45 wide
        size = 2.55 * columns + 0.2, height * rows + 0.3
        layout = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, wspace=0.015)
        self.figure = Figure(figsize=size, layout=layout, facecolor="white")
        self.figure.suptitle(case.title, x=0.01, ha="left", fontsize=10.5, color=FAINT)
        self.panels = self.figure.subplots(rows, columns, squeeze=False)

    def field(self, row: int, column: int, values, limits: tuple[float, float], title: str, below: str, colours=FIELD):
        axes = self._frame(row, column, title, below)
        low, high = limits
        return axes.imshow(values, origin="lower", cmap=colours, vmin=low, vmax=high, interpolation="nearest")

    def observations(self, row: int, column: int, limits: tuple[float, float], title: str) -> None:
        axes, size = self._frame(row, column, title, ""), self.case.truth.shape[1:]
        axes.set(xlim=(-0.5, size[1] - 0.5), ylim=(-0.5, size[0] - 0.5), aspect=1, facecolor="#f3f4f6")
        axes.scatter(
            *self.case.places[row].T[::-1],
            c=self.case.values[row],
            s=15,
            cmap=FIELD,
            vmin=limits[0],
            vmax=limits[1],
            edgecolors=INK,
            linewidths=0.25,
        )

    def dots(self, row: int, column: int) -> None:
        self.panels[row, column].scatter(*self.case.places[row].T[::-1], s=1.6, c=INK, linewidths=0, alpha=0.75)

    def bar(self, image, row: int, columns: slice, words: str) -> None:
        below = list(self.panels[row, columns])
        bar = self.figure.colorbar(
            image,
            ax=below,
            orientation="horizontal",
            aspect=16 * len(below),
            pad=0.03,
            shrink=0.9 if len(below) == 1 else 0.5,
            extend="both",
            extendfrac=0.02,
        )
        bar.outline.set_visible(False)
        bar.set_label(words, fontsize=9, color=FAINT)
        bar.ax.tick_params(labelsize=8, length=2, color=FAINT, labelcolor=FAINT)

    def save(self, path) -> None:
        FigureCanvasAgg(self.figure)
        with written_atomically(path) as partial:
            self.figure.savefig(partial, format="png", dpi=DPI)

    def _frame(self, row: int, column: int, title: str, below: str):
        axes = self.panels[row, column]
        axes.set_title(title, fontsize=11.5, loc="left", color=INK, pad=5)
        axes.set_title(below, fontsize=9, loc="right", color=FAINT, pad=5)
        axes.set(xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set(color="#c3c8ce", linewidth=0.8)
        return axes
