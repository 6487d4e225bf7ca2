"""Which layout of ranks (data x tiles x ZeRO stage) trains a step soonest on a machine, and where layouts break.

    step = max(passes * (operators of the largest tile + its messages and sums) + gradients, weights, single numbers,
               bytes of the tile's samples / bandwidth of reading)

with operators and traffic counted by `training.work`, times of `training.operators` and `parallel.interconnect`, and
memory of `training.memory`. Threads read the next samples while a step computes (`samples.pipeline`); nothing else
overlaps. The efficiency is that against one rank with
memory for everything: its time for the whole domain and all samples / (ranks * step). Tiles of a sample are neighbours
in rank, as `parallel.mesh.Mesh` places them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mlrtma_dist.methods.learned import LearnedMethod
from mlrtma_dist.nn.neighbourhood import NeighbourhoodError
from mlrtma_dist.parallel.interconnect import Interconnect
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.training import memory, work
from mlrtma_dist.training.operators import Processor

STAGES = (0, 1, 2, 3)


@dataclass(frozen=True)
class ModelledMachine:
    """One rank's device and what it is connected by.

    Attributes:
        processor: how fast it computes.
        memory: that may be filled, bytes.
        interconnect: links within and between nodes.
        read_bandwidth: bytes/s that a rank reads while all others read.
    """

    processor: Processor
    memory: float
    interconnect: Interconnect
    read_bandwidth: float = math.inf


@dataclass(frozen=True)
class PlannedTraining:
    """What is trained.

    Attributes:
        method: a `methods.learned.LearnedMethod`.
        domain: points in y and x; name: of it; periodic: whether y, x wrap.
        batch: samples a step; micro_batch: samples at once on a rank.
        settings: the ``engine:`` section; its ZeRO stage is replaced.
        averaged: whether a moving average of the weights is kept.
        stored: fields of a case in its store, float32.
    """

    method: LearnedMethod
    domain: tuple[int, int]
    name: str
    batch: int
    micro_batch: int
    settings: dict
    averaged: bool = False
    periodic: tuple[bool, bool] = (False, False)
    stored: int = 0


@dataclass(frozen=True)
class RankLayout:
    """A layout and what it is predicted to cost a rank; times in s.

    Attributes:
        mesh: the ranks; stage: of ZeRO; tile: points of the largest tile in y and x.
        memory: bytes; compute, tiles, engine: operators, messages between tiles, gradients and weights.
        read: reading the samples of a step, which overlaps with all of these.
        useful: time of the step on one rank with memory for everything, divided by all ranks.
    """

    mesh: Mesh
    stage: int
    tile: tuple[int, int]
    memory: memory.Memory
    compute: float
    tiles: float
    engine: float
    read: float
    useful: float

    @property
    def step(self) -> float:
        """Time of a step."""
        return max(self.compute + self.tiles + self.engine, self.read)

    @property
    def efficiency(self) -> float:
        """Share of the step that one rank with memory for everything would need, divided by the ranks."""
        return self.useful / self.step


@dataclass
class Planner:
    """Predicts layouts of one training on one machine; every table of tiles is counted once.

    Attributes:
        refused: why layouts cannot be, by mesh and stage, in words.
    """

    training: PlannedTraining
    machine: ModelledMachine
    refused: dict[tuple[Mesh, int], str] = field(default_factory=dict)
    _passes: dict = field(default_factory=dict)
    _memory: dict = field(default_factory=dict)

    def layouts(self, ranks: int, batch: int | None = None) -> list[RankLayout]:
        """All layouts of so many ranks that can be, the fastest first; ties go to the lower ZeRO stage.

        Args:
            batch: samples a step; None: the training's.
        """
        batch = self.training.batch if batch is None else batch
        fitting = []
        for mesh in meshes(ranks, batch, self.training.domain):
            for stage in STAGES:
                try:
                    layout = self.predict(mesh, stage, batch)
                except NeighbourhoodError as error:
                    self.refused[mesh, stage] = str(error)
                    continue
                if layout.memory.total > self.machine.memory:
                    there = f"{self.machine.memory / 2**20:.0f} MiB"
                    self.refused[mesh, stage] = f"needs {layout.memory}, there are {there}"
                else:
                    fitting.append(layout)
        return sorted(fitting, key=lambda layout: (layout.step, layout.stage))

    def predict(self, mesh: Mesh, stage: int, batch: int) -> RankLayout:
        """What a layout costs, whether it fits or not.

        Raises:
            NeighbourhoodError: tiles are too small, or more than the domain can be cut into.
        """
        wires, each = self.machine.interconnect, batch // mesh.data
        settings = with_stage(self.training.settings, stage)
        passes = self._passes_of((mesh.y, mesh.x), each)
        tile = passes[0][1]
        tiles = sum(times * wires.seconds(once.traffic, tile.rank, mesh.tiles) for times, _, once in passes)
        end = work.of_step(self.training.method.network, mesh.size, sum(times for times, _, _ in passes), settings)
        need = self._need(tile.shape, min(self.training.micro_batch, each), mesh.size, settings)
        return RankLayout(
            mesh,
            stage,
            tile.shape,
            need,
            self._compute(passes),
            tiles,
            wires.seconds(end, 0, mesh.size),
            4.0 * self.training.stored * each * tile.shape[0] * tile.shape[1] / self.machine.read_bandwidth,
            self._compute(self._passes_of((1, 1), batch)) / mesh.size,
        )

    def _compute(self, passes: list[tuple[int, Tile, work.Pass]]) -> float:
        return sum(times * self.machine.processor.seconds(once.operators) for times, _, once in passes)

    def _passes_of(self, table: tuple[int, int], samples: int) -> list[tuple[int, Tile, work.Pass]]:
        """How so many samples go through a rank: how often a pass is made, its tile, and what it does."""
        at_once = min(self.training.micro_batch, samples)
        whole, rest = divmod(samples, at_once)
        return [(times, *self._pass(table, size)) for times, size in ((whole, at_once), (1, rest)) if size]

    def _pass(self, table: tuple[int, int], samples: int) -> tuple[Tile, work.Pass]:
        key, training = (table, samples), self.training
        if key not in self._passes:
            tile = largest_tile(training, table)
            self._passes[key] = tile, work.of_pass(training.method, tile, samples, training.settings)
        return self._passes[key]

    def _need(self, shape, samples: int, ranks: int, settings: dict) -> memory.Memory:
        training, key = self.training, (shape, samples)
        if key not in self._memory:
            self._memory[key] = memory.activations(training.method, shape, samples, settings)
        weights = memory.weights(training.method, ranks, settings, training.averaged)
        return memory.Memory(weights, self._memory[key])


def with_stage(settings: dict, stage: int) -> dict:
    """The ``engine:`` section with another ZeRO stage."""
    return {**settings, "zero_optimization": {**settings.get("zero_optimization", {}), "stage": stage}}


def largest_tile(training: PlannedTraining, table: tuple[int, int]) -> Tile:
    """The tile of most points, the one with most neighbours among equals: all others wait for it.

    Raises:
        TileError: more tiles than the domain can be cut into.
    """
    tile = Tile.split(training.domain, table, (0, 0), training.method.alignment, training.periodic, training.name)
    places = [replace(tile, position=(y, x)) for y in range(table[0]) for x in range(table[1])]
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(
        places,
        key=lambda each: (each.shape[0] * each.shape[1], sum(each.neighbour(*step) is not None for step in steps)),
    )


def meshes(ranks: int, batch: int, domain: tuple[int, int]) -> Iterator[Mesh]:
    """Every share of the ranks between samples and tiles, the tiles as near to squares as may be."""
    for data in range(1, ranks + 1):
        if ranks % data == 0 and batch % data == 0:
            tiles = ranks // data
            rows = min(
                (rows for rows in range(1, tiles + 1) if tiles % rows == 0),
                key=lambda rows: domain[0] / rows + domain[1] * rows / tiles,
            )
            yield Mesh(data, rows, tiles // rows)
