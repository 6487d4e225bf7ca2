"""A communicator without MPI: mpi4py's calls that files and ranks need, through a store that all ranks reach.

For ranks that torchrun or DeepSpeed's launcher started. It carries names, places and small tables; tensors travel by
torch.distributed.
"""

import pickle

from mlrtma_dist.parallel.communicator import end_process


class StoreCommunicator:
    """One rank's end. All calls are collective and come in the same order on all ranks.

    Attributes:
        rank, size: among all ranks.
    """

    def __init__(self, store, rank: int, size: int):
        """Join; ``store``: torch.distributed's, whose time limit is that of each call."""
        self._store, self.rank, self.size, self._turn = store, rank, size, 0

    def allgather(self, value) -> list:
        """Every rank's value, which can be pickled, by rank."""
        self._turn += 1
        self._store.set(self._key(self._turn, self.rank), pickle.dumps(value))
        values = [pickle.loads(self._store.get(self._key(self._turn, rank))) for rank in range(self.size)]
        # All have written in this turn, so all have read what was written in the turn before.
        self._store.delete_key(self._key(self._turn - 1, self.rank))
        return values

    def Barrier(self) -> None:  # noqa: N802, mpi4py's name
        """Wait until all ranks are here."""
        self.allgather(None)

    def bcast(self, value, root: int = 0):
        """The value of rank ``root``, on all."""
        return self.allgather(value if self.rank == root else None)[root]

    def gather(self, value, root: int = 0) -> list | None:
        """Every rank's value on rank ``root``, None elsewhere."""
        values = self.allgather(value)
        return values if self.rank == root else None

    def alltoall(self, values: list) -> list:
        """What every rank sends to this one; ``values``: what this one sends, by rank."""
        return [sent[self.rank] for sent in self.allgather(values)]

    def allreduce(self, value):
        """The sum of every rank's value."""
        first, *others = self.allgather(value)
        return sum(others, start=first)

    def Abort(self, code: int) -> None:  # noqa: N802, mpi4py's name
        """End this process at once; the launcher ends the others, which lose their connection to it."""
        end_process(code)

    @staticmethod
    def _key(turn: int, rank: int) -> str:
        return f"communicator/{turn}/{rank}"
