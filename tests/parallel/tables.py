"""What the kernels share: tables of tiles on the first ranks of a job, and how to compare a tile with the whole."""

from concurrent.futures import ThreadPoolExecutor

import torch
import torch.distributed as dist

from mlrtma_dist.parallel.memory import Meeting, MemoryTransport
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport

TABLES = ((1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1), (2, 2))


class Tables:
    """Tiles on the first ranks of the world, so that one job serves many tables."""

    def __init__(self, world, transport=Transport):
        self.rank = world.rank
        self.groups = {count: dist.new_group(list(range(count))) for count in range(2, world.size + 1)}
        self.transport = transport

    def tiled(self, domain, table, align=1, periodic=(False, False)):
        """The tile of this rank, or None where the table has fewer tiles than the job ranks."""
        count = table[0] * table[1]
        if self.rank >= count:
            return None
        tile = Tile.split(domain, table, divmod(self.rank, table[1]), align, periodic, "test")
        transport = self.transport(self.groups[count], tuple(range(count)), self.rank)
        return Tiled(tile, transport)


class MemoryTables:
    """The same for threads of one process: the tiles of a thread among ``size`` of them."""

    def __init__(self, rank, meetings, transport=MemoryTransport.of):
        self.rank, self.meetings, self.transport = rank, meetings, transport

    def tiled(self, domain, table, align=1, periodic=(False, False)):
        """The tile of this thread, or None where the table has fewer tiles than there are threads."""
        count = table[0] * table[1]
        if self.rank >= count:
            return None
        tile = Tile.split(domain, table, divmod(self.rank, table[1]), align, periodic, "test")
        return Tiled(tile, self.transport(self.meetings[count], self.rank))


def in_threads(work, size=4):
    """Results of ``work(rank, meetings)`` of every thread, by rank; ``meetings`` are those of 2 to ``size`` tiles."""
    meetings = {count: Meeting(count) for count in range(2, size + 1)}

    def run(rank):
        try:
            return work(rank, meetings)
        except BaseException:
            for meeting in meetings.values():
                meeting.abort()
            raise

    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(run, range(size)))


def joined(results):
    """Every named number's largest value over the results of all threads."""
    largest = {}
    for each in results:
        for name, value in each.items():
            largest[name] = max(value, largest.get(name, 0.0))
    return largest


def cut(whole, box, domain):
    """The points of a box in a field on the whole domain, wrapped."""
    rows, columns = torch.arange(box.y0, box.y1) % domain[0], torch.arange(box.x0, box.x1) % domain[1]
    return whole[..., rows[:, None], columns].detach()


def difference(part, whole, neighbourhood):
    """Largest difference of a tile's field from the whole's, relative to the range of the whole."""
    expected = cut(whole, neighbourhood.box, neighbourhood.domain)
    return float((part.detach() - expected).abs().max() / (whole.detach().max() - whole.detach().min()))


def noise(seed, *shape, dtype=torch.float64):
    """Normal numbers, the same on every rank."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def collect(world, thing):
    """Every rank's thing; waits without turning the processor, which MPI's collectives would."""
    things = [None] * world.size
    dist.all_gather_object(things, thing)
    return things


def worst(world, results):
    """Every named number's largest value over all ranks; the names are joined, as ranks may have none."""
    joined = {}
    for each in collect(world, results):
        for name, value in each.items():
            joined[name] = max(value, joined.get(name, 0.0))
    return joined
