"""Manifests of a reanalysis: one file per domain and day, one line of JSON per slot, only ever appended.

    OUTPUT/<domain>/manifests/20260822.jsonl            slots of a day; of two lines of a slot the later counts
    OUTPUT/<domain>/scores/20260822.jsonl               sums of departures, see `inference.slot_scores`
    OUTPUT/<domain>/2026/08/22/<domain>_20260822T0415Z.nc

A line has the keys id, checksum (``<configuration>-<inputs>``) and time (when it was written), and of

- a product: path (below OUTPUT), bytes, sha256, method, seconds (of the method);
- a slot that is set aside: aside (the reason), attempts;
- a slot without input: absent (what is missing).

A slot is done where its line and its file agree. Lines hold no path but that of the product, so that OUTPUT may move.
"""

import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrtma_dist.io.file_digest import sha256_of
from mlrtma_dist.io.json_lines import append_line, read_lines
from mlrtma_dist.io.unfinished import remove_unfinished

DONE, ASIDE, ABSENT, LOST, OPEN = STATES = ("done", "set aside", "no input", "lost", "open")
DIGITS = 16  # of a checksum's two parts
Entry = dict  # of a line


def checksum_of(content: object) -> str:
    """The checksum of a configuration, or of what tells inputs from others: digits of SHA-256 of its text."""
    return hashlib.sha256(repr(content).encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]


@dataclass(frozen=True)
class Day:
    """The files of one domain and day.

    Attributes:
        output: folder of the reanalysis.
        domain: name.
        day: datetime64[D], UTC.
    """

    output: Path
    domain: str
    day: np.datetime64

    @property
    def folder(self) -> Path:
        """Where the products are."""
        return self.output / self.domain / str(self.day).replace("-", "/")

    @property
    def manifest(self) -> Path:
        """The file of the lines of slots."""
        return self._lines("manifests")

    @property
    def scores(self) -> Path:
        """The file of the sums of departures."""
        return self._lines("scores")

    def _lines(self, kind: str) -> Path:
        return self.output / self.domain / kind / f"{str(self.day).replace('-', '')}.jsonl"

    def entries(self) -> dict[str, Entry]:
        """The last line of each slot, by its name.

        Raises:
            OSError: the manifest cannot be read.
        """
        return {entry["id"]: entry for entry in read_lines(self.manifest) if "id" in entry}

    def sweep(self) -> None:
        """Remove what killed processes left of the domain's products of the day; what a living one writes stays.

        Raises:
            OSError: the folder cannot be read or written.
        """
        remove_unfinished(self.folder, f"{self.domain}_")

    def sizes(self) -> dict[str, int]:
        """Name -> bytes of every file beside the products, in one listing of the folder."""
        try:
            with os.scandir(self.folder) as files:
                return {file.name: file.stat().st_size for file in files}
        except FileNotFoundError:
            return {}

    def publish(self, product: Path, entry: Entry, sums: Entry) -> None:
        """Write down that a product is whole: its sums first, its line last. The product is hashed here, once.

        Raises:
            OSError: a line cannot be written, or the product cannot be read.
        """
        append_line(self.scores, {"id": entry["id"], **sums})
        path = os.path.relpath(product, self.output)
        self.note({**entry, "path": path, "bytes": product.stat().st_size, "sha256": sha256_of(product)})

    def note(self, entry: Entry) -> None:
        """Append the line of a slot, with the time."""
        append_line(self.manifest, {**entry, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})


def state_of(entry: Entry | None, sizes: dict[str, int], configuration: str) -> str:
    """What became of a slot: one of STATES.

    Args:
        entry: its line; None: there is none.
        sizes: of `Day.sizes`.
        configuration: checksum of the present one: a product of another one counts as open.
    """
    if entry is None or not entry.get("checksum", "").startswith(configuration):
        return OPEN
    if "absent" in entry:
        return ABSENT
    if "aside" in entry:
        return ASIDE
    size = sizes.get(entry["path"].rpartition("/")[2])
    return DONE if size == entry["bytes"] else LOST


def days_of(output: Path, domain: str) -> Iterable[Day]:
    """The days of a domain that have a manifest, ascending."""
    folder = output / domain / "manifests"
    stems = sorted(path.name[:8] for path in folder.glob("????????.jsonl")) if folder.is_dir() else []
    return [Day(output, domain, np.datetime64(f"{stem[:4]}-{stem[4:6]}-{stem[6:]}")) for stem in stems]
