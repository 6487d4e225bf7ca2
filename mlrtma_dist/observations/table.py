"""Observations: the one table of what was measured.

A row is one value of one variable at one station and time. Rows are never deleted by
quality control: a reason to mistrust a row is a bit in ``flags``, so that every report
read can be counted by what became of it.
"""

from dataclasses import dataclass, fields, replace
from enum import IntFlag
from functools import cached_property
from typing import Any

import numpy as np


class Flag(IntFlag):
    """Why a row is not used, or is used otherwise than others are. A row with no bit set is good."""

    PROVIDER = 1  # the provider's own quality mark rejects it
    RANGE = 2  # outside the variable's valid range
    POSITION = 4  # impossible or missing latitude, longitude
    TIME = 8  # outside the analysis window
    DUPLICATE = 16  # another report of this station and variable is nearer in time or newer
    ELEVATION = 32  # station and terrain differ in height by more than allowed
    GROSS = 64  # too far from the first guess
    BUDDY = 128  # too far from its neighbours
    CONSISTENCY = 256  # contradicts another variable of the same report (dew point above temperature)
    OUTSIDE = 512  # outside the domain and its margin
    STATION_LIST = 1024  # an operational station list rejects it, or no use list allows it
    STUCK = 2048  # the station repeats one value for too long
    STEP = 4096  # leaves the station's own reports before and after by too much
    OTHER_TIME = 8192  # used by a method in time at its own time, beside one of the station that is nearer
    LABEL = 16384  # a point of a gridded field that training takes as a target, and no method is given


@dataclass(frozen=True)
class Observations:
    """A table of measured values; every attribute is an array of shape (n,).

    Attributes:
        station: station identifier (str).
        network: kind of report, e.g. the PrepBUFR report type "187" or a CSV's own word (str).
        latitude, longitude: degrees north, degrees east in [-180, 180); float64.
        elevation: station height above mean sea level, m, NaN where not reported; float64.
        time: datetime64[s], UTC.
        variable: a name of ``mlrtma_dist.names.VARIABLES`` (str).
        value: SI; float64.
        error: observation error standard deviation given by the source in the unit of
            ``value``; NaN where the source gives none.
        background: the source's own background at the report, NaN where absent; SI.
        flags: bits of ``Flag``; uint32.
        source: file name the row was read from (str).
        mark: the source's own quality mark as it stands there, "" where it gives none (str): PrepBUFR "0" to "15",
            MADIS Z, C, S, V, X, Q, K, k, G, B.
        precedence: of two copies of a report the one of the lower number is kept; int32
            (``readers.PRECEDENCE``).
        provider: of a mesonet's report its provider, after a slash its part ("FL-Meso/FAWN"); "" otherwise (str).
    """

    station: np.ndarray
    network: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    elevation: np.ndarray
    time: np.ndarray
    variable: np.ndarray
    value: np.ndarray
    error: np.ndarray
    background: np.ndarray
    flags: np.ndarray
    source: np.ndarray
    mark: np.ndarray
    precedence: np.ndarray
    provider: np.ndarray

    def __post_init__(self):
        lengths = {f.name: np.shape(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) != 1 or len(lengths["station"]) != 1:
            raise ValueError(f"expected columns of one length, got shapes {lengths}")

    def __len__(self) -> int:
        return len(self.station)

    def __getitem__(self, rows) -> "Observations":
        """Select rows by a mask, slice or index array."""
        return Observations(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def good(self) -> np.ndarray:
        """Mask of the rows that carry no flag, shape (n,)."""
        return self.flags == 0

    @property
    def usable(self) -> np.ndarray:
        """Mask of the rows that an analysis may use, shape (n,): no flag, or none but those of the buddy check and
        of a method in time.

        A neighbour's disagreement is a doubt, not a verdict: robust methods weigh such a report down by
        themselves and keep it where the neighbours are wrong (DECISIONS.md has the figures).
        """
        return (self.flags & ~np.uint32(Flag.BUDDY | Flag.OTHER_TIME)) == 0

    @property
    def labels(self) -> np.ndarray:
        """Mask of the rows that are labels (``Flag.LABEL``), shape (n,)."""
        return (self.flags & np.uint32(Flag.LABEL)) != 0

    def of(self, variable: str) -> "Observations":
        """The rows of one variable."""
        return self[self.variable == variable]

    def flagged(self, mask: np.ndarray, flag: Flag) -> "Observations":
        """A copy with ``flag`` set where ``mask`` (n,) is true."""
        return self.with_flags(np.where(mask, self.flags | np.uint32(flag), self.flags))

    def with_flags(self, flags: np.ndarray) -> "Observations":
        """A copy with other flags, shape (n,), that keeps which rows belong together (``reports.kept``)."""
        copy = replace(self, flags=flags.astype(np.uint32))
        object.__setattr__(copy, "groups", self.groups)
        return copy

    @cached_property
    def groups(self) -> dict:
        """What ``reports`` has computed of the columns but the flags: a function's name and arguments -> its result."""
        return {}

    @staticmethod
    def build(**columns) -> "Observations":
        """Make a table from columns, filling what is missing with its "not known" value.

        Args:
            **columns: at least station, latitude, longitude, time, variable, value; scalars are repeated.
        """
        size = len(columns["station"])
        missing: dict[str, object] = dict.fromkeys(("elevation", "error", "background"), np.nan)
        missing |= dict.fromkeys(("network", "source", "mark", "provider"), "") | {"flags": 0, "precedence": 0}
        texts = dict.fromkeys(("station", "network", "variable", "source", "mark", "provider"), str)
        kinds: dict[str, Any] = texts | {"time": "datetime64[s]", "flags": np.uint32, "precedence": np.int32}
        table = {}
        for f in fields(Observations):
            column = columns.pop(f.name) if f.name in columns else missing[f.name]
            value = np.asarray(column, dtype=kinds.get(f.name, np.float64))
            table[f.name] = np.broadcast_to(value, (size,)).copy() if value.ndim == 0 else value
        assert not columns, f"no such columns: {sorted(columns)}"
        return Observations(**table)

    @staticmethod
    def empty() -> "Observations":
        """A table without rows."""
        needed = ("station", "latitude", "longitude", "time", "variable", "value")
        return Observations.build(**{name: [] for name in needed})

    @staticmethod
    def concatenate(tables: list["Observations"]) -> "Observations":
        """Join tables one below the other."""
        if not tables:
            return Observations.empty()
        columns = {f.name: [getattr(table, f.name) for table in tables] for f in fields(Observations)}
        return Observations(**{name: np.concatenate(parts) for name, parts in columns.items()})
