"""The ranks of a job as a table with three axes: data (samples), y and x (tiles of a sample)."""

from dataclasses import dataclass

from mlrtma_dist.config import ConfigError

AXES = ("data", "y", "x")


class MeshError(ConfigError):
    """A mesh that does not have as many places as the job has ranks."""


@dataclass(frozen=True)
class Mesh:
    """How ranks are laid out; x changes fastest, so the tiles of a sample are neighbours on a node.

    Attributes:
        data: number of samples, or cases, side by side.
        y: number of tiles of each sample, northward.
        x: number of tiles of each sample, eastward.
    """

    data: int = 1
    y: int = 1
    x: int = 1

    def __post_init__(self):
        for axis in AXES:
            if not isinstance(getattr(self, axis), int) or getattr(self, axis) < 1:
                raise MeshError(f"mesh axis {axis} must be a whole number from 1 on, got {getattr(self, axis)!r}.")

    @classmethod
    def of(cls, ranks: int, in_tiles: bool) -> "Mesh":
        """All ranks on one axis: tiles in y of the same samples, or samples side by side."""
        return cls(y=ranks) if in_tiles else cls(data=ranks)

    @property
    def size(self) -> int:
        """Ranks in all."""
        return self.data * self.y * self.x

    @property
    def tiles(self) -> int:
        """Ranks that share a sample."""
        return self.y * self.x

    def __str__(self) -> str:
        return f"data({self.data}) * y({self.y}) * x({self.x})"

    def check(self, ranks: int) -> None:
        """Raise MeshError, with the equation, unless the mesh has one place for each rank."""
        if self.size != ranks:
            way_out = f"Start {self.size} ranks"
            if ranks % self.tiles == 0:
                way_out += f", or set data to {ranks // self.tiles}"
            raise MeshError(f"{self} = {self.size} != {ranks} ranks. {way_out}.")

    def coordinates(self, rank: int) -> tuple[int, int, int]:
        """Place of a rank on (data, y, x)."""
        return rank // self.tiles, rank // self.x % self.y, rank % self.x

    def members(self, axes: tuple[str, ...]) -> list[list[int]]:
        """The ranks that differ only along ``axes``, one list for each choice of the other coordinates.

        Example:
            >>> Mesh(data=2, y=2).members(("y", "x"))
            [[0, 1], [2, 3]]
        """
        kept = [number for number, axis in enumerate(AXES) if axis not in axes]
        lists: dict[tuple, list[int]] = {}
        for rank in range(self.size):
            place = self.coordinates(rank)
            lists.setdefault(tuple(place[number] for number in kept), []).append(rank)
        return list(lists.values())


def make_groups(mesh: Mesh, rank: int) -> dict[str, object]:
    """Make the torch.distributed groups that this rank belongs to. Collective over all ranks.

    Returns:
        By name: "world", each axis, and "tiles" (the ranks that share a sample). A group of one is None.
    """
    import torch.distributed as dist  # here, so that ranks without torch have a mesh, too

    groups: dict[str, object] = {"world": dist.group.WORLD if mesh.size > 1 else None}
    for name, axes in (("data", ("data",)), ("y", ("y",)), ("x", ("x",)), ("tiles", ("y", "x"))):
        groups[name] = None
        for members in mesh.members(axes):
            if len(members) == mesh.size > 1:
                groups[name] = dist.group.WORLD
            elif len(members) > 1:
                group = dist.new_group(members)
                groups[name] = group if rank in members else groups[name]
    return groups
