"""Publications of a cycle: which slots of a domain are published, under which names, and the table of them.

    FOLDER/<day>/<domain>_<time>.nc      the product of a slot; a revision replaces it
    FOLDER/latest.nc                     a symbolic link to the product of the newest slot
    FOLDER/slots.csv                     one row per publication, only ever appended

The product is the truth: a slot is published where it exists. The table adds what a product's name does not tell.
"""

import csv
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.io.appended import append_text

LATEST = "latest.nc"
TABLE = "slots.csv"


@dataclass(frozen=True)
class Publication:
    """One publication of a slot: a row of ``slots.csv``, in its order.

    Attributes:
        domain: its name; time: of the slot, UTC.
        revision: 1, and one more with each rerun.
        method: that made it; passed_over: the methods before it in the list, and why they did not.
        weights: folder of the method's weights; "" where it has none.
        values: number of reported values that had arrived.
        used: number of them that the analysis used.
        started: when the slot was begun, UTC; published: when its product had its name.
        latency: seconds from the cut-off of the slot to the publication; cost: from its start.
    """

    domain: str
    time: np.datetime64
    revision: int
    method: str
    passed_over: str
    weights: str
    values: int
    used: int
    started: np.datetime64
    published: np.datetime64
    latency: float
    cost: float

    def __str__(self) -> str:
        passed = f" ({self.passed_over})" if self.passed_over else ""
        return (
            f"{self.domain} {str(self.time)[:16]} revision {self.revision} by {self.method}{passed},"
            f" {self.latency:.1f} s after the cut-off, {self.used} values"
        )

    def row(self) -> list[str]:
        """As cells of the table."""
        return [str(getattr(self, name)) for name in COLUMNS]

    @classmethod
    def of_row(cls, row: Sequence[str]) -> "Publication":
        """From cells of the table.

        Raises:
            ValueError: not a row of it.
        """
        kinds: dict[str, Callable] = {
            "time": lambda text: np.datetime64(text, "s"),
            **dict.fromkeys(("started", "published"), lambda text: np.datetime64(text, "ms")),
            **dict.fromkeys(("revision", "values", "used"), int),
            **dict.fromkeys(("latency", "cost"), float),
        }
        return cls(**{name: kinds.get(name, str)(cell) for name, cell in zip(COLUMNS, row, strict=True)})


COLUMNS = tuple(field.name for field in fields(Publication))


class Publications:
    """The published slots of one domain below a folder, of which one process holds the lock."""

    def __init__(self, folder, domain: str):
        """Read the table; a row that is not whole, as after a full disk, is passed over."""
        self.folder, self.domain = Path(folder), domain
        self._last: dict[np.datetime64, Publication] = {}
        for row in read_rows(self.folder / TABLE, COLUMNS):
            try:
                publication = Publication.of_row(row)
            except ValueError:
                continue
            self._last[publication.time] = publication

    def path(self, time: np.datetime64) -> Path:
        """The product of a slot."""
        name = clock.compact(time)
        return self.folder / name[:8] / f"{self.domain}_{name}.nc"

    def exists(self, time: np.datetime64) -> bool:
        """Whether a slot is published."""
        return self.path(time).is_file()

    def last(self, time: np.datetime64) -> Publication | None:
        """The last publication of a slot; None: there is none, or the table does not have it."""
        return self._last.get(time.astype("datetime64[s]")) if self.exists(time) else None

    def revision(self, time: np.datetime64) -> int:
        """The number of the next publication of a slot."""
        last = self.last(time)
        return last.revision + 1 if last else 2 if self.exists(time) else 1

    def sweep(self) -> None:
        """Remove the unfinished files of a process that was killed, of all days.

        Only whoever holds the lock of the folder may do so: nobody else writes there.
        """
        for pattern in (".*.partial", "*/.*.partial"):
            for partial in self.folder.glob(pattern):
                partial.unlink(missing_ok=True)

    def point(self, time: np.datetime64) -> None:
        """Let ``latest.nc`` name the product of a slot by one rename, unless it names a newer one."""
        link, target = self.folder / LATEST, os.path.relpath(self.path(time), self.folder)
        if link.is_symlink() and os.path.basename(os.readlink(link)) > os.path.basename(target) and link.exists():
            return  # the names of one domain sort by time
        partial = self.folder / f".{LATEST}.{secrets.token_hex(4)}.partial"
        partial.symlink_to(target)
        partial.replace(link)

    def add(self, publication: Publication) -> None:
        """Append a row to the table."""
        self._last[publication.time] = publication
        append_rows(self.folder / TABLE, COLUMNS, [publication.row()])


def read_rows(path: Path, header: Sequence[str]) -> list[list[str]]:
    """The rows of a table below its header; none where there is no file."""
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as stream:
            return [row for row in csv.reader(stream) if row != list(header)]
    except FileNotFoundError:
        return []


def append_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Append rows to a table, with the header where it is new; a line that was cut off before is ended first.

    Raises:
        OSError: the table cannot be written.
    """
    append_text(path, "".join(map(_line, rows)), header=_line(header))


def _line(row: Sequence) -> str:
    """A row as a line of CSV."""
    cells = (str(cell).replace("\n", " ") for cell in row)
    return ",".join('"' + c.replace('"', '""') + '"' if set(c) & set(',"\r') else c for c in cells) + "\n"
