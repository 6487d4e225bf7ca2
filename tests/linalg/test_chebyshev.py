"""Interpolation between Chebyshev nodes of a block, against exact evaluation."""

import numpy as np
import pytest

from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.linalg.chebyshev import nodes

FINE = (20e3, 200.0)  # m between nodes, along the ground and in height


def block(generator, middle, width=1.2, top=300.0, side=48) -> Points:
    """A block of a grid on random terrain."""
    latitude, longitude = (
        a.ravel() for a in np.meshgrid(*(m + width * np.linspace(-0.5, 0.5, side) for m in middle), indexing="ij")
    )
    longitude = (longitude + 180.0) % 360.0 - 180.0
    elevation = generator.uniform(0.0, top, side * side).astype(np.float32)
    zero = np.zeros(side * side)
    return Points(latitude, longitude, cartesian(latitude, longitude), elevation, zero, zero)


def matern(points: Points, centre, height: float, length: float = 750e3, tall: float = 2000.0) -> np.ndarray:
    r = np.sqrt(
        ((points.position - cartesian(*centre)) ** 2).sum(axis=1) / length**2
        + ((points.elevation - height) / tall) ** 2
    )
    return (1 + r) * np.exp(-r)


@pytest.mark.parametrize("middle", [(40.0, -105.0), (13.4, 144.8), (52.0, 180.0), (-16.5, -179.9), (70.0, -150.0)])
@pytest.mark.parametrize("top", [0.0, 100.0, 3000.0])
def test_a_matern_function_is_carried_to_its_points_within_two_parts_in_ten_thousand(middle, top, generator):
    """Stations in the block and beyond it, on plains and steep terrain, across the date line."""
    points = block(generator, middle, top=top)
    tensor_grid = nodes(points, (0.12 * 750e3, 0.12 * 2000.0))
    worst = 0.0
    for _ in range(20):
        centre, height = np.array(middle) + generator.uniform(-2.0, 2.0, 2), generator.uniform(0.0, 3000.0)
        carried = tensor_grid.interpolate(matern(tensor_grid.points, centre, height))
        worst = max(worst, np.abs(carried - matern(points, centre, height)).max())
    print(f"worst error {worst:.1e} with {len(tensor_grid.points)} nodes for {len(points)} points")
    assert worst < 2e-4


def test_denser_nodes_err_less_by_the_third_power_of_the_spacing(generator):
    """A Matern 3/2 has a kink of third order at the station."""
    points = block(generator, (40.0, -105.0), top=500.0, side=70)
    station, height = (40.05, -105.05), 210.0
    errors = []
    for factor in (1.0, 0.5):
        tensor_grid = nodes(points, (45e3 * factor, 170.0 * factor))
        carried = tensor_grid.interpolate(matern(tensor_grid.points, station, height, length=200e3, tall=700.0))
        errors.append(np.abs(carried - matern(points, station, height, length=200e3, tall=700.0)).max())
    print(f"errors {errors[0]:.1e} {errors[1]:.1e}")
    assert errors[1] < errors[0] / 3


def test_polynomials_of_the_nodes_degree_are_carried_exactly(generator):
    points = block(generator, (40.0, -105.0), top=800.0)
    tensor_grid = nodes(points, FINE)
    height = lambda p: p.elevation.astype(np.float64) / 400 - 1  # noqa: E731
    polynomial = lambda p: (p.latitude - 40) ** 3 * (p.longitude + 105) ** 2 * height(p) ** 2  # noqa: E731
    assert tensor_grid.interpolate(polynomial(tensor_grid.points)) == pytest.approx(polynomial(points), abs=1e-9)


def test_points_on_the_nodes_get_the_nodes_values(generator):
    points = block(generator, (40.0, -105.0))
    tensor_grid = nodes(points, FINE)
    corners = [0, 47, 48 * 47, 48 * 48 - 1]
    assert all((np.sort(weight[corners], axis=1)[:, -1] == 1.0).all() for weight in tensor_grid.weights[:2])
    assert all(weight.sum(axis=1) == pytest.approx(1.0) for weight in tensor_grid.weights)


def test_nodes_are_no_further_apart_than_was_asked_for(generator):
    points = block(generator, (60.0, -150.0), top=1000.0, side=60)
    tensor_grid = nodes(points, (30e3, 200.0))
    assert len(np.unique(tensor_grid.points.latitude)) == 1 + np.ceil(1.2 * 111.2 / 30)
    assert len(np.unique(tensor_grid.points.longitude)) == 4  # 1.2 degrees at 59.4N are 68 km: the least number
    assert len(np.unique(tensor_grid.points.elevation)) == 1 + np.ceil(np.ptp(points.elevation) / 200.0)


def test_a_block_across_the_date_line_is_as_narrow_as_any_other(generator):
    east, west = block(generator, (10.0, 180.0), top=0.0), block(generator, (10.0, 90.0), top=0.0)
    carried = [
        tensor_grid.interpolate(matern(tensor_grid.points, (10.3, longitude + 0.2), 0.0))
        for tensor_grid, longitude in ((nodes(east, FINE), 180.0), (nodes(west, FINE), 90.0))
    ]
    assert carried[0] == pytest.approx(carried[1], abs=1e-10)


def test_wide_blocks_are_refused(generator):
    assert nodes(block(generator, (40.0, -105.0), width=4.1), FINE) is None


def test_blocks_of_too_few_points_are_refused(generator):
    assert nodes(block(generator, (40.0, -105.0), side=10), FINE) is None
    assert nodes(block(generator, (40.0, -105.0), side=48), (2e3, 200.0)) is None


def test_blocks_of_a_plane_and_of_one_row_are_refused(generator):
    points = block(generator, (40.0, -105.0))
    row = points[points.latitude == points.latitude[0]]
    zero = np.zeros(len(points))
    plane = Points(zero, zero, points.position, zero, zero, zero)
    assert nodes(plane, FINE) is None and nodes(row, (1e6, 1e6)) is None
