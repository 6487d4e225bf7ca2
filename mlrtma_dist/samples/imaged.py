"""Imagery from gridded files beside the cases of any source: a satellite's channels, radar, or another field."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from mlrtma_dist.fields.imagery import NO_IMAGERY, Imagery
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.interpolate import regrid
from mlrtma_dist.io.grid_field import GriddedFileError, GridField
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.methods.case import Case, Cases, Contents
from mlrtma_dist.samples.derived import Derived
from mlrtma_dist.samples.file_patterns import FilePattern

log = logging.getLogger(__name__)
HALF = 0.5  # share of the pixels of a mean that must be present


@dataclass(frozen=True)
class FileChannel:
    """A channel as gridded files hold it.

    Attributes:
        field: its name in the files: the variable of netCDF, the short name of GRIB, or one of ``names.VARIABLES``.
        unit: of its values, which for a name of ``names.VARIABLES`` is that of SI; no value is converted.
    """

    field: str
    unit: str


@dataclass(frozen=True)
class ImageFiles:
    """The section ``imagery:`` of cases: gridded files of channels.

    Attributes:
        channels: name of each channel -> its field in the files.
        files: GRIB or CF netCDF files of one or several times, all of which are there.
        patterns: names of files by time (docs/archives.md); of a time whose file is missing there is no image.
        folder: that the patterns begin at; empty: the working folder, or the patterns are absolute.
        minutes: an image valid further from the time of a case is not used, minutes.
    """

    channels: dict[str, FileChannel]
    files: tuple[str, ...] = ()
    patterns: tuple[FilePattern, ...] = ()
    folder: str = ""
    minutes: float = 30.0

    def __post_init__(self):
        if not self.channels or not (self.files or self.patterns):
            raise ValueError("imagery: expected channels, and files or patterns, got none")
        if not 0.0 <= self.minutes <= 1440.0:
            raise ValueError(f"imagery: minutes: expected from 0 to 1440, got {self.minutes:g}")

    def of(self, time: np.datetime64, domain: Domain) -> Imagery:
        """The images nearest to a time, on a domain; without the channels that have none near it.

        Raises:
            GriddedFileError: a file cannot be read, or has a channel on several levels.
        """
        names = tuple({channel.field for channel in self.channels.values()})
        wide = np.timedelta64(round(60 * self.minutes), "s")
        window = time.astype("datetime64[s]") - wide, time.astype("datetime64[s]") + wide
        values: dict[str, np.ndarray] = {}
        for paths in self._paths(time):
            fields = [each for path in paths for each in read_gridded(path, names, window)]
            for name, channel in self.channels.items():
                images = [each for each in fields if each.name == channel.field]
                if images and name not in values:
                    values[name] = on_domain(nearest(images, time), domain)
            if len(values) == len(self.channels):
                break
        missing = [name for name in self.channels if name not in values]
        if missing:
            log.warning("no image of %s within %g minutes of %s", ", ".join(missing), self.minutes, time)
        return Imagery(Box.whole(domain.shape), values) if values else NO_IMAGERY

    def _paths(self, time: np.datetime64) -> Iterator[tuple[str, ...]]:
        """The files that may hold images of a time, the nearest first: each in turn for what is missing yet."""
        by_pattern = zip_longest(*(self._of_pattern(pattern, time) for pattern in self.patterns), fillvalue=())
        first = self.files
        for paths in by_pattern:
            yield (*first, *(path for each in paths for path in each))
            first = ()
        if first:
            yield first

    def _of_pattern(self, pattern: FilePattern, time: np.datetime64) -> list[tuple[str, ...]]:
        """The files of a pattern that are there, those of the time first, each once."""
        candidates = [each.files for each in pattern.resolve(time)]
        if not pattern.is_forecast:
            candidates += [(name,) for name in pattern.near(time, self.minutes)]
        result: list[tuple[str, ...]] = []
        for files in candidates:
            paths = tuple(path for path in (str(Path(self.folder) / name) for name in files) if Path(path).is_file())
            paths = tuple(path for path in paths if not any(path in earlier for earlier in result))
            result += [paths] if paths else []
        return result


def nearest(images: list[GridField], time: np.datetime64) -> GridField:
    """The image that is valid nearest to a time.

    Raises:
        GriddedFileError: it is on several levels, of which none is named.
    """
    best = min(images, key=lambda each: abs(each.valid_time - time))
    levels = sorted({(each.level_type, each.level) for each in images if each.valid_time == best.valid_time})
    if len(levels) > 1:
        words = ", ".join(f"{kind} {level:g}" for kind, level in levels)
        raise GriddedFileError(
            f"imagery: {best.source}: expected one field {best.name} at {best.valid_time}, got levels {words}."
            " Name files that hold one of them."
        )
    return best


def on_domain(image: GridField, domain: Domain) -> np.ndarray:
    """An image on the points of a domain, NaN where pixels are missing, shape (y, x), float32.

    A finer image is averaged over squares about as wide as the domain's spacing, where half of the pixels are present,
    before it is interpolated bilinearly.
    """
    values, ratio = image.values, domain.spacing_metres / image.domain.spacing_metres
    size = 2 * int(ratio / 2.0) + 1  # odd, so that a mean is that around its own pixel
    if size > 1:
        present = np.isfinite(values)
        sums, share = (
            uniform_filter(each.astype(np.float64), size, mode="constant")
            for each in (np.where(present, values, 0.0), present)
        )
        enough = share >= HALF - 1e-9
        values = np.where(enough, sums / np.maximum(share, HALF / 2), np.nan).astype(np.float32)
    return regrid(values, image.domain, domain).astype(np.float32)


@dataclass(frozen=True)
class Imaged(Derived):
    """A source whose cases have imagery of files (`methods.case.Cases`).

    Attributes:
        source: of the cases; images: the files.
    """

    images: ImageFiles

    @classmethod
    def over(cls, cases: Cases, images: ImageFiles | None) -> Cases:
        """The cases with images of files; None: there are none."""
        return cases if images is None else cls(cases, images)

    @property
    def contents(self) -> Contents:
        """What every case holds."""
        channels = self.images.channels
        units = tuple(each.unit for each in channels.values())
        return replace(self.source.contents, imagery=tuple(channels), imagery_units=units)

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case on a box with the reports and the images of the whole domain; see `methods.case.Cases.case`."""
        return replace(self.source.case(number, box, withheld), imagery=self._of(number))

    def case_of_tile(self, number: int, box: Box) -> Case:
        """The same with the reports that the box owns: what a store keeps."""
        return replace(self.source.case_of_tile(number, box), imagery=self._of(number))

    def _of(self, number: int) -> Imagery:
        """The images of a case, read once for all stations that are withheld in turn."""
        if not self._last or self._last[0] != number:
            self._last[:] = [number, self.images.of(self.time[number], self.source.contents.domain)]
        return self._last[1]

    @cached_property
    def _last(self) -> list:
        return []
