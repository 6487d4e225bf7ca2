"""Layout: what a store holds, how it is cut into chunks, and the table of its reports."""

from dataclasses import asdict, dataclass, fields

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.grid.box import cell_of, inside
from mlrtma_dist.grid.domain import Domain, Size, load_domain
from mlrtma_dist.io.hdf5 import Array, StoreError
from mlrtma_dist.methods.case import Case, Contents

# 1: without units, and with nothing observed but the variables. 2: without what reports are but place and value.
FORMATS = ("mlrtma samples 1", "mlrtma samples 2", "mlrtma samples 3")
# 32 points: a rim of up to 32 costs one row of chunks more. On CONUS in 2 x 2 tiles a rank then reads 0.27 of a field;
# with 64 the last tile reads 0.303.
EDGE = 32
ROWS = 1024  # rows of a chunk of the table: 16 KiB of places
# Column of the table: dtype and width (0: one number per row).
COLUMNS = {
    "place": ("float64", 2),
    "latitude": ("float64", 0),
    "longitude": ("float64", 0),
    "elevation": ("float32", 0),
    "age": ("int32", 0),
    "station": ("S32", 0),
    "network": ("S32", 0),
    "value": ("float32", 0),
    "error": ("float32", 0),
    "variable": ("uint8", 0),
    "flags": ("uint32", 0),
}
TRAINED_ON = ("place", "value", "error", "variable", "flags")
# Bits of a stored report's flags beside those of `observations.table.Flag`: the case withholds it, or does not use it
# for another reason than a flag, such as a second name of a withheld station.
WITHHELD, UNUSED = np.uint32(1 << 31), np.uint32(1 << 30)
ABSENT = {
    "latitude": np.nan,
    "longitude": np.nan,
    "elevation": np.nan,
    "age": 0,
    "station": b"",
    "network": b"",
    "flags": 0,
}  # of a column that is not stored or not read


