"""Figures of the report, as SVG text that takes the page's colours and fonts, light or dark.

Points are drawn as an embedded picture (thousands of SVG circles are slow to open), lines and text as themselves.
"""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mlrtma_dist.names import variable
from mlrtma_dist.verification.diagnostics import SpreadSkill
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.report_words import error_unit, method_name
from mlrtma_dist.verification.scores import rmse

INK = "#010203"  # replaced by the page's text colour; no other part of a figure has it
# Okabe and Ito (2008): told apart by the colour-blind, and on white as on black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
# Without the darkest ends, which a dark page swallows.
SIGNED = ListedColormap(matplotlib.colormaps["RdBu_r"](np.linspace(0.1, 0.9, 256)))
NUMBER = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.25, 1.0, 256)))
STYLE = {
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
GRID = {"color": "#808080", "alpha": 0.3, "linewidth": 0.6}
SIZE = (5.2, 3.3)  # inches; on cards 340 to 560 px wide the text is 9 to 15 px high
FRAME = (0.12, 0.15, 0.85, 0.8)  # left, bottom, width and height of the axes; fixed, so that figures line up


def error_map(matches: Matches, outlines: Sequence[np.ndarray] = ()) -> str | None:
    """Where the errors are: each withheld station, coloured by prediction minus observation.

    Args:
        matches: scored rows of one method and variable.
        outlines: coasts and borders, arrays (k, 2) of longitude and latitude in degrees.

    Returns:
        SVG text; None where no station has a position.
    """
    placed = matches.select(np.isfinite(matches.latitude) & np.isfinite(matches.longitude))
    if not len(placed):
        return None
    name = placed.variable[0]
    unit = error_unit(name)
    error = placed.error * unit.factor
    limit = max(float(np.quantile(np.abs(error), 0.98)), 10.0**-unit.decimals)
    order = np.argsort(np.abs(error), kind="stable")  # the large ones on top
    radians = np.deg2rad(placed.longitude)
    middle = np.rad2deg(np.arctan2(np.sin(radians).mean(), np.cos(radians).mean()))  # Alaska crosses the date line
    longitude = near(placed.longitude, middle)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE)
        axes = figure.add_axes((0.1, 0.3, 0.88, 0.67))
        points = axes.scatter(
            longitude[order],
            placed.latitude[order],
            c=error[order],
            s=6 + 16 * np.abs(error[order]).clip(max=limit) / limit,
            cmap=SIGNED,
            vmin=-limit,
            vmax=limit,
            edgecolors="#808080",
            linewidths=0.25,
            rasterized=True,
        )
        frame_map(axes, longitude, placed.latitude, outlines, middle)
        _bar(figure, points, (0.2, 0.165, 0.68, 0.03), f"analysis minus observation, {unit.text}")
        alternative = f"Map of {len(placed)} withheld stations coloured by the error of {name} analysed by "
        alternative += f"{method_name(placed.method[0])}; 98 % lie within {limit:.{unit.decimals}f} {unit.text}."
        return as_svg(figure, alternative)


def histogram(matches: Matches, colours: Mapping[str, str]) -> str:
    """How the errors of some methods are distributed.

    Args:
        matches: scored rows of one variable.
        colours: of the methods to draw, each of which has rows.
    """
    name = matches.variable[0]
    unit = error_unit(name)
    errors = {method: matches.select(method=method).error * unit.factor for method in colours}
    limit = max(float(np.quantile(np.abs(np.concatenate(list(errors.values()))), 0.99)), 10.0**-unit.decimals)
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(f"analysis minus observation, {unit.text}", "observations, %")
        for method, error in errors.items():
            weights = np.full(len(error), 100.0 / len(error))
            axes.hist(
                error,
                bins=np.linspace(-limit, limit, 42),
                weights=weights,
                histtype="step",
                color=colours[method],
                linewidth=1.6,
                label=f"{method_name(method)} {unit.show(rmse(error) / unit.factor)}",
            )
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.margins(x=0)
        axes.legend(loc="upper left", title=f"rmse, {unit.text}", fontsize=9, title_fontsize=9)
        shown = ", ".join(f"{method_name(m)} {unit.show(rmse(e) / unit.factor)} {unit.text}" for m, e in errors.items())
        return as_svg(figure, f"Histogram of the errors of {name}; rmse by method: {shown}.")


