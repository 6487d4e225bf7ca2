"""Figures of the report on withheld stations.

Points are drawn as an embedded picture (thousands of SVG circles are slow to open), lines and text as themselves.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mlrtma_dist.names import VARIABLES, from_analysis
from mlrtma_dist.verification.diagnostics import SpreadSkill
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.report_axes import (
    INK,
    NUMBER,
    SIGNED,
    SIZE,
    STYLE,
    as_svg,
    colour_bar,
    frame_map,
    label_decades,
    legend_above,
    near,
    new_axes,
)
from mlrtma_dist.verification.report_words import Wording
from mlrtma_dist.verification.scores import rmse


def error_map(matches: Matches, wording: Wording, outlines: Sequence[np.ndarray] = ()) -> Markup | None:
    """Where the errors are: each withheld station, coloured by prediction minus observation.

    Args:
        matches: scored rows of one method and variable.
        wording: names and units.
        outlines: coasts and borders, arrays (k, 2) of longitude and latitude in degrees.

    Returns:
        An SVG element; None where no station has a position.
    """
    located = matches.select(np.isfinite(matches.latitude) & np.isfinite(matches.longitude))
    if not len(located):
        return None
    name = str(located.variable[0])
    unit = wording.unit(name)
    error = located.error * unit.factor
    limit = max(float(np.quantile(np.abs(error), 0.98)), 10.0**-unit.decimals)
    order = np.argsort(np.abs(error), kind="stable")  # the large ones on top
    radians = np.deg2rad(located.longitude)
    middle = np.rad2deg(np.arctan2(np.sin(radians).mean(), np.cos(radians).mean()))  # Alaska crosses the date line
    longitude = near(located.longitude, middle)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE)
        axes = figure.add_axes((0.1, 0.3, 0.88, 0.67))
        points = axes.scatter(
            longitude[order],
            located.latitude[order],
            c=error[order],
            s=6 + 16 * np.abs(error[order]).clip(max=limit) / limit,
            cmap=SIGNED,
            vmin=-limit,
            vmax=limit,
            edgecolors="#808080",
            linewidths=0.25,
            rasterized=True,
        )
        frame_map(axes, longitude, located.latitude, outlines, middle)
        colour_bar(figure, points, (0.2, 0.165, 0.68, 0.03), f"analysis minus observation, {unit.text}")
        alternative = f"Map of {len(located)} withheld stations coloured by the error of {name} analysed by "
        alternative += f"{wording.method(located.method[0])}; 98 % lie within {limit:.{unit.decimals}f} {unit.text}."
        return as_svg(figure, alternative)


def histogram(matches: Matches, colours: Mapping[str, str], wording: Wording) -> Markup:
    """How the errors of some methods are distributed.

    Args:
        matches: scored rows of one variable.
        colours: of the methods to draw, each of which has rows.
        wording: names and units.
    """
    name = str(matches.variable[0])
    unit = wording.unit(name)
    errors = {method: matches.select(method=method).error * unit.factor for method in colours}
    limit = max(float(np.quantile(np.abs(np.concatenate(list(errors.values()))), 0.99)), 10.0**-unit.decimals)
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes(f"analysis minus observation, {unit.text}", "observations, %")
        for method, error in errors.items():
            weights = np.full(len(error), 100.0 / len(error))
            axes.hist(
                error,
                bins=np.linspace(-limit, limit, 42).tolist(),
                weights=weights,
                histtype="step",
                color=colours[method],
                linewidth=1.6,
                label=f"{wording.method(method)} {unit.show(rmse(error) / unit.factor)}",
            )
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.margins(x=0)
        legend_above(axes, f"rmse, {unit.text}")
        scores = [f"{wording.method(m)} {unit.show(rmse(e) / unit.factor)} {unit.text}" for m, e in errors.items()]
        return as_svg(figure, f"Histogram of the errors of {name}; rmse by method: {', '.join(scores)}.")


def scatter(matches: Matches, wording: Wording) -> Markup:
    """Analysis against observation, in the unit for people; logarithmic axes where the analysis space is.

    Args:
        matches: scored rows of one method and variable.
        wording: names and units.
    """
    name = str(matches.variable[0])
    entry = VARIABLES.get(name)
    text, factor, offset = entry.display if entry else (wording.unit(name).text, 1.0, 0.0)
    text = text.replace("deg", "°").replace(" s-1", "/s")
    if entry and entry.limited is not None:
        text += f" ({entry.valid[1] * factor:g}: no limit)"
    x, y = (from_analysis(name, value) * factor + offset for value in (matches.observation, matches.prediction))
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes(f"observed, {text}", f"analysed, {text}")
        axes.set_position((0.12, 0.15, 0.72, 0.8))
        scale: Literal["log", "linear"] = "log" if entry and entry.transform == "log" else "linear"
        cells = axes.hexbin(
            x,
            y,
            gridsize=45,
            mincnt=1,
            cmap=NUMBER,
            xscale=scale,
            yscale=scale,
            rasterized=True,
            linewidths=0.2,
        )
        cells.set_norm(LogNorm(1.0, max(2.0, float(np.max(np.asarray(cells.get_array()))))))
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color="#d55e00", linewidth=1.2)
        if scale == "log":
            label_decades(axes.xaxis)
            label_decades(axes.yaxis)
        colour_bar(figure, cells, (0.87, 0.15, 0.025, 0.8), "observations")
        alternative = f"Analysed against observed {name} at {len(matches)} withheld stations"
        if np.ptp(matches.observation) > 0 and np.ptp(matches.prediction) > 0:
            alternative += f"; correlation {np.corrcoef(matches.observation, matches.prediction)[0, 1]:.2f}"
        return as_svg(figure, f"{alternative}.")


def error_by_elevation(matches: Matches, colours: Mapping[str, str], wording: Wording) -> Markup | None:
    """The rmse in up to eight bins of elevation with about equally many observations each.

    Args:
        matches: scored rows of one variable.
        colours: of the methods to draw.
        wording: names and units.

    Returns:
        An SVG element; None where fewer than 20 elevations differ.
    """
    rows = matches.select(np.isfinite(matches.elevation))
    if len(np.unique(rows.elevation)) < 20:
        return None
    unit = wording.unit(str(rows.variable[0]))
    edges = np.unique(np.quantile(rows.elevation, np.linspace(0, 1, 9)))
    number = np.clip(np.searchsorted(edges, rows.elevation, side="right") - 1, 0, len(edges) - 2)
    middle = np.array([np.median(rows.elevation[number == index]) for index in range(len(edges) - 1)])
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("station elevation, m", f"rmse, {unit.text}")
        for method, colour in colours.items():
            own = rows.method == method
            score = [unit.factor * rmse(rows.error[own & (number == index)]) for index in range(len(middle))]
            axes.plot(
                middle, score, marker="o", markersize=4, color=colour, linewidth=1.6, label=wording.method(method)
            )
        axes.set_ylim(0, axes.get_ylim()[1])
        legend_above(axes)
        methods = ", ".join(map(wording.method, colours))
        return as_svg(figure, f"Rmse of {rows.variable[0]} by elevation, for {methods}.")


def reliability(name: str, spreads: Mapping[str, SpreadSkill], colours: Mapping[str, str], wording: Wording) -> Markup:
    """Predicted against actual error: points lie on the line where a method's predicted error is right.

    Args:
        name: the variable.
        spreads: method -> its spread and skill, with at least one bin each.
        colours: of the methods.
        wording: names and units.
    """
    unit = wording.unit(name)
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes(f"predicted error, {unit.text}", f"actual error, {unit.text}")
        for method, spread in spreads.items():
            x, y = unit.factor * np.array([(part.predicted, part.actual) for part in spread.bins]).T
            label = wording.method(method)
            axes.plot(x, y, marker="o", markersize=4, color=colours[method], linewidth=1.6, label=label)
        right, top = (1.05 * end for end in (axes.get_xlim()[1], axes.get_ylim()[1]))
        axes.plot([0, max(right, top)], [0, max(right, top)], color=INK, linewidth=0.8, linestyle="--")
        axes.set(xlim=(0, right), ylim=(0, top))
        legend_above(axes)
        ratios = ", ".join(f"{wording.method(method)} {spread.ratio:.2f}" for method, spread in spreads.items())
        return as_svg(figure, f"Actual against predicted error of {name} in bins; actual over predicted: {ratios}.")
