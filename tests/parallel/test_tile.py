"""Tiles and meshes: which points, which neighbours, and what is refused. No ranks are started."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrtma_dist.nn.neighbourhood import NeighbourhoodError, Rim
from mlrtma_dist.parallel.mesh import Mesh, MeshError
from mlrtma_dist.parallel.tile import Tile, TileError, divide


@given(st.integers(1, 400), st.integers(1, 12), st.integers(1, 20))
def test_lines_cover_the_domain_on_multiples_and_parts_differ_by_one_unit(size, parts, align):
    units = -(-size // align)
    if parts > units:
        with pytest.raises(TileError, match=f"Use at most {units} ranks in y"):
            divide(size, parts, align)
        return
    lines = np.array(divide(size, parts, align))
    assert lines[0] == 0 and lines[-1] == size and len(lines) == parts + 1
    assert np.all(lines[:-1] % align == 0)
    counts = -(-np.diff(lines) // align)
    assert counts.min() >= 1 and counts.max() - counts.min() <= 1


def test_every_point_of_an_uneven_domain_has_one_owner():
    owners = np.zeros((97, 61), int)
    for y in range(4):
        for x in range(3):
            box = Tile.split((97, 61), (4, 3), (y, x), align=8).box
            owners[box.y0 : box.y1, box.x0 : box.x1] += 1
    assert np.all(owners == 1)


def test_the_edge_of_the_domain_has_no_neighbour_and_a_periodic_one_wraps():
    corner = Tile.split((40, 60), (2, 3), (0, 2))
    assert (corner.rank, corner.neighbour(1, 0), corner.neighbour(0, -1), corner.neighbour(1, -1)) == (2, 5, 1, 4)
    assert corner.neighbour(-1, 0) is None and corner.neighbour(0, 1) is None and corner.neighbour(1, 1) is None
    wrapped = Tile.split((40, 60), (2, 3), (0, 2), periodic=(False, True))
    assert wrapped.neighbour(0, 1) == 0 and wrapped.neighbour(1, 1) == 3 and wrapped.neighbour(-1, 1) is None
    assert Tile.whole((4, 4), (True, True)).neighbour(1, 1) == 0


def test_a_slab_is_cut_at_the_edge_and_goes_on_where_the_domain_wraps():
    tile = Tile.split((40, 60), (2, 3), (0, 2), periodic=(False, True))
    assert tile.slab(4) == (range(24), range(36, 64))


def test_finer_splits_than_windows_are_refused():
    with pytest.raises(
        TileError, match=r"61 points in x = 5 x 15 that must not be cut, fewer than 6 ranks. Use at most 5"
    ):
        Tile.split((97, 61), (1, 6), align=15)


def test_a_halo_wider_than_a_tile_is_refused_by_every_tile_of_the_table():
    for position in range(4):
        tile = Tile.split((193, 193), (4, 1), (position, 0), align=64, name="guam")
        with pytest.raises(TileError) as refused:
            tile.check_rim(Rim.around(3, 3))
        assert str(refused.value) == (
            "rank 3 owns 1 rows (y 192:193 of 193, domain guam) but the halo is 3 wide. Use at most 3 ranks in y."
        )


def test_only_the_side_that_is_wanted_of_a_thin_tile_counts():
    tile = Tile.split((193, 193), (4, 1), align=64)
    tile.check_rim(Rim(south=3))  # nobody lives north of the thin last tile
    with pytest.raises(TileError, match="rank 3 owns 1 rows"):
        tile.check_rim(Rim(north=2))


def test_a_coarse_tile_rounds_the_far_edge_up_and_a_cut_point_is_refused():
    coarse = Tile.split((97, 61), (2, 2), (1, 1), align=8).coarsen(8)
    assert coarse.domain == (13, 8) and (coarse.box.y0, coarse.box.y1, coarse.box.x0, coarse.box.x1) == (6, 13, 4, 8)
    with pytest.raises(TileError, match="align=8"):
        Tile.split((95, 61), (2, 1)).coarsen(8)
    with pytest.raises(NeighbourhoodError, match="its ends would not meet"):
        Tile.split((97, 61), (2, 1), align=8, periodic=(True, False)).coarsen(8)


def test_shifted_lines_move_inside_and_stay_at_the_edges_unless_periodic():
    tile = Tile.split((40, 60), (2, 2), periodic=(False, True)).shifted((-3, -4))
    assert tile.lines == ((0, 17, 40), (-4, 26, 56))


def test_the_mesh_prints_its_equation():
    with pytest.raises(MeshError) as refused:
        Mesh(data=2, y=2).check(3)
    assert str(refused.value) == "data(2) * y(2) * x(1) = 4 != 3 ranks. Start 4 ranks."
    with pytest.raises(MeshError, match="Start 4 ranks, or set data to 3"):
        Mesh(data=2, y=2).check(6)
    with pytest.raises(MeshError, match="mesh axis y must be a whole number"):
        Mesh(y=0)


def test_ranks_that_share_a_sample_are_neighbours_and_every_axis_partitions_them():
    mesh = Mesh(data=2, y=2, x=3)
    assert mesh.members(("y", "x")) == [list(range(6)), list(range(6, 12))]
    for axes in (("data",), ("y",), ("x",), ("y", "x")):
        assert sorted(sum(mesh.members(axes), [])) == list(range(12))
    assert [mesh.coordinates(rank) for rank in (0, 5, 6)] == [(0, 0, 0), (0, 1, 2), (1, 0, 0)]
