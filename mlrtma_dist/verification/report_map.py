"""Maps of the report: stations by place, over coasts and borders, as SVG that takes the page's colours."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from mlrtma_dist.verification.report_axes import COLOURS, STYLE, as_svg, frame_map, near

SIZE = (9.0, 5.2)  # inches: it has a row of its own
GREY = "#8a93a0"  # of stations without a flag


def map_of_groups(groups: Sequence[tuple[str, np.ndarray, np.ndarray]], outlines: Sequence[np.ndarray] = ()) -> Markup:
    """Groups of stations, the first in small grey dots, the others in colours of their own, rarer ones on top.

    Args:
        groups: label, latitude and longitude in degrees, shape (n,) each; at least one place in all.
        outlines: coasts and borders, arrays (k, 2) of longitude and latitude in degrees.

    Returns:
        An SVG element.
    """
    longitudes = np.concatenate([longitude for _, _, longitude in groups])
    latitudes = np.concatenate([latitude for _, latitude, _ in groups])
    radians = np.deg2rad(longitudes)
    middle = np.rad2deg(np.arctan2(np.sin(radians).mean(), np.cos(radians).mean()))  # Alaska crosses the date line
    labels = [f"{label} ({len(set(zip(a.tolist(), o.tolist(), strict=True))):,})" for label, a, o in groups]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE)
        axes = figure.add_axes((0.06, 0.16, 0.92, 0.82))
        for number, (_, latitude, longitude) in enumerate(groups):
            axes.scatter(
                near(longitude, middle),
                latitude,
                s=4 if number == 0 else 26,
                label=labels[number],
                color=GREY if number == 0 else COLOURS[(number - 1) % len(COLOURS)],
                zorder=2 + number,
                marker="o" if number <= len(COLOURS) else "X",
                edgecolors="none",
                rasterized=True,
            )
        frame_map(axes, near(longitudes, middle), latitudes, outlines, middle)
        figure.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=9, markerscale=1.2)
        return as_svg(figure, f"Map of stations by the outcome of quality control: {', '.join(labels)}.")
