"""Departures on a coarse grid: values at its points, deviation between them, and any tiles."""

import numpy as np
import pytest
import torch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.coarse_departures import CoarseGrid
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles

GRID = CoarseGrid((26, 35), 8)
SCALES = ((0.4, 1.5), (0.6, 6.0))


def test_the_grid_covers_the_domain_and_a_plane_is_a_plane():
    assert GRID.shape == (5, 6) and CoarseGrid((25, 33), 8).shape == (4, 5)
    y, x = torch.meshgrid(torch.arange(26.0), torch.arange(35.0), indexing="ij")
    plane = (2.0 * y - 3.0 * x)[None]
    coarse = GRID.gathered(plane, Alone(GRID.domain, (False, False)))
    assert float(coarse[0, 4, 5]) == 2.0 * 25 - 3.0 * 34  # beyond the edge the value of the edge
    back = GRID.interpolated(coarse, Box.whole(GRID.domain), ())
    torch.testing.assert_close(back[:, :25, :33], plane[:, :25, :33])


def test_between_the_points_fields_have_the_deviation_that_they_have_on_them():
    random = torch.Generator().manual_seed(1)
    place = torch.stack(torch.meshgrid(torch.arange(3.0), torch.arange(3.0), indexing="ij"), -1).reshape(-1, 2)
    squared = torch.cdist(place, place).square().double()
    covariance = sum(own * torch.exp(-0.5 * squared / length**2) for own, length in SCALES)
    factor = torch.linalg.cholesky(covariance + 1e-9 * torch.eye(9))
    fields = (factor @ torch.randn(9, 40000, generator=random, dtype=torch.float64)).T.reshape(-1, 3, 3)
    grid = CoarseGrid((17, 17), 8)
    fine = grid.interpolated(fields, Box.whole(grid.domain), SCALES)
    np.testing.assert_allclose(fine.std(0), 1.0, atol=0.02)
    assert float(grid.interpolated(fields, Box.whole(grid.domain), ()).std(0)[4, 4]) < 0.97


@pytest.mark.parametrize("tiles", [(1, 2), (3, 2)])
def test_tiles_gather_and_interpolate_what_one_has(tiles):
    fields = torch.randn(3, *GRID.domain, generator=torch.Generator().manual_seed(2))
    whole = GRID.gathered(fields, Alone(GRID.domain, (False, False)))
    everywhere = GRID.interpolated(whole, Box.whole(GRID.domain), SCALES)

    def of_tile(here):
        rows, columns = here.box.slices
        coarse = GRID.gathered(fields[:, rows, columns], here)
        torch.testing.assert_close(coarse, whole, rtol=0, atol=0)
        torch.testing.assert_close(GRID.interpolated(coarse, here.box, SCALES), everywhere[:, rows, columns])

    run_tiles(GRID.domain, tiles, of_tile)
