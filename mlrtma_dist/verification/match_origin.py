"""Origin of matches: the weights of the learned methods in a table of matches, and how stations were withheld.

It stands beside the table, matches.json beside matches.csv, and holds the table's checksum.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.io.file_digest import sha256_of


@dataclass(frozen=True)
class Origin:
    """What a verification records of its matches.

    Attributes:
        methods: name of each learned method -> its weights: "sha256" (`weights.identity`), "checkpoint", "name",
            "step", "commit".
        withheld: how stations were divided: "folds", "blocks", "seed".
        sha256: of the table.
    """

    methods: dict[str, dict]
    withheld: dict
    sha256: str

    def names_of(self, checksum: str) -> list[str]:
        """The methods that have the weights of a checksum."""
        return [name for name, weights in self.methods.items() if weights["sha256"] == checksum]

    def require(self, checksum: str, folder, path, setting: str = "matches") -> str:
        """The method that has the weights of a checksum.

        Args:
            folder: of the weights; path: of the table; setting: that names it; for the message.

        Raises:
            InputError: none has.
        """
        names = self.names_of(checksum)
        if not names:
            others = ", ".join(f"{name} of {weights['checkpoint']}" for name, weights in self.methods.items())
            raise InputError(
                f"{setting}: {path}: expected {setting} of the weights {checksum[:12]} of {folder}, it has those of"
                f" {others or 'classical methods alone'}. Verify these weights: mlrtma verify --checkpoint {folder}"
            )
        return names[0]


def path_beside(path: str | Path) -> Path:
    """Where the origin of a table of matches stands."""
    return Path(path).with_suffix(".json")


def write_origin(path: str | Path, methods: Mapping[str, dict], withheld: Mapping[str, object]) -> None:
    """Record the origin of a table of matches that was just written."""
    origin = Origin(dict(methods), dict(withheld), sha256_of(path))
    write_text(path_beside(path), json.dumps(asdict(origin), indent=1) + "\n")


def read_origin(path: str | Path, setting: str = "matches") -> Origin:
    """Read the origin of a table of matches, or of the fields of cases; ``setting``: that names it, for messages.

    Raises:
        InputError: none, or that of another table.
    """
    beside = path_beside(path)
    try:
        origin = Origin(**json.loads(beside.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise InputError(
            f"{setting}: {path}: expected {beside.name} beside it, which says of which weights they are: {error}."
            " `mlrtma verify` writes both: verify again."
        ) from error
    if origin.sha256 != sha256_of(path):
        raise InputError(
            f"{setting}: {path}: not the table that {beside.name} was written for (checksum). Verify again."
        )
    return origin
