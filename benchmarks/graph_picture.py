"""The three meshes of the graph network on a small domain divided into tiles, and the nodes that one tile fetches.

python benchmarks/graph_picture.py --output docs/images/graph_meshes.png
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn import graph_mesh
from mlrtma_dist.nn.graph_mesh import BRANCH, Part
from mlrtma_dist.parallel.tile import Tile

DOMAIN, SPACING, LEVELS, TABLE = (52, 76), 3, 3, (1, 2)
COLOURS = ("tab:blue", "tab:orange", "tab:red")
CPU = torch.device("cpu")


def level_part(level: int) -> Part:
    """All nodes of a level."""
    size = tuple(-(-points // (SPACING * BRANCH**level)) for points in DOMAIN)
    return Part(size, Box.whole(size), (False, False))


def middle(index: np.ndarray, step: int) -> np.ndarray:
    """Place of nodes among grid points."""
    return index * step + (step - 1) / 2


def ends(graph, nodes: Part) -> np.ndarray:
    """Indices (y, x) of both ends of the edges within a level, shape (edge, 2, 2)."""
    pairs = []
    for index, box in ((graph.receiver, nodes.box), (graph.sender, nodes.around(1))):
        row, column = np.divmod(index.numpy(), box.shape[1])
        pairs.append(np.stack([row + box.y0, column + box.x0], 1))
    return np.stack(pairs, 1)


def draw_edges(axis, places: np.ndarray, colour: str, width: float) -> None:
    """Lines between places (edge, 2, 2)."""
    axis.plot(places[..., 1].T, places[..., 0].T, color=colour, linewidth=width, zorder=1)


def draw_within(axis, level: int, centred: bool) -> None:
    """Edges within a level: between its own nodes, or between the finest nodes at its multiples."""
    nodes, step = level_part(level), BRANCH**level
    index = ends(graph_mesh.within(nodes, nodes.around(1), level, CPU), nodes)
    places = middle(index, SPACING * step) if centred else middle(index * step, SPACING)
    draw_edges(axis, places, COLOURS[level], 0.5 + 0.5 * level)
    size = (6, 22, 60)[level]
    place = places.reshape(-1, 2)
    axis.scatter(place[:, 1], place[:, 0], size, COLOURS[level], zorder=2 + level)


def draw_up(axis, level: int) -> None:
    """Edges from a level to the next one."""
    below, above = level_part(level), level_part(level + 1)
    graph = graph_mesh.upwards(below, above, level, CPU)
    sender, receiver = (
        np.stack(np.divmod(index.numpy(), part.box.shape[1]), 1)
        for index, part in ((graph.sender, below), (graph.receiver, above))
    )
    steps = SPACING * BRANCH**level, SPACING * BRANCH ** (level + 1)
    draw_edges(axis, np.stack([middle(sender, steps[0]), middle(receiver, steps[1])], 1), "grey", 0.4)


def draw_tile(axis, reach: int) -> None:
    """The western tile and the nodes of its neighbour that it fetches, each ``reach`` finest nodes."""
    tile = Tile.split(DOMAIN, TABLE, align=SPACING * BRANCH ** (LEVELS - 1) if reach > 1 else SPACING)
    edge = tile.box.x1 - 0.5
    axis.axvline(edge, color="black", linewidth=1.2)
    for level in range(LEVELS if reach > 1 else 1):
        step = SPACING * BRANCH**level
        rows = middle(np.arange(level_part(level).domain[0]), step)
        axis.scatter(
            np.full(len(rows), middle(np.array(tile.box.x1 // step), step)),
            rows,
            110,
            "none",
            marker="s",
            edgecolors=COLOURS[level],
            zorder=8,
        )


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    figure, axes = plt.subplots(1, 3, figsize=(16, 4.4), layout="constrained")
    point = np.indices(DOMAIN).reshape(2, -1)
    for axis, title in zip(
        axes, ("flat", "multi-scale: one set of nodes", "hierarchical: nodes on every level"), strict=True
    ):
        axis.scatter(point[1], point[0], 0.4, "lightgrey")
        axis.set(title=title, aspect="equal", xticks=[], yticks=[])
    draw_within(axes[0], 0, centred=True)
    draw_tile(axes[0], 1)
    for level in range(LEVELS):
        draw_within(axes[1], level, centred=False)
        draw_within(axes[2], level, centred=True)
    for level in range(LEVELS - 1):
        draw_up(axes[2], level)
    draw_tile(axes[2], 2)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
