"""Registry: which trained model is in use (the incumbent), and which ones may replace it (candidates).

    models/candidates/<name>/       copies of checkpoints, complete
    models/incumbent -> candidates/<name>
    models/journal.jsonl            one line a change, never rewritten

Whether a candidate may replace the incumbent is judged elsewhere (verification); here it is only done, in one rename.
"""

import datetime
import json
import re
import secrets
import shutil
from pathlib import Path

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import device_errors
from mlrtma_dist.weights.checkpoint import Checkpoint

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class RegistryError(InputError):
    """A name that is taken, unknown or unfit, or no incumbent yet."""


class Registry:
    """The models under a folder."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def candidates(self) -> list[str]:
        """Their names, sorted; the incumbent is among them."""
        return sorted(path.name for path in self._folder("").glob("*") if not path.name.startswith("."))

    def propose(self, name: str, source: Path) -> Checkpoint:
        """Copy a checkpoint in as a candidate, verified.

        Raises:
            RegistryError: the name is taken or unfit. CheckpointError: the checkpoint is not whole.
        """
        if not NAME.fullmatch(name):
            raise RegistryError(f"expected a name of letters, digits, '_', '.' and '-', got {name!r}")
        if self._folder(name).exists():
            raise RegistryError(f"{self.root}: expected a new name, {name!r} is taken by {self._folder(name)}")
        Checkpoint(source).verify()
        partial = self._folder(f".{name}.{secrets.token_hex(4)}")
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(Path(source).resolve(), partial)
        try:
            Checkpoint(partial).verify()  # the copy, not only what was copied
            partial.rename(self._folder(name))
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        self._note("propose", name, f"from {source}")
        return Checkpoint(self._folder(name))

    def promote(self, name: str, reason: str) -> None:
        """Make a candidate the incumbent, at once for all readers.

        Args:
            reason: for the journal: the scores that decided.

        Raises:
            RegistryError: no such candidate. CheckpointError: it is not whole.
        """
        if not self._folder(name).is_dir():
            raise RegistryError(f"{self.root}: no candidate {name!r}; there are {self._listed()}")
        Checkpoint(self._folder(name)).verify()
        link = self.root / f".incumbent.{secrets.token_hex(4)}"
        link.symlink_to(Path("candidates") / name)
        link.replace(self.root / "incumbent")
        self._note("promote", name, reason)

    def incumbent(self) -> Checkpoint:
        """The model in use.

        Raises:
            RegistryError: there is none yet.
        """
        link = self.root / "incumbent"
        if not link.is_symlink():
            raise RegistryError(f"{self.root}: no incumbent yet; promote one of {self._listed()}")
        return Checkpoint(link.resolve())

    def history(self) -> list[dict]:
        """All changes, oldest first: time, what, name, reason."""
        path = self.root / "journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _listed(self) -> str:
        return ", ".join(self.candidates()) or "none"

    def _folder(self, name: str) -> Path:
        return self.root / "candidates" / name

    def _note(self, what: str, name: str, reason: str) -> None:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        journal = self.root / "journal.jsonl"
        with device_errors(journal), open(journal, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"time": now, "what": what, "name": name, "reason": reason}) + "\n")