@dataclass(frozen=True)
class Layout:
    """What a store holds.

    Attributes:
        domain: its name; shape: points in y and x; periodic: the plane closes on itself.
        fields: names of the fields of a case, in the order of ``variables``: backgrounds, if there are any, their
            errors, if they are known, and targets, if the truth is known.
        variables: names of what is analysed.
        edge: points on a side of a chunk.
        observed: names of the types of observation; those with a background are the variables. Empty: the variables.
        units: of the variables, SI. Empty: none has one.
        grid: the domain as YAML text; empty in older formats.
        boxes: whether every case is a box in another place of a larger domain; of older files false is no statement.
        imagery: names of the channels of imagery; imagery_units: of these.
    """

    domain: str
    shape: tuple[int, int]
    periodic: bool
    fields: tuple[str, ...]
    variables: tuple[str, ...]
    edge: int = EDGE
    observed: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    grid: str = ""
    boxes: bool = False
    imagery: tuple[str, ...] = ()
    imagery_units: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "observed", self.observed or self.variables)
        object.__setattr__(self, "units", self.units or ("1",) * len(self.variables))
        if len(self.units) != len(self.variables) or not self._whole:
            raise StoreError(
                f"{self.domain}: expected one target and one unit for each of {', '.join(self.variables)}, and a"
                f" background (with or without its error) for each or none, got the fields {', '.join(self.fields)}"
                f" in {', '.join(self.units)}."
            )
        if self.backgrounds and self.observed != self.variables:
            raise StoreError(
                f"{self.domain}: where there are backgrounds what is observed must be {', '.join(self.variables)}, of"
                f" which departures are made, got {', '.join(self.observed)}."
            )

    @classmethod
    def of(cls, contents: Contents, edge: int = EDGE) -> "Layout":
        """How a store keeps the cases of a source, in chunks of ``edge`` points."""
        domain, names = contents.domain, contents.variables
        return cls(
            domain.name,
            domain.shape,
            domain.periodic,
            contents.fields,
            names,
            edge,
            contents.observed,
            contents.units,
            config.portable(config.to_yaml(domain)),
            contents.boxes,
            contents.imagery,
            contents.imagery_units,
        )

    @classmethod
    def from_attributes(cls, attributes: dict) -> "Layout":
        """The layout that a file's attributes describe, of any of ``FORMATS``."""
        present = {f.name: attributes[f.name] for f in fields(cls) if f.name in attributes}
        return cls(**{name: tuple(each) if isinstance(each, list) else each for name, each in present.items()})

    def load_domain(self, where: str) -> Domain:
        """The domain: as described, else the shipped one of its name and shape, else a plane of its shape.

        Args:
            where: the store, for errors.
        """
        if self.grid:
            return config.build(Domain, config.parse_yaml(self.grid, where), where)
        try:
            shipped = load_domain(self.domain)
            if shipped.shape == self.shape:
                return shipped
        except config.ConfigError:
            pass
        return Domain(
            self.domain, self.domain, "plane", Size(self.shape[1], self.shape[0]), 1.0, periodic=self.periodic
        )

    @property
    def unit_of(self) -> dict[str, str]:
        """The unit of each variable, in their order."""
        return dict(zip(self.variables, self.units, strict=True))

    @property
    def _whole(self) -> bool:
        """Whether each kind of field is there for every variable or for none, and errors only beside backgrounds."""
        others = len(self.fields) - self.errors
        return others in (self.targets, 2 * self.targets) and self.errors in (0, self.backgrounds)

    @property
    def targets(self) -> int:
        """How many fields are to be analysed: the last ones."""
        return len(self.variables)

    @property
    def truth(self) -> bool:
        """Whether the fields of the truth are stored: the last ones."""
        return len(self.fields) - self.errors > self.targets or not self.fields[0].startswith("background_")

    @property
    def backgrounds(self) -> int:
        """How many fields are backgrounds: the first ones, none or one per variable."""
        return len(self.fields) - self.errors - self.targets * self.truth

    @property
    def errors(self) -> int:
        """How many fields are errors of backgrounds: the ones behind these, none or one per variable."""
        return sum(name.startswith("error_") for name in self.fields)

    @property
    def chunk_table(self) -> tuple[int, int]:
        """Chunks in y and x."""
        return tuple(-(-size // self.edge) for size in self.shape)

    def chunk_of(self, place: np.ndarray) -> np.ndarray:
        """Number of the chunk that owns each place (n, 2), x fastest, shape (n,)."""
        cell = cell_of(place, self.shape, self.periodic)
        return cell[:, 0] // self.edge * self.chunk_table[1] + cell[:, 1] // self.edge

    def arrays(self, cases: int) -> dict[str, Array]:
        """The arrays of a file of ``cases`` cases."""
        edges = tuple(min(self.edge, size) for size in self.shape)
        chunks = self.chunk_table[0] * self.chunk_table[1]
        arrays = {"time": Array((cases,), "int64", (min(cases, ROWS),))}
        for name, count in {"fields": len(self.fields), "imagery": len(self.imagery)}.items():
            if count or name == "fields":
                arrays[name] = Array((cases, count, *self.shape), "float32", (1, count, *edges))
        arrays["first"] = Array((cases, chunks + 1), "int64", (1, chunks + 1))
        for name, (dtype, width) in COLUMNS.items():
            arrays[name] = Array((0, width)[: 1 + bool(width)], dtype, (ROWS, width)[: 1 + bool(width)], grows=True)
        return arrays

    def attributes(self) -> dict:
        """The attributes of a file of this layout."""
        without = () if self.imagery else ("imagery", "imagery_units")  # such files are of formats before imagery
        return {"format": FORMATS[-1], **{name: each for name, each in asdict(self).items() if name not in without}}

    def fields_of(self, case: Case) -> np.ndarray:
        """The fields of a case in the store's order, shape (field, y, x), float32."""
        groups = [case.background] * bool(self.backgrounds) + [case.background_error] * bool(self.errors)
        groups += [case.truth] * self.truth
        return np.stack([group[name] for group in groups for name in self.variables]).astype(np.float32)


@dataclass(frozen=True)
class Table:
    """Reports of one time as a store keeps them; every attribute has n rows.

    Attributes:
        place: grid coordinates (y, x), shape (n, 2).
        latitude, longitude: degrees, NaN on a plane; elevation: m, NaN where not known.
        age: seconds after the time of the case.
        station, network: names, as bytes.
        value, error: SI; variable: number among the observed types; flags: of ``observations.table.Flag``.
    """

    place: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    elevation: np.ndarray
    age: np.ndarray
    station: np.ndarray
    network: np.ndarray
    value: np.ndarray
    error: np.ndarray
    variable: np.ndarray
    flags: np.ndarray

    @classmethod
    def of(cls, count: int, columns: dict[str, np.ndarray], domain: Domain | None = None) -> "Table":
        """A table of ``count`` rows; columns that are missing have their "not known" value.

        Args:
            columns: at least place, value, error and variable.
            domain: on the earth, gives latitude and longitude where they are missing.
        """
        complete = dict(columns)
        if domain is not None and not domain.is_plane and "latitude" not in complete and count:
            complete["latitude"], complete["longitude"] = domain.position(*complete["place"].T)
        for name, unknown in ABSENT.items():
            if name not in complete:
                complete[name] = np.full(count, unknown, COLUMNS[name][0])
        return cls(**{f.name: np.asarray(complete[f.name]) for f in fields(cls)})

    @classmethod
    def from_case(cls, case: Case, observed: tuple[str, ...]) -> "Table":
        """The reports of a case that its box owns, of the types ``observed``."""
        reports, place = case.observations, case.grid_place
        number = {name: index for index, name in enumerate(observed)}
        variable = np.array([number.get(str(name), -1) for name in reports.variable], dtype=np.int64)
        rows = (variable >= 0) & np.isfinite(place).all(axis=1) & np.isfinite(reports.value)
        shape, periodic = case.domain.shape, case.domain.periodic
        if not periodic:
            rows &= inside(place, shape)
        rows[rows] = case.box.owns(cell_of(place[rows], shape, periodic))
        kept = reports[rows]
        unused = np.where(kept.usable & ~case.used[rows], UNUSED, np.uint32(0))
        unused |= np.where(case.withheld[rows], WITHHELD, np.uint32(0))
        columns = {
            "place": place[rows],
            "latitude": kept.latitude,
            "longitude": kept.longitude,
            "elevation": kept.elevation,
            "age": (kept.time - case.time).astype("timedelta64[s]").astype(np.int64),
            "station": _encoded(kept.station, "station"),
            "network": _encoded(kept.network, "network"),
            "value": kept.value,
            "error": kept.error,
            "variable": variable[rows],
            "flags": kept.flags | unused,
        }
        return cls.of(len(kept), columns)

    @classmethod
    def concatenate(cls, tables: list["Table"]) -> "Table":
        """Tables one below the other."""
        return cls(*(np.concatenate([getattr(table, f.name) for table in tables]) for f in fields(cls)))

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows) -> "Table":
        """Select rows by a mask, slice or index array."""
        return Table(*(getattr(self, f.name)[rows] for f in fields(self)))


def _encoded(names: np.ndarray, column: str) -> np.ndarray:
    """Names as UTF-8 bytes, shape (n,).

    Raises:
        StoreError: one is longer than its column, where two could become the same.
    """
    encoded = np.char.encode(names.astype(str), "utf-8")
    limit = np.dtype(COLUMNS[column][0]).itemsize
    too_long = np.char.str_len(encoded) > limit
    if too_long.any():
        raise StoreError(
            f"{column} {str(names[too_long][0])!r}: expected a name of at most {limit} bytes in UTF-8, got"
            f" {np.char.str_len(encoded)[too_long][0]}. Shorten it in the file of reports."
        )
    return encoded
