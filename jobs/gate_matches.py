"""The matches of a gate: which rows of which tables are the candidate's, and which are of what it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.match import Matches, read_matches
from mlrtma_dist.verification.match_origin import Origin, read_origin


@dataclass(frozen=True)
class Tables:
    """Tables of matches by their files, and the origin of each."""

    matches: dict[str, Matches]
    origins: dict[str, Origin]

    @classmethod
    def read(cls, paths: Sequence[str]) -> "Tables":
        """Read tables.

        Raises:
            InputError: one is none, is empty, or has no origin beside it.
        """
        matches = {path: read_matches(path) for path in paths}
        for path, table in matches.items():
            if not len(table):
                raise InputError(f"matches: {path}: expected matches, it has no row. Verify again.")
        return cls(matches, {path: read_origin(path) for path in paths})

    def of_weights(self, checksum: str, folder, beside: Sequence[str] = ()) -> list[str]:
        """The files with matches of the weights of a checksum, of those in ``beside`` where there are any.

        Raises:
            InputError: none has.
        """
        paths = [path for path, origin in self.origins.items() if origin.names_of(checksum)]
        if not paths:
            path, origin = next(iter(self.origins.items()))
            origin.require(checksum, folder, path if len(self.origins) == 1 else ", ".join(self.origins))
        return [path for path in paths if path in beside] or paths

    def of_method(self, method: str, beside: Sequence[str]) -> list[str]:
        """The files with matches of a method without weights, of those in ``beside`` where there are any.

        Raises:
            InputError: none has.
        """
        paths = [path for path, table in self.matches.items() if method in table.methods]
        if not paths:
            raise InputError(
                f"reference: expected a method of the matches in {', '.join(self.matches)}, got {method!r}."
                f" Verify it beside the candidate: --method {method} ..."
            )
        return [path for path in paths if path in beside] or paths

    def rows(self, paths: Sequence[str], checksum: str | None = None, method: str | None = None) -> Matches:
        """The rows of the weights of a checksum, or without one of a method."""
        tables = []
        for path in paths:
            name = self.origins[path].names_of(checksum)[0] if checksum else method
            tables.append(self.matches[path].select(method=name))
        return Matches.concatenate(tables)

    def require_equal_division(self, own: Sequence[str], other: Sequence[str]) -> None:
        """Raise InputError unless all tables are of stations that were withheld in the same parts."""
        first = self.origins[own[0]].withheld
        for path in (*own, *other):
            if self.origins[path].withheld != first:
                raise InputError(
                    f"matches: expected stations withheld in the same parts, got {first} in {own[0]} and"
                    f" {self.origins[path].withheld} in {path}. Verify both in one run (`incumbent`)."
                )

    def facts(self, path: str) -> dict:
        """A table in the decision: its file, checksum, and how stations were withheld."""
        return {"file": path, "sha256": self.origins[path].sha256, "withheld": self.origins[path].withheld}

    @staticmethod
    def times_within(matches: Matches, start: str, end: str) -> str:
        """How many of the verified times lie within a training period, in words."""
        times = np.unique(matches.time)
        within = (times >= clock.parse_time(start)) & (times <= clock.parse_time(end))
        return f"{int(within.sum())} of {len(times)} verified times lie between {start} and {end}"
