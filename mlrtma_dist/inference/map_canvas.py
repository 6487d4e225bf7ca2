"""A map sheet in the domain's own projection: axes, coastlines, graticule, title, colour bar, notes."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from matplotlib.transforms import ScaledTranslation

from mlrtma_dist.fields.static import SIMULATED, Static
from mlrtma_dist.inference.map_picture import Picture
from mlrtma_dist.inference.map_style import Scale
from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.io.coastlines import RESOLUTIONS, Extent, read_lines, resolution_for

DPI = 150
LONGEST, HIGHEST = 10.5, 8.2  # inches that the map itself may take
MARGIN = {"left": 0.75, "right": 1.35, "bottom": 1.25, "top": 0.95}  # inches around it; more where notes are long
NARROWEST = 4.5  # inches that texts have, however narrow the map
LEGEND_WIDTH = 10.2  # inches of a map beneath which its legend finds room on one line
LINE = 0.152  # inches from one line of notes to the next
NOTE_WIDTH, SUBTITLE_WIDTH, TITLE_WIDTH = 16.5, 13.5, 8.5  # characters per inch of their sizes of type
MISSING = "#d9d9d9"
INK = "#1a1a1a"
SAMPLES = 60  # rows and columns whose latitudes represent those of the domain
STEPS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)  # degrees between the lines of the graticule


@dataclass(frozen=True)
class Base:
    """What all maps of a domain share, computed once.

    Attributes:
        static: of the domain.
    """

    static: Static

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """West, east, south and north edge of the outermost grid boxes, projection coordinates."""
        domain, half = self.static.domain, 0.5 * self.static.domain.spacing
        return domain.x[0] - half, domain.x[-1] + half, domain.y[0] - half, domain.y[-1] + half

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the map in inches."""
        rows, columns = self.static.domain.shape
        scale = min(LONGEST / columns, HIGHEST / rows)
        return columns * scale, rows * scale

    @cached_property
    def lines(self) -> dict[str, np.ndarray]:
        """Kind of line -> projection coordinates, shape (n, 2), NaN rows between lines.

        A simulated domain shows its own shore: coasts of the earth there would be false.
        """
        domain = self.static.domain
        if domain.is_plane or domain.land == SIMULATED:
            return {}
        latitude = domain.latitude_longitude(*self.sampled)[0]
        latitude = latitude[np.isfinite(latitude)]
        pixel = domain.spacing_metres * domain.size.x / (self.size[0] * DPI) / 1000.0
        resolution = resolution_for(pixel)
        # an island beneath 2 x 2 pixels is a speck, beneath 2 x 2 thinning lengths a dash; many small lakes are clutter
        island, lake = 2.0 * max(pixel, RESOLUTIONS[resolution]), 12.0 * pixel
        seen = Extent(latitude.min() - 1.0, latitude.max() + 1.0, coast_km2=island**2, lake_km2=lake**2)
        return {kind: self._project(read_lines(kind, resolution, seen)) for kind in ("states", "countries", "coast")}

    @property
    def thin(self) -> int:
        """Edge in grid points of the squares over which fields are averaged, so that about the pixels remain."""
        return max(1, int(self.static.domain.size.x / (self.size[0] * DPI)))

    @property
    def sampled(self) -> tuple[np.ndarray, np.ndarray]:
        """Some rows and columns, from the first to the last, whose latitudes represent those of the domain."""
        rows, columns = (np.unique(np.linspace(0, n - 1, SAMPLES).astype(int)) for n in self.static.domain.shape)
        return rows, columns

    def place(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Projection coordinates of positions in degrees, NaN beyond the map's edge; a plane has no such positions."""
        domain = self.static.domain
        if domain.is_plane:
            return np.full(np.shape(latitude), np.nan), np.full(np.shape(longitude), np.nan)
        row, column = domain.index(latitude, longitude)
        with np.errstate(invalid="ignore"):
            inside = (np.abs(row / domain.size.y - 0.5) <= 0.52) & (np.abs(column / domain.size.x - 0.5) <= 0.52)
        x, y = (
            np.where(inside, start + domain.spacing * index, np.nan)
            for start, index in ((domain.x[0], column), (domain.y[0], row))
        )
        return x, y

    def _project(self, lines: np.ndarray) -> np.ndarray:
        x, y = self.place(lines[:, 1], lines[:, 0])
        # on a grid around the earth a line that leaves at one side comes back at the other
        torn = np.abs(np.diff(x, prepend=np.nan)) > 0.5 * (self.extent[1] - self.extent[0])
        x[torn] = np.nan
        visible = np.isfinite(x) | np.isfinite(np.roll(x, 1))  # runs of NaN become one
        return np.column_stack([x, y])[visible]


class Sheet:
    """One figure with one map; matplotlib's global state is not touched.

    Attributes:
        base: what the maps of the domain share.
        axes: of the map, in projection coordinates.
    """

    def __init__(self, base: Base, title: str, subtitle: str, notes: Sequence[str] = (), *, legend: bool = False):
        """Make a sheet with room for all its notes.

        Args:
            base: what the maps of the domain share.
            title, subtitle: above the map.
            notes: small print beneath it, wrapped to its width.
            legend: leave room for `legend` above the notes.
        """
        self.base = base
        width, height = base.size
        room = max(width, NARROWEST)
        heading, below, small = (
            _wrapped(lines, int(room * density))
            for lines, density in (([title], TITLE_WIDTH), ([subtitle], SUBTITLE_WIDTH), (notes, NOTE_WIDTH))
        )
        self._legend_lines = (1 if width >= LEGEND_WIDTH else 3) if legend else 0
        first_note = 0.36 + 0.2 * self._legend_lines + 0.06 * legend
        self._bottom = max(MARGIN["bottom"], first_note + LINE * len(small) + 0.1)
        top = 0.14 + 0.17 * len(below) + 0.27 * len(heading)
        self._width = MARGIN["left"] + max(width + MARGIN["right"], room + 0.4)
        self._height = self._bottom + height + max(MARGIN["top"], top + 0.1)
        self._figure = Figure(figsize=(self._width, self._height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self._figure)
        self.axes = self._place_axes(MARGIN["left"], self._bottom, width, height)
        self.axes.set_facecolor(MISSING)
        self.axes.set(xlim=base.extent[:2], ylim=base.extent[2:], aspect="equal")
        edge = self._bottom + height + 0.14
        self._text(MARGIN["left"], edge + 0.17 * len(below) + 0.12, "\n".join(heading), 15, weight="bold")
        self._text(MARGIN["left"], edge, "\n".join(below), 9.5, color="#404040")
        note_top = self._bottom - first_note
        self._text(MARGIN["left"], note_top, "\n".join(small), 8, color="#505050", va="top", linespacing=1.35)

    def field(self, picture: Picture, scale: Scale) -> AxesImage:
        """Draw a field that was thinned to `Base.thin`; NaN is grey."""
        values, thin = picture.values, picture.thin
        west, _, south, _ = self.base.extent
        box = self.base.static.domain.spacing * thin
        image = self.axes.imshow(
            values,
            cmap=scale.colours,
            norm=scale.norm,
            origin="lower",
            zorder=1,
            extent=(west, west + box * values.shape[1], south, south + box * values.shape[0]),
        )
        self.axes.set(xlim=self.base.extent[:2], ylim=self.base.extent[2:])
        return image

    def geography(self) -> None:
        """Draw coast, borders, states and the graticule."""
        for kind, width in (("states", 0.4), ("countries", 0.7), ("coast", 0.6)):
            lines = self.base.lines.get(kind)
            if lines is not None and len(lines):
                halo = [withStroke(linewidth=width + 0.9, foreground="white", alpha=0.55)]
                self.axes.plot(*lines.T, color=INK, linewidth=width, zorder=3, path_effects=halo)
        domain = self.base.static.domain
        if domain.land == SIMULATED:
            land = self.base.static.land
            self.axes.contour(domain.x, domain.y, land, levels=[0.5], colors=INK, linewidths=0.9, zorder=3)
        if domain.is_plane:
            self.axes.tick_params(labelsize=8, color="#808080")
        else:
            self._graticule()

    def bar(self, image, label: str, arrows: str, ticks=()) -> None:
        """The colour bar at the right of the map; ``ticks`` are pairs of value and text."""
        width, height = self.base.size
        axes = self._place_axes(MARGIN["left"] + width + 0.22, self._bottom + 0.04 * height, 0.2, 0.92 * height)
        bar = self._figure.colorbar(image, cax=axes, extend=arrows)
        bar.outline.set_linewidth(0.5)
        if ticks:
            bar.set_ticks([value for value, _ in ticks], labels=[text for _, text in ticks])
            bar.ax.minorticks_off()
        bar.ax.tick_params(labelsize=8.5, width=0.5)
        bar.set_label(label, fontsize=9.5)

    def legend(self) -> None:
        """The legend of what was drawn with a label, in the room that was left for it."""
        self.axes.legend(
            loc="upper left",
            bbox_to_anchor=(0.0, 0.0),
            bbox_transform=self._below(0.30),
            ncols=3 if self._legend_lines == 1 else 1,
            fontsize=8.5,
            frameon=False,
            borderaxespad=0.0,
            borderpad=0.0,
            labelspacing=0.3,
            handletextpad=0.3,
            columnspacing=1.5,
        )

    def save(self, path):
        """Write a PNG, whole or not at all, and return its path."""
        with written_atomically(path) as partial:
            self._figure.savefig(partial, format="png")
        return path

    def _below(self, inches: float):
        return self.axes.transAxes + ScaledTranslation(0.0, -inches, self._figure.dpi_scale_trans)

    def _place_axes(self, left: float, bottom: float, width: float, height: float):
        box = left / self._width, bottom / self._height, width / self._width, height / self._height
        return self._figure.add_axes(box)

    def _text(self, x: float, y: float, text: str, size: float, **style) -> None:
        self._figure.text(x / self._width, y / self._height, text, fontsize=size, **style)

    def _graticule(self) -> None:
        """Meridians and parallels, labelled where they cross the western and southern edge."""
        domain = self.base.static.domain
        rows, columns = self.base.sampled
        latitude, longitude = domain.latitude_longitude(rows, columns)
        middle = float(longitude[len(rows) // 2, len(columns) // 2])
        east = (longitude - middle + 180.0) % 360.0 - 180.0
        east = np.where(np.abs(east) > 170.0, np.nan, east)  # behind the pole the count of degrees jumps
        parallels = latitude, latitude[:, 0], domain.y[rows], 0.0, self.axes.yaxis, "NS"
        meridians = east, east[0], domain.x[columns], middle, self.axes.xaxis, "EW"
        for values, edge, along, start, axis, letters in (parallels, meridians):
            levels = _levels(values, start)
            self.axes.contour(
                domain.x[columns],
                domain.y[rows],
                np.ma.masked_invalid(values),
                levels=levels - start,
                colors="#a0a0a0",
                linewidths=0.5,
                alpha=0.5,
                linestyles="solid",
                zorder=2,
            )
            at = _crossings(edge, along, levels - start)
            crossed = np.isfinite(at)
            axis.set_ticks(at[crossed], labels=[_degrees(v, letters) for v in levels[crossed]])
        self.axes.tick_params(labelsize=8, length=3, width=0.5, color="#808080", labelcolor="#505050")


def _wrapped(lines: Sequence[str], characters: int) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, characters)]


def _levels(values: np.ndarray, start: float) -> np.ndarray:
    """Round degrees inside the range of ``values + start``, about five of them."""
    low, high = np.nanmin(values) + start, np.nanmax(values) + start
    step = next((s for s in STEPS if (high - low) / s <= 7), STEPS[-1])
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step


def _crossings(edge: np.ndarray, along: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Where the values of an edge take the levels, NaN where never; an edge that turns back has none."""
    finite = np.isfinite(edge)
    edge, along = edge[finite], along[finite]
    if len(edge) < 2 or not (np.all(np.diff(edge) > 0) or np.all(np.diff(edge) < 0)):
        return np.full(len(levels), np.nan)
    order = np.argsort(edge)
    return np.interp(levels, edge[order], along[order], left=np.nan, right=np.nan)


def _degrees(value: float, letters: str) -> str:
    value = (value + 180.0) % 360.0 - 180.0 if letters == "EW" else value
    letter = "" if value in (0.0, -180.0) else letters[0] if value > 0 else letters[1]
    return f"{abs(value):g}°{letter}"
