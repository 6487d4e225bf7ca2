"""Figures of one case whose truth is known: what is, what was measured, believed and said, and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlrtma_dist.io.atomic import written_atomically

FIELD, ERROR = "RdYlBu_r", "PuOr_r"  # diverging, and unlike each other: errors have another scale
INK, FAINT = "#22262b", "#6b7280"
DPI = 130
SHARE = 0.995  # of the values that a scale holds: a single extreme does not fade the rest


@dataclass(frozen=True)
class CaseShown:
    """One case.

    Attributes:
        truth: shape (y, x); analyses: by the name that stands above each, shape (y, x) each, the background first.
        place: grid coordinates (y, x) of the observations, shape (n, 2); value: shape (n,).
        title: of the figure.
    """

    truth: np.ndarray
    analyses: Mapping[str, np.ndarray]
    place: np.ndarray
    value: np.ndarray
    title: str

    def rmse(self, name: str) -> float:
        """Of one of the analyses."""
        return float(np.sqrt(np.mean((self.analyses[name] - self.truth) ** 2)))


def draw_case(path, case: CaseShown, background: str, prediction: str) -> None:
    """Truth, observations, background, prediction and its error side by side, as a PNG.

    Args:
        background, prediction: names of analyses of the case.
    """
    said = case.analyses[prediction]
    bound, wrong = _bound(case.truth), _bound(said - case.truth)
    sheet = _Sheet(case, 5)
    sheet.field(0, case.truth, bound, "truth", "")
    sheet.observations(1, bound, f"{len(case.value)} observations")
    sheet.field(2, case.analyses[background], bound, background, f"rmse {case.rmse(background):.3f}")
    shown = sheet.field(3, said, bound, prediction, f"rmse {case.rmse(prediction):.3f}")
    sheet.bar(shown, slice(0, 4), "field")
    shown = sheet.field(4, said - case.truth, wrong, "error", f"{prediction} minus truth", ERROR)
    sheet.dots(4)
    sheet.bar(shown, slice(4, 5), "error")
    sheet.save(path)


def draw_errors(path, case: CaseShown) -> None:
    """The error of every analysis of a case on one scale, as a PNG; dots are the observations."""
    errors = {name: field - case.truth for name, field in case.analyses.items()}
    bound = float(np.median([_bound(error) for error in errors.values()]))
    sheet = _Sheet(case, len(errors))
    for number, (name, error) in enumerate(errors.items()):
        shown = sheet.field(number, error, bound, name, f"rmse {case.rmse(name):.3f}", ERROR)
        sheet.dots(number)
    sheet.bar(shown, slice(0, len(errors)), "analysis minus truth")
    sheet.save(path)


def _bound(field: np.ndarray) -> float:
    return float(np.quantile(np.abs(field), SHARE))


class _Sheet:
    """Square panels in a row; every point of the plane is drawn as it is, none in between is made up."""

    def __init__(self, case: CaseShown, panels: int):
        self.case = case
        self.figure = Figure(figsize=(2.55 * panels + 0.2, 3.75), layout="constrained", facecolor="white")
        self.figure.get_layout_engine().set(w_pad=0.05, h_pad=0.05, wspace=0.015)
        self.figure.suptitle(case.title, x=0.01, ha="left", fontsize=10.5, color=FAINT)
        self.panels = np.atleast_1d(self.figure.subplots(1, panels))

    def field(self, number: int, values: np.ndarray, bound: float, title: str, below: str, colours: str = FIELD):
        axes = self._frame(number, title, below)
        return axes.imshow(values, origin="lower", cmap=colours, vmin=-bound, vmax=bound, interpolation="nearest")

    def observations(self, number: int, bound: float, title: str) -> None:
        axes, size = self._frame(number, title, ""), self.case.truth.shape
        axes.set(xlim=(-0.5, size[1] - 0.5), ylim=(-0.5, size[0] - 0.5), aspect=1, facecolor="#f3f4f6")
        axes.scatter(*self.case.place.T[::-1], c=self.case.value, s=15, cmap=FIELD, vmin=-bound, vmax=bound,
                     edgecolors=INK, linewidths=0.25)

    def dots(self, number: int) -> None:
        self.panels[number].scatter(*self.case.place.T[::-1], s=1.6, c=INK, linewidths=0, alpha=0.75)

    def bar(self, shown, panels: slice, words: str) -> None:
        below = list(self.panels[panels])
        bar = self.figure.colorbar(shown, ax=below, orientation="horizontal", aspect=16 * len(below), pad=0.03,
                                   shrink=0.9 if len(below) == 1 else 0.5, extend="both", extendfrac=0.02)
        bar.outline.set_visible(False)
        bar.set_label(words, fontsize=9, color=FAINT)
        bar.ax.tick_params(labelsize=8, length=2, color=FAINT, labelcolor=FAINT)

    def save(self, path) -> None:
        FigureCanvasAgg(self.figure)
        with written_atomically(path) as partial:
            self.figure.savefig(partial, format="png", dpi=DPI)

    def _frame(self, number: int, title: str, below: str):
        axes = self.panels[number]
        axes.set_title(title, fontsize=11.5, loc="left", color=INK, pad=5)
        axes.set_title(below, fontsize=9, loc="right", color=FAINT, pad=5)
        axes.set(xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set(color="#c3c8ce", linewidth=0.8)
        return axes
