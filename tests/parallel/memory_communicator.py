"""Ranks as threads of one process, with the calls of mpi4py's communicator that files and maps need."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

PATIENCE = 30.0  # seconds until a collective that not all ranks reach fails


class MemoryCommunicator:
    """One rank's end of a communicator in memory."""

    def __init__(self, rank: int, size: int, board: list, barrier: Barrier):
        self.rank, self.size, self._board, self._barrier = rank, size, board, barrier

    def Barrier(self) -> None:  # noqa: N802, mpi4py's name
        self._barrier.wait(PATIENCE)

    def allgather(self, value) -> list:
        self._board[self.rank] = value
        self.Barrier()
        values = list(self._board)
        self.Barrier()  # nobody overwrites what another has not yet read
        return values

    def gather(self, value, root: int = 0):
        values = self.allgather(value)
        return values if self.rank == root else None

    def bcast(self, value, root: int = 0):
        return self.allgather(value)[root]

    def alltoall(self, values) -> list:
        return [sent[self.rank] for sent in self.allgather(values)]

    def allreduce(self, value):
        return sum(self.allgather(value)[1:], start=self.allgather(value)[0])


def on_threads(size: int, function) -> list:
    """The results of ``function(communicator)`` on so many ranks; the first error of a rank is raised."""
    board, barrier = [None] * size, Barrier(size)

    def run(rank: int):
        try:
            return function(MemoryCommunicator(rank, size, board, barrier))
        except BaseException:
            barrier.abort()  # the others do not wait for this rank
            raise

    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(run, range(size)))
