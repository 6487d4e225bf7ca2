"""Store: cases at rest in one HDF5 file, cut into chunks that the domain alone decides.

    time          (case,)                     seconds since 1970, UTC
    fields        (case, field, y, x)         float32, chunks of (1, all fields, edge, edge)
    first         (case, chunk + 1)           rows of the table that belong to each chunk of each case
    place         (row, 2)                    observations' grid coordinates (y, x), half-open cells around grid points
    value, error  (row,)                      SI; variable (row,): its number among the types that are observed

The table is ragged by time, and within a time sorted by the chunk of the fields that owns the observation, so a rank
reads those of its own chunks only. A cell is [i - 1/2, i + 1/2): every observation has one owner.
"""

from dataclasses import asdict, dataclass, fields
from itertools import pairwise

import numpy as np

from mlrtma_dist.grid.box import cell_of
from mlrtma_dist.io.hdf5 import Array, Reader, StoreError

FORMAT = "mlrtma samples 2"
FIRST_FORMAT = "mlrtma samples 1"  # without units, and with nothing observed but the variables
# 32 points: a rim of up to 32 costs one row of chunks more. On CONUS in 2 x 2 tiles a rank then reads 0.27 of a field;
# with 64 the last tile reads 0.303.
EDGE = 32
ROWS = 1024  # rows of a chunk of the table: 8 KiB of places
COLUMNS = {"place": ("float32", 2), "value": ("float32", 0), "error": ("float32", 0), "variable": ("uint8", 0)}