def scatter(matches: Matches) -> str:
    """Analysis against observation, in the unit for people; logarithmic axes where the analysis space is.

    Args:
        matches: scored rows of one method and variable.
    """
    about = variable(str(matches.variable[0]))
    text, factor, offset = about.display
    text = text.replace("deg", "°").replace(" s-1", "/s")
    x, y = (about.from_analysis(value) * factor + offset for value in (matches.observation, matches.prediction))
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(f"observed, {text}", f"analysed, {text}")
        axes.set_position((0.12, 0.15, 0.72, 0.8))
        scale = "log" if about.transform == "log" else "linear"
        cells = axes.hexbin(
            x,
            y,
            gridsize=45,
            bins="log",
            mincnt=1,
            cmap=NUMBER,
            xscale=scale,
            yscale=scale,
            rasterized=True,
            linewidths=0.2,
        )
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color="#d55e00", linewidth=1.2)
        _bar(figure, cells, (0.87, 0.15, 0.025, 0.8), "observations")
        alternative = f"Analysed against observed {about.name} at {len(matches)} withheld stations"
        if np.ptp(matches.observation) > 0 and np.ptp(matches.prediction) > 0:
            alternative += f"; correlation {np.corrcoef(matches.observation, matches.prediction)[0, 1]:.2f}"
        return as_svg(figure, f"{alternative}.")


def error_by_elevation(matches: Matches, colours: Mapping[str, str]) -> str | None:
    """The rmse in up to eight bins of elevation with about equally many observations each.

    Args:
        matches: scored rows of one variable.
        colours: of the methods to draw.

    Returns:
        SVG text; None where fewer than 20 elevations differ.
    """
    known = matches.select(np.isfinite(matches.elevation))
    if len(np.unique(known.elevation)) < 20:
        return None
    unit = error_unit(str(known.variable[0]))
    edges = np.unique(np.quantile(known.elevation, np.linspace(0, 1, 9)))
    number = np.clip(np.searchsorted(edges, known.elevation, side="right") - 1, 0, len(edges) - 2)
    middle = np.array([np.median(known.elevation[number == index]) for index in range(len(edges) - 1)])
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes("station elevation, m", f"rmse, {unit.text}")
        for method, colour in colours.items():
            own = known.method == method
            score = [unit.factor * rmse(known.error[own & (number == index)]) for index in range(len(middle))]
            axes.plot(middle, score, marker="o", markersize=4, color=colour, linewidth=1.6, label=method_name(method))
        axes.set_ylim(0, axes.get_ylim()[1] * 1.25)
        axes.legend(loc="upper left", ncols=2, fontsize=9)
        return as_svg(figure, f"Rmse of {known.variable[0]} by elevation, for {', '.join(map(method_name, colours))}.")


def reliability(name: str, spreads: Mapping[str, SpreadSkill], colours: Mapping[str, str]) -> str:
    """Predicted against actual error: points on the line where a method knows how wrong it is.

    Args:
        name: the variable.
        spreads: method -> its spread and skill, with at least one bin each.
        colours: of the methods.
    """
    unit = error_unit(name)
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(f"predicted error, {unit.text}", f"actual error, {unit.text}")
        for method, spread in spreads.items():
            x, y = unit.factor * np.array([(part.predicted, part.actual) for part in spread.bins]).T
            axes.plot(x, y, marker="o", markersize=4, color=colours[method], linewidth=1.6, label=method_name(method))
        right, top = (1.05 * end for end in (axes.get_xlim()[1], axes.get_ylim()[1]))
        axes.plot([0, max(right, top)], [0, max(right, top)], color=INK, linewidth=0.8, linestyle="--")
        axes.set(xlim=(0, right), ylim=(0, top))
        axes.legend(loc="upper left")
        ratios = ", ".join(f"{method_name(method)} {spread.ratio:.2f}" for method, spread in spreads.items())
        return as_svg(figure, f"Actual against predicted error of {name} in bins; actual over predicted: {ratios}.")


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
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(**GRID)


def _axes(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes(FRAME, xlabel=horizontal, ylabel=vertical)
    axes.grid(**GRID)
    axes.set_axisbelow(True)
    return figure, axes


def _bar(figure: Figure, drawn, place: tuple[float, float, float, float], label: str) -> None:
    """A colour bar; the map's lies below and has pointed ends, since its colours are clipped."""
    lying = place[2] > place[3]
    bar = figure.colorbar(
        drawn,
        cax=figure.add_axes(place),
        orientation="horizontal" if lying else "vertical",
        extend="both" if lying else "neither",
        format="%g",
    )
    bar.set_label(label)
    bar.outline.set_visible(False)


def _padded(values: np.ndarray) -> tuple[float, float]:
    """Ends of an axis with 3 % of its length, at least 0.05 degree, to spare."""
    spare = max(0.03 * float(np.ptp(values)), 0.05)
    return float(values.min()) - spare, float(values.max()) + spare


def near(longitude: np.ndarray, middle: float) -> np.ndarray:
    """Longitudes within 180 degrees of ``middle``, so that what is near is drawn near."""
    return (longitude - middle + 180.0) % 360.0 - 180.0 + middle


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"


def as_svg(figure: Figure, alternative: str) -> str:
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
    box = re.search(r'viewBox="([^"]*)"', svg)[1]
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(alternative)}">{svg[svg.index(">") + 1 :]}'
