"""Tiles in one process: a transport through memory, for tests and for trying a decomposition without MPI.

Every tile is a thread. What `transport.Transport` does by torch.distributed happens here through shared lists, in the
same order on every run, so that halos, gathers, norms and windows are tested in milliseconds.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport

TIMEOUT = 60.0  # seconds that a tile waits for the others before it gives up


@dataclass
class Meeting:
    """What the tiles of one sample share.

    Attributes:
        size: number of tiles.
        messages: (source, destination, tag) -> tensors under way.
        table: what every tile puts down for a collective operation.
    """

    size: int
    messages: dict[tuple[int, int, int], queue.Queue] = field(default_factory=dict)
    table: list = field(default_factory=list)

    def __post_init__(self):
        self._barrier = threading.Barrier(self.size)
        self._lock = threading.Lock()
        self.table = [None] * self.size

    def box(self, key: tuple[int, int, int]) -> queue.Queue:
        """The messages from one tile to another under one tag."""
        with self._lock:
            return self.messages.setdefault(key, queue.Queue())

    def swap(self, rank: int, operation: str, thing: object) -> list:
        """Every tile's thing, by rank. Collective; all tiles must ask for the same operation.

        Raises:
            RuntimeError: tiles ask for different operations, or one does not come.
        """
        self.table[rank] = operation, thing
        try:
            self._barrier.wait(TIMEOUT)
            table = list(self.table)
            self._barrier.wait(TIMEOUT)
        except threading.BrokenBarrierError as error:
            raise RuntimeError(f"tile {rank}: {operation}: another tile did not come within {TIMEOUT:g} s") from error
        operations = [each[0] for each in table]
        if len(set(operations)) > 1:
            raise RuntimeError(f"the tiles ask for different operations: {', '.join(operations)}")
        return [each[1] for each in table]

    def abort(self) -> None:
        """Wake all tiles that wait: one has failed."""
        self._barrier.abort()


@dataclass
class MemoryPending:
    """Messages under way in memory; see `transport.Pending`."""

    arrivals: dict = field(default_factory=dict)
    awaited: list = field(default_factory=list)

    def finish(self) -> dict:
        """Wait for all messages; the arrivals by their key."""
        for key, box in self.awaited:
            self.arrivals[key] = box.get(timeout=TIMEOUT)
        return self.arrivals


@dataclass(frozen=True)
class MemoryTransport(Transport):
    """A transport between tiles of one process; see `transport.Transport`.

    Attributes:
        meeting: shared by all tiles.
    """

    meeting: Meeting | None = None

    @classmethod
    def of(cls, meeting: Meeting, rank: int) -> "MemoryTransport":
        """The transport of one of the tiles of a meeting."""
        return cls(None, tuple(range(meeting.size)), rank, meeting)

    def post(self, letters: list[tuple], like: Tensor) -> MemoryPending:
        """Send and receive, without waiting; see `transport.Transport.post`."""
        pending = MemoryPending()
        for kind, tile, tag, *rest in letters:
            if kind == "send":
                self.meeting.box((self.rank, tile, tag)).put(rest[0].detach().clone())
            else:
                pending.awaited.append((rest[0], self.meeting.box((tile, self.rank, tag))))
        return pending

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over tiles in the order of their ranks, a new tensor (or the given one, alone)."""
        parts = self.collect(tensor, "sum")
        return tensor if self.size == 1 else torch.stack(parts).sum(0)

    def collect(self, tensor: Tensor, operation: str = "collect") -> list[Tensor]:
        """Every tile's tensor (equal shapes), by tile rank."""
        if self.size == 1:
            return [tensor]
        return self.meeting.swap(self.rank, f"{operation} {tuple(tensor.shape)}", tensor.detach().clone())

    def scatter(self, parts: list[Tensor], like: Tensor) -> Tensor:
        """Tile 0's parts (equal shapes, one per tile), each to its tile."""
        if self.size == 1:
            return parts[0]
        return self.meeting.swap(self.rank, "scatter", [part.detach().clone() for part in parts])[0][self.rank]

    def assemble(self, tensor: Tensor) -> list[Tensor]:
        """Every tile's tensor (equal shapes) at tile 0, by tile rank; elsewhere an empty list."""
        if self.size == 1:
            return [tensor]
        parts = self.meeting.swap(self.rank, f"assemble {tuple(tensor.shape)}", tensor.detach().clone())
        return parts if self.rank == 0 else []


def run_tiles(
    domain: tuple[int, int],
    table: tuple[int, int],
    work: Callable[[Neighbourhood], object],
    *,
    align: int = 1,
    periodic: tuple[bool, bool] = (False, False),
    transport: Callable[[Meeting, int], Transport] = MemoryTransport.of,
) -> list:
    """Run ``work`` on every tile of a domain, each in a thread of its own; the results by tile rank.

    Args:
        domain: points in y and x; table: tiles in y and x.
        work: called with the neighbourhood of its tile; collective operations in it meet those of the other tiles.
        align: multiples on which tiles begin; periodic: whether y, x wrap.
        transport: makes the transport of a tile from the meeting and its rank.

    Raises:
        TileError: the domain cannot be divided so. Whatever ``work`` raises, of the first tile that failed.
    """
    count = table[0] * table[1]
    if count == 1:
        return [work(Alone(domain, periodic))]
    meeting = Meeting(count)
    tiles = [Tile.split(domain, table, divmod(n, table[1]), align, periodic, "memory") for n in range(count)]

    def run(rank: int) -> object:
        try:
            return work(Tiled(tiles[rank], transport(meeting, rank)))
        except BaseException:
            meeting.abort()
            raise

    with ThreadPoolExecutor(count, thread_name_prefix="tile") as threads:
        futures = [threads.submit(run, rank) for rank in range(count)]
        errors = [future.exception() for future in futures]
    if any(errors):  # a tile that only waited for one that failed is not the one to name
        raise next((e for e in errors if e and "did not come" not in str(e)), next(e for e in errors if e))
    return [future.result() for future in futures]
