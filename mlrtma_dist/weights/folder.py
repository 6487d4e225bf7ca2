"""Weights folder: the releases of a site, which one is in use, and the log of how that changed.

    FOLDER/releases/<name>/          whole releases, each with the decision of the gate that it passed (gate.json)
    FOLDER/current -> releases/<name>
    FOLDER/promotions.jsonl          one line per change: time, who, what, from, to, why

``current`` is replaced by one rename: readers have the old weights or the new ones. A line of the log is written before
its change. It counts where the change took place: where the next line begins at its ``to`` or, of the last line, where
``current`` is its ``to``. So whatever was killed at whichever moment, log and link agree. Callers hold the folder's
lock (`io.lock.locked`) while they change it.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import device_errors, synchronise, write_text
from mlrtma_dist.io.lock import Owner
from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.identity import checksum_of
from mlrtma_dist.weights.manifest import FILE, Manifest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
GATE = "gate.json"
PROMOTED, BACK = "promote", "back"


class WeightsError(InputError):
    """A name that is unfit or taken, a release that is none, or nothing to go back to."""


class WeightsFolder:
    """The weights of a site."""

    def __init__(self, root: str | Path):
        self.root = Path(root)
        self.link, self.log = self.root / "current", self.root / "promotions.jsonl"

    @property
    def current(self) -> Path | None:
        """The folder of the release in use; None: there is none yet."""
        return self._folder(self._name) if self._name else None

    def promote(self, release: str | Path, name: str, evidence: Mapping[str, object], decision: str | None) -> Path:
        """Copy a release in, verify the copy, and put it to use; returns its folder.

        What a promotion that was killed has left is used or removed.

        Args:
            name: of the release here.
            evidence: for the log, why it is promoted.
            decision: text of the gate's decision, kept beside the weights; None: there is none.

        Raises:
            WeightsError: the name is unfit, or taken by other weights, or this is no release.
            CheckpointError: the release or its copy is damaged.
        """
        if not NAME.fullmatch(name):
            raise WeightsError(f"name: expected letters, digits, '_', '.' and '-', got {name!r}")
        if Checkpoint(Path(release)).manifest.release is None:
            raise WeightsError(
                f"{release}: expected a release, got the checkpoint of a training. See `mlrtma release`."
            )
        self._remove_partial()
        checksum = checksum_of(release)
        folder = self._copied(Path(release), name, checksum)
        if decision is not None:
            write_text(folder / GATE, decision)
        if name != self._name:
            self._change(PROMOTED, name, {"sha256": checksum, **evidence})
        return folder

    def back(self, evidence: Mapping[str, object]) -> Path:
        """Put the release to use that was in use before the present one; returns its folder.

        Raises:
            WeightsError: there is none, or ``current`` is not what the log ends at.
            CheckpointError: it is damaged.
        """
        names = self.in_use()
        if (names[-1] if names else None) != self._name:
            raise WeightsError(f"{self.log} does not end at {self._name}: {self.link} was changed by hand")
        if len(names) < 2:
            raise WeightsError(f"{self.root}: no release was in use before {self._name or 'the first one'}")
        folder = self._folder(names[-2])
        self._change(BACK, names[-2], {"sha256": checksum_of(folder), **evidence})
        return folder

    def history(self) -> list[dict]:
        """The changes that took place, as their lines of the log, the oldest first."""
        lines = self._lines()
        reached = [line["from"] for line in lines[1:]] + [self._name]
        return [line for line, name in zip(lines, reached, strict=False) if line["to"] == name]

    def in_use(self) -> list[str]:
        """The releases from the first to the present one; one that was left by going back is not among them."""
        names: list[str] = []
        for line in self.history():
            if line["what"] == BACK:
                names.pop()
            else:
                names.append(line["to"])
        return names

    def _remove_partial(self) -> None:
        """Remove what changes that were killed have left."""
        for place in ("", "releases/", "releases/*/"):
            for left in self.root.glob(f"{place}.*.partial"):
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left)
                else:
                    left.unlink()

    @property
    def _name(self) -> str | None:
        return os.readlink(self.link).rpartition("/")[2] if self.link.is_symlink() else None

    def _folder(self, name: str) -> Path:
        return self.root / "releases" / name

    def _copied(self, release: Path, name: str, checksum: str) -> Path:
        folder = self._folder(name)
        if folder.exists():
            if checksum_of(folder) != checksum:
                raise WeightsError(f"name: {folder} holds other weights. Use another name (--set name=NAME).")
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_name(f".{name}.{secrets.token_hex(4)}.partial")
        try:
            partial.mkdir()
            for file in (FILE, *Manifest.read(release).files):
                with device_errors(folder / file, partial / file):
                    shutil.copyfile(release / file, partial / file)
            if checksum_of(partial) != checksum:  # which reads the files' own checksums, too
                raise WeightsError(f"{release}: changed while it was copied. Promote it again.")
            for path in (*partial.iterdir(), partial):
                synchronise(path)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            with contextlib.suppress(OSError):  # there are other releases
                folder.parent.rmdir()
            raise
        synchronise(folder.parent)
        return folder

    def _change(self, what: str, name: str, evidence: Mapping[str, object]) -> None:
        us = Owner.here()
        line: dict[str, object] = {"time": us.time, "who": us.user, "host": us.host, "job": us.job, "what": what}
        line |= {"from": self._name, "to": name, **evidence}
        text = "".join(f"{json.dumps(each)}\n" for each in (*self._lines(), line))
        write_text(self.log, text)
        link = self.root / f".current.{secrets.token_hex(4)}.partial"
        link.symlink_to(Path("releases") / name)
        link.replace(self.link)
        synchronise(self.root)

    def _lines(self) -> list[dict]:
        """All lines of the log, those of changes that did not take place, too.

        Raises:
            WeightsError: a line that cannot be read.
        """
        try:
            return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise WeightsError(f"{self.log}: expected one object of JSON per line: {error}. Mend that line.") from error