@dataclass(frozen=True)
class Layout:
    """What a store holds.

    Attributes:
        domain: its name; shape: points in y and x; periodic: the plane closes on itself.
        fields: names of the fields of a case, backgrounds first, in the order of ``variables``, then targets; or
            targets alone.
        variables: names of what is analysed.
        edge: points on a side of a chunk.
        observed: names of the types of observation; those with a background are the variables. Empty: the variables.
        units: of the variables, SI. Empty: none has one.
    """

    domain: str
    shape: tuple[int, int]
    periodic: bool
    fields: tuple[str, ...]
    variables: tuple[str, ...]
    edge: int = EDGE
    observed: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "observed", self.observed or self.variables)
        object.__setattr__(self, "units", self.units or ("1",) * len(self.variables))
        if len(self.units) != len(self.variables) or len(self.fields) not in (self.targets, 2 * self.targets):
            raise StoreError(
                f"{self.domain}: expected one target and one unit for each of {', '.join(self.variables)}, and a"
                f" background for each or none, got the fields {', '.join(self.fields)} in {', '.join(self.units)}."
            )
        if self.backgrounds and self.observed != self.variables:
            raise StoreError(
                f"{self.domain}: where there are backgrounds what is observed must be {', '.join(self.variables)}, of"
                f" which departures are made, got {', '.join(self.observed)}."
            )

    @property
    def unit_of(self) -> dict[str, str]:
        """The unit of each variable, in their order."""
        return dict(zip(self.variables, self.units, strict=True))

    @property
    def targets(self) -> int:
        """How many fields are to be analysed: the last ones."""
        return len(self.variables)

    @property
    def backgrounds(self) -> int:
        """How many fields are backgrounds: the first ones, none or one a variable."""
        return len(self.fields) - self.targets

    @property
    def chunk_table(self) -> tuple[int, int]:
        """Chunks in y and x."""
        return tuple(-(-size // self.edge) for size in self.shape)

    def chunk_of(self, place: np.ndarray) -> np.ndarray:
        """Number of the chunk that owns each place (n, 2), x fastest, shape (n,)."""
        cell = cell_of(place, self.shape, self.periodic)
        return cell[:, 0] // self.edge * self.chunk_table[1] + cell[:, 1] // self.edge

    def arrays(self, cases: int) -> dict[str, Array]:
        """The arrays of a file of so many cases."""
        edges = tuple(min(self.edge, size) for size in self.shape)
        chunks = self.chunk_table[0] * self.chunk_table[1]
        made = {
            "time": Array((cases,), "int64", (min(cases, ROWS),)),
            "fields": Array((cases, len(self.fields), *self.shape), "float32", (1, len(self.fields), *edges)),
            "first": Array((cases, chunks + 1), "int64", (1, chunks + 1)),
        }
        for name, (dtype, width) in COLUMNS.items():
            made[name] = Array((0, width)[: 1 + bool(width)], dtype, (ROWS, width)[: 1 + bool(width)], grows=True)
        return made

    def attributes(self) -> dict:
        """What the file says of itself."""
        return {"format": FORMAT, **asdict(self)}


@dataclass(frozen=True)
class Table:
    """Observations of one time: place (n, 2) in grid coordinates, value, error (n,) in SI, variable (n,) by number."""

    place: np.ndarray
    value: np.ndarray
    error: np.ndarray
    variable: np.ndarray

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows) -> "Table":
        """Select rows by a mask, slice or index array."""
        return Table(*(getattr(self, f.name)[rows] for f in fields(self)))


class Store:
    """A store open for reading; ``reader.bytes_read`` counts what was taken from the disk.

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
        said = self.reader.attributes
        if said.get("format") not in (FORMAT, FIRST_FORMAT):
            raise StoreError(f"{path}: expected the format {FORMAT!r}, got {said.get('format')!r}. Make it anew.")
        self.layout = Layout(**{f.name: _tuple(said[f.name]) for f in fields(Layout) if f.name in said})
        self.time = self.reader.read("time", [range(self.reader.shape("time")[0])]).astype("datetime64[s]")

    def fields(self, case: int, rows: range, columns: range) -> np.ndarray:
        """A box of a case's fields, shape (field, y, x); where the domain wraps the ranges may leave it."""
        parts_y, parts_x = (self._pieces(r, axis) for axis, r in enumerate((rows, columns)))
        every = range(len(self.layout.fields))
        if len(parts_y) == len(parts_x) == 1:  # joining a single piece would copy it: a quarter of the time to read it
            return self.reader.read("fields", [range(case, case + 1), every, parts_y[0], parts_x[0]])[0]
        bands = [
            np.concatenate([self.reader.read("fields", [range(case, case + 1), every, y, x])[0] for x in parts_x], -1)
            for y in parts_y
        ]
        return np.concatenate(bands, -2)

    def observations(self, case: int, rows: range, columns: range) -> Table:
        """The observations that a box of cells owns; places are the store's own, also where the ranges wrap."""
        edge, table = self.layout.edge, self.layout.chunk_table
        first = self.reader.read("first", [range(case, case + 1), range(table[0] * table[1] + 1)])[0]
        lines = [
            np.concatenate([np.arange(part.start, part.stop) for part in self._pieces(r, axis)])
            for axis, r in enumerate((rows, columns))
        ]
        wanted = [np.unique(each // edge).tolist() for each in lines]
        chunks = [y * table[1] + x for y in wanted[0] for x in wanted[1]]
        spans = joined_spans([(int(first[low]), int(first[high])) for low, high in runs(chunks)], ROWS)
        tables = [self._rows(range(*span)) for span in spans]
        joined = Table(*(np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(Table)))
        cell = cell_of(joined.place, self.layout.shape, self.layout.periodic)
        inside = np.ones(len(cell), bool)
        for axis, each in enumerate(lines):
            ours = np.zeros(self.layout.shape[axis], bool)
            ours[each] = True
            inside &= ours[cell[:, axis]]
        return joined[inside]

    def _rows(self, rows: range) -> Table:
        width = {name: [range(2)] if size else [] for name, (_, size) in COLUMNS.items()}
        return Table(*(self.reader.read(f.name, [rows, *width[f.name]]) for f in fields(Table)))

    def _pieces(self, wanted: range, axis: int) -> list[range]:
        """A range as pieces within the domain; one that wraps has more than one."""
        size, pieces, at = self.layout.shape[axis], [], wanted.start
        if not self.layout.periodic:
            return [wanted]
        while at < wanted.stop:
            low = at % size
            high = min(size, low + wanted.stop - at)
            pieces.append(range(low, high))
            at += high - low
        return pieces


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as half-open runs of consecutive ones.

    Example:
        >>> runs([3, 4, 5, 9])
        [(3, 6), (9, 10)]
    """
    breaks = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
    edges = [0, *breaks, len(numbers)]
    return [(numbers[low], numbers[high - 1] + 1) for low, high in pairwise(edges)]


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


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value
