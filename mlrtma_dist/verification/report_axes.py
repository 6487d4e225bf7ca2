"""Axes, maps and SVG text that the report's figures share; they take the page's colours and fonts, light or dark."""

import io
import itertools
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from mlrtma_dist.inference.map_style import logarithmic_ticks

INK = "#010203"  # replaced by the page's text colour; no other part of a figure has it
# Okabe and Ito (2008): distinct for the colour-blind, and on white as on black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
DRAWN = 4  # methods in one figure; more lines cannot be distinguished
# Without the darkest ends, which a dark page swallows.
SIGNED = ListedColormap(matplotlib.colormaps["RdBu_r"](np.linspace(0.1, 0.9, 256)))
NUMBER = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.25, 1.0, 256)))
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mlrtma",
    "font.size": 10,
    "savefig.dpi": 130,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.facecolor": "none",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
}
GRID: dict[str, Any] = {"color": "#808080", "alpha": 0.3, "linewidth": 0.6}
SIZE = (5.2, 3.3)  # inches; on cards 340 to 560 px wide the text is 9 to 15 px high
FRAME = (0.12, 0.15, 0.85, 0.8)  # left, bottom, width and height of the axes; fixed, so that figures line up


def colours_of(methods: Sequence[str]) -> dict[str, str]:
    """The colour of each method, the same in every figure of a report."""
    return dict(zip(methods, itertools.cycle(COLOURS), strict=False))


def frame_map(
    axes: Axes, longitude: np.ndarray, latitude: np.ndarray, outlines: Sequence[np.ndarray], middle: float
) -> None:
    """Limits around places, coasts and borders, degrees at the axes.

    Args:
        axes: of a map.
        longitude, latitude: degrees, shape (n,), longitudes within 180 degrees of ``middle``.
        outlines: coasts and borders, arrays (k, 2) of longitude and latitude in degrees.
        middle: longitude of the map's middle.
    """
    axes.set(xlim=_padded(longitude), ylim=_padded(latitude))
    for line in outlines:
        axes.plot(near(line[:, 0], middle), line[:, 1], color="#808080", linewidth=0.6, zorder=0)
    axes.set_aspect(1.0 / max(np.cos(np.deg2rad(latitude.mean())), 0.1))
    axes.xaxis.set_major_formatter(lambda value, _: _degrees((value + 180.0) % 360.0 - 180.0, "E", "W"))
    axes.yaxis.set_major_formatter(lambda value, _: _degrees(value, "N", "S"))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(**GRID)


def new_axes(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    """A figure and its axes, with a label for each."""
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes(FRAME, xlabel=horizontal, ylabel=vertical)
    axes.grid(**GRID)
    axes.set_axisbelow(True)
    return figure, axes


def colour_bar(figure: Figure, mappable, place: tuple[float, float, float, float], label: str) -> None:
    """A colour bar; the map's lies below and has pointed ends, since its colours are clipped."""
    horizontal = place[2] > place[3]
    bar = figure.colorbar(
        mappable,
        cax=figure.add_axes(place),
        orientation="horizontal" if horizontal else "vertical",
        extend="both" if horizontal else "neither",
    )
    if isinstance(mappable.norm, LogNorm):
        label_decades(bar.ax.yaxis)
    bar.set_label(label)
    bar.outline.set_visible(False)


def label_decades(axis: Axis) -> None:
    """Label a logarithmic axis with plain round numbers."""
    ticks = logarithmic_ticks(*sorted(axis.get_view_interval()))
    axis.set_ticks([value for value, _ in ticks], labels=[text for _, text in ticks])
    axis.set_minor_locator(NullLocator())


def legend_above(axes: Axes, title: str = "") -> None:
    """The legend in a row or two above the axes, which make room: lines and bars pass beneath no text."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 if max(map(len, labels)) > 28 else 2
    rows = -(-len(labels) // columns) + bool(title)
    place, room = axes.get_position(), (0.2 * rows + 0.08) / SIZE[1]
    axes.set_position((place.x0, place.y0, place.width, 0.98 - room - place.y0))
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=columns,
        title=title or None,
        fontsize=9,
        title_fontsize=9,
        alignment="left",
        columnspacing=1.4,
        borderaxespad=0.2,
    )


def _padded(values: np.ndarray) -> tuple[float, float]:
    """Ends of an axis with 3 % of its length, at least 0.05 degree, to spare."""
    spare = max(0.03 * float(np.ptp(values)), 0.05)
    return float(values.min()) - spare, float(values.max()) + spare


def near(longitude: np.ndarray, middle: float) -> np.ndarray:
    """Longitudes within 180 degrees of ``middle``, so that neighbours across the date line are drawn side by side."""
    return (longitude - middle + 180.0) % 360.0 - 180.0 + middle


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"


def as_svg(figure: Figure, alternative: str) -> Markup:
    """The figure as an SVG element for an HTML page, with its alternative text.

    matplotlib numbers the parts of each figure from one; a prefix from the text keeps them apart on one page.
    """
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    prefix = re.sub(r"\W+", "-", alternative)[:120]
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    box = re.findall(r'viewBox="([^"]*)"', svg)[0]
    return Markup(f'<svg viewBox="{box}" role="img" aria-label="{escape(alternative)}">{svg[svg.index(">") + 1 :]}')
