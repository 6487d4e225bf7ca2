"""Store: cases at rest in one HDF5 file, cut into chunks that the domain alone decides; a source of cases.

    time            (case,)                     seconds since 1970, UTC
    fields          (case, field, y, x)         float32, chunks of (1, all fields, edge, edge)
    imagery         (case, channel, y, x)       the same, NaN where a pixel is missing; only where there is imagery
    first           (case, chunk + 1)           rows of the table that belong to each chunk of each case
    place           (row, 2)                    grid coordinates (y, x) of reports; on the earth latitude and longitude
    elevation, age  (row,)                      m, seconds after the time of the case
    station, network (row,)                     names
    value, error    (row,)                      SI; variable (row,): its number among the observed types; flags (row,)

The table is ragged by time, and within a time sorted by the chunk of the fields that owns the report (`grid.box`), so a
rank reads those of its own chunks only.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np

from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.fields.imagery import NO_IMAGERY, Imagery, ReadFields
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box, cell_of
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.io.hdf5 import Reader, StoreError
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.layout import COLUMNS, FORMATS, ROWS, TRAINED_ON, UNUSED, WITHHELD, Layout, Table
from mlrtma_dist.samples.stored_background import stored_first_guess
from mlrtma_dist.simulation.worlds import world_from


class Store:
    """A store open for reading, and the source of its cases (`methods.case.Cases`).

    ``reader.bytes_read`` counts what was taken from the disk.

    Attributes:
        layout: what it holds.
        time: of every case, datetime64[s], shape (case,).
    """

    def __init__(self, path):
        """Open a store.

        Raises:
            StoreError: the file is none, or of another format.
        """
        self.reader = Reader(path)
        attributes = self.reader.attributes
        if attributes.get("format") not in FORMATS:
            raise StoreError(
                f"{path}: expected the format {FORMATS[-1]!r}, got {attributes.get('format')!r}."
                " Make it anew with `mlrtma samples`."
            )
        self.layout = Layout.from_attributes(attributes)
        self.time = self.reader.read("time", [range(self.reader.shape("time")[0])]).astype("datetime64[s]")

    @cached_property
    def contents(self) -> Contents:
        """What every case holds."""
        layout = self.layout
        return Contents(
            self.domain,
            layout.variables,
            layout.units,
            layout.observed,
            layout.backgrounds > 0,
            layout.truth,
            layout.errors > 0,
            layout.boxes,
            layout.imagery,
            layout.imagery_units,
        )

    @cached_property
    def domain(self) -> Domain:
        """The grid, as the store itself describes it; older formats name it."""
        return self.layout.load_domain(str(self.reader.path))

    @property
    def edge(self) -> int:
        """Points on a side of a chunk: tiles that begin on multiples of it read no chunk twice."""
        return self.layout.edge

    @cached_property
    def static(self) -> Static:
        """Terrain and land of the domain."""
        return load_static(self.domain)

    @cached_property
    def law(self):
        """The simulated world that the cases come from, whose statistics are known; None: none is recorded."""
        return world_from(self.reader.attributes.get("made_by"), f"{self.reader.path}: made_by")

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case on a box with the reports of the whole domain; see `methods.case.Cases.case`."""
        whole = Box.whole(self.layout.shape)
        table = self.observations(number, *_ranges(whole), every_column=True)
        return self._case(number, box, self._reports(number, table, every_column=True), table.place, withheld)

    def case_of_tile(self, number: int, box: Box, reports: bool = True) -> Case:
        """A case on a box, which may wrap on a periodic domain, with the box's own reports: what training reads.

        The reports have a place on the grid, value, error, variable and flags; what else is stored of them is not read.

        Args:
            reports: whether they are read at all.
        """
        table = self.observations(number, *_ranges(box)) if reports else self._rows(range(0), every_column=False)
        return self._case(number, box, self._reports(number, table, every_column=False), table.place)

    def reports(self, number: int) -> Observations:
        """The reports of a case, n rows, in the order of `case`."""
        table = self.observations(number, *_ranges(Box.whole(self.layout.shape)), every_column=True)
        return of_stored_flags(self._reports(number, table, every_column=True))[2]

    def _case(
        self,
        number: int,
        box: Box,
        observations: Observations,
        place: np.ndarray,
        withheld: np.ndarray | None = None,
    ) -> Case:
        layout, fields = self.layout, self.fields(number, *_ranges(box))
        used, stored, observations = of_stored_flags(observations)
        withheld = stored if withheld is None else stored | withheld
        backgrounds = fields[: layout.backgrounds]
        errors = fields[layout.backgrounds : layout.backgrounds + layout.errors]
        truths = fields[layout.backgrounds + layout.errors :]
        return Case(
            self.static,
            box,
            self.time[number],
            observations,
            used & ~withheld,
            withheld,
            self._first_guess(number) if layout.backgrounds else None,
            place=place,
            truth=dict(zip(layout.variables, truths, strict=True)) if layout.truth else None,
            background=dict(zip(layout.variables, backgrounds, strict=False)),
            background_error=dict(zip(layout.variables, errors, strict=False)),
            variables=layout.variables,
            units=layout.unit_of,
            before=lambda lag: self.before(number, box, lag),
            imagery=self._imagery(number),
        )

    def before(self, number: int, box: Box, lag: np.timedelta64) -> dict[str, np.ndarray] | None:
        """The truth on a box of the one case that is ``lag`` earlier than one; None where there is none or several."""
        layout, earlier = self.layout, np.flatnonzero(self.time == self.time[number] - lag)
        if not layout.truth or len(earlier) != 1:
            return None
        names = layout.variables
        which = range(len(layout.fields) - len(names), len(layout.fields))
        return dict(zip(names, self.fields(int(earlier[0]), *_ranges(box), which), strict=True))

    def _imagery(self, number: int) -> Imagery:
        """The imagery of a case on the whole domain; a channel is read whenever it is taken."""
        channels, whole = self.layout.imagery, Box.whole(self.layout.shape)

        def read(index: int) -> np.ndarray:
            ranges = [range(number, number + 1), range(index, index + 1), *_ranges(whole)]
            return self.reader.read("imagery", ranges)[0, 0]

        return Imagery(whole, ReadFields(channels, read)) if channels else NO_IMAGERY

    def _first_guess(self, number: int) -> FirstGuess:
        """The background at any point; whole fields are read when a point is asked for."""
        rows, columns = _ranges(Box.whole(self.layout.shape))

        def read(index: int) -> np.ndarray:
            return self.fields(number, rows, columns, range(index, index + 1))[0]

        name = f"background of {self.reader.path.name}"
        return stored_first_guess(self.static, self.time[number], self.layout.variables, read, name)

    def _reports(self, number: int, table: Table, every_column: bool) -> Observations:
        names = np.array(self.layout.observed)
        station, network = np.zeros((2, len(table)), "U1")
        if every_column:
            station, network = (np.char.decode(column, "utf-8") for column in (table.station, table.network))
        return Observations.build(
            station=station,
            network=network,
            latitude=table.latitude,
            longitude=table.longitude,
            elevation=table.elevation,
            time=self.time[number] + table.age.astype("timedelta64[s]"),
            variable=names[table.variable] if len(table) else np.empty(0, str),
            value=table.value,
            error=table.error,
            flags=table.flags,
            source=self.reader.path.name,
        )

    def fields(self, case: int, rows: range, columns: range, which: range | None = None) -> np.ndarray:
        """A box of a case's fields, shape (field, y, x); where the domain wraps the ranges may leave it."""
        parts_y, parts_x = (self._pieces(r, axis) for axis, r in enumerate((rows, columns)))
        every = range(len(self.layout.fields)) if which is None else which
        if len(parts_y) == len(parts_x) == 1:  # joining a single piece would copy it: a quarter of the time to read it
            return self.reader.read("fields", [range(case, case + 1), every, parts_y[0], parts_x[0]])[0]
        bands = [
            np.concatenate([self.reader.read("fields", [range(case, case + 1), every, y, x])[0] for x in parts_x], -1)
            for y in parts_y
        ]
        return np.concatenate(bands, -2)

    def observations(self, case: int, rows: range, columns: range, every_column: bool = False) -> Table:
        """The reports that a box of cells owns; places are the store's own, also where the ranges wrap.

        Args:
            case: its number; rows, columns: of the box.
            every_column: read all columns; else those that a network is trained on.
        """
        edge, table = self.layout.edge, self.layout.chunk_table
        first = self.reader.read("first", [range(case, case + 1), range(table[0] * table[1] + 1)])[0]
        lines = [
            np.concatenate([np.arange(part.start, part.stop) for part in self._pieces(r, axis)])
            for axis, r in enumerate((rows, columns))
        ]
        touched = [np.unique(each // edge).tolist() for each in lines]
        chunks = [y * table[1] + x for y in touched[0] for x in touched[1]]
        spans = joined_spans([(int(first[low]), int(first[high])) for low, high in runs(chunks)], ROWS)
        joined = Table.concatenate([self._rows(range(*span), every_column) for span in spans])
        cell = cell_of(joined.place, self.layout.shape, self.layout.periodic)
        inside = np.ones(len(cell), bool)
        for axis, each in enumerate(lines):
            ours = np.zeros(self.layout.shape[axis], bool)
            ours[each] = True
            inside &= ours[cell[:, axis]]
        return joined[inside]

    def _rows(self, rows: range, every_column: bool) -> Table:
        columns = {}
        for name, (_, width) in COLUMNS.items():
            if (every_column or name in TRAINED_ON) and self.reader.has(name):
                columns[name] = self.reader.read(name, [rows, *([range(width)] if width else [])])
        # projecting the places of a case takes longer than reading them: not where a network is trained
        return Table.of(len(rows), columns, self.domain if every_column else None)

    def _pieces(self, points: range, axis: int) -> list[range]:
        """A range of points as pieces within the domain; one that wraps has more than one."""
        size, pieces, at = self.layout.shape[axis], [], points.start
        if not self.layout.periodic:
            return [points]
        while at < points.stop:
            low = at % size
            high = min(size, low + points.stop - at)
            pieces.append(range(low, high))
            at += high - low
        return pieces


def of_stored_flags(observations: Observations) -> tuple[np.ndarray, np.ndarray, Observations]:
    """Masks (n,) of the used and of the withheld reports of a store, and the reports with their own flags."""
    flags = observations.flags
    withheld, unused = (flags & WITHHELD) != 0, (flags & UNUSED) != 0
    if withheld.any() or unused.any():
        observations = replace(observations, flags=flags & ~(WITHHELD | UNUSED))
    return observations.usable & ~withheld & ~unused, withheld, observations


def _ranges(box: Box) -> tuple[range, range]:
    return range(box.y0, box.y1), range(box.x0, box.x1)


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as half-open runs of consecutive ones.

    Example:
        >>> runs([3, 4, 5, 9])
        [(3, 6), (9, 10)]
    """
    breaks = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
    edges = [0, *breaks, len(numbers)]
    return [(numbers[low], numbers[high - 1] + 1) for low, high in zip(edges, edges[1:], strict=False)]


def joined_spans(spans: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Join ascending half-open spans less than ``gap`` apart: what lies between is on the same piece of disk anyway.

    Example:
        >>> joined_spans([(0, 5), (8, 9), (40, 50)], 10)
        [(0, 9), (40, 50)]
    """
    joined = spans[:1]
    for low, high in spans[1:]:
        if low - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], high
        else:
            joined.append((low, high))
    return joined
