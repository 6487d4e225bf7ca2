"""Fields carried by a mesh through an area, against exact evaluation, wherever on the earth or on a plane."""

import numpy as np
import pytest

from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.linalg import mesh as mesh_module
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.linalg.mesh import Area, lay_mesh
from mlrtma_dist.linalg.sources import MeshField

SIDE = 70  # points of an area in each direction
COMPONENTS = (
    Component(8.9, "rounded", 910e3, 2020.0),
    Component(0.8, "matern32", 600e3, 1800.0),
    Component(1.0, "gaussian", 500e3),
)


def area(generator, middle, width=4.0, top=3000.0, plane=False) -> tuple[Area, Points]:
    """An area around a place (degrees) of terrain up to ``top`` m, and 300 of its points."""
    along = width * np.linspace(-0.5, 0.5, SIDE)
    north, east = (a.ravel() for a in np.meshgrid(along, along, indexing="ij"))
    elevation, zero = generator.uniform(0.0, top, SIDE**2), np.zeros(SIDE**2)
    if plane:
        points = Points(zero, zero, 111e3 * np.stack([east, north, zero], axis=1), elevation, zero, zero)
    else:
        # turned there as a whole, so that areas at a pole are as wide as others
        turned = cartesian(north, east) @ _to(middle)
        points = Points(zero, zero, turned, elevation, zero, zero)
    rows = np.linspace(0, SIDE - 1, 9).astype(int)
    sample = (rows[:, None] * SIDE + rows).ravel()
    whole = Area(points[sample], SIDE**2, float(elevation.min()), float(elevation.max()))
    return whole, points[generator.choice(SIDE**2, 300, replace=False)]


def _to(middle) -> np.ndarray:
    """The rotation, to be multiplied from the right, that takes 0N 0E to a place and north to its north."""
    phi, lam = np.deg2rad(middle)
    up = np.array([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    return np.stack([up, east, np.cross(up, east)])


def stations(generator, points: Points, count: int = 120) -> Points:
    """Stations within the area and above and below its terrain."""
    chosen = points[generator.choice(len(points), count)]
    position = chosen.position + 20e3 * generator.standard_normal((count, 3))
    if np.ptp(points.position[:, 2]) > 0:
        position *= np.linalg.norm(points.position[0]) / np.linalg.norm(position, axis=1, keepdims=True)
    zero = np.zeros(count)
    return Points(zero, zero, position, generator.uniform(-300.0, 4000.0, count), zero, zero)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.kernel)
@pytest.mark.parametrize("middle", [(40.0, -105.0), (52.0, 180.0), (-16.5, -179.9), (90.0, 0.0), None])
@pytest.mark.parametrize("top", [0.0, 100.0, 3000.0])
def test_a_mesh_carries_each_smooth_component_to_the_points_within_two_thousandths(component, middle, top, generator):
    """On plains and steep terrain, across the date line, at a pole, on a plane (None)."""
    whole, points = area(generator, middle, top=top, plane=middle is None)
    q = stations(generator, points)
    w = generator.standard_normal((len(q), 2))
    field = Covariance((component,)).sources(q, w).within(whole)
    exact = component.variance * Covariance(
        (Component(1.0, component.kernel, component.length, component.height),)
    ).matrix(points, q)
    assert isinstance(field.parts[0], MeshField)
    error = np.abs(field.at(points) - exact @ w).max()
    print(f"{len(field.parts[0].series.mesh.points)} nodes, error {error / component.variance:.1e}")
    assert error < 2e-3 * component.variance * np.sqrt((w**2).sum(axis=0).max())


def test_polynomials_of_the_nodes_degree_are_carried_exactly(generator):
    whole, points = area(generator, (40.0, -105.0))
    mesh = lay_mesh(whole, 100e3, 500.0)

    def polynomial(p: Points) -> np.ndarray:
        x, y = ((p.position - mesh.origin) @ mesh.axes.T / mesh.half[:2]).T
        z = p.elevation / 1500.0 - 1.0
        return np.stack([x**3 * y**2 * z**4, 1.0 + x * y - z], axis=1)

    carried = mesh.series(polynomial(mesh.points)).at(points)
    assert carried == pytest.approx(polynomial(points), abs=5e-6)  # single precision


def test_nodes_lie_on_the_sphere_no_further_apart_than_was_asked_for(generator):
    whole, _ = area(generator, (60.0, -150.0), top=1000.0)
    mesh = lay_mesh(whole, 60e3, 200.0)
    width = 4.0 * 111.2
    assert mesh.counts == (1 + np.ceil(width / 60), 1 + np.ceil(width / 60), 2 + np.ceil(1000.0 / 200.0))
    assert len(mesh.points) == np.prod(mesh.counts)
    assert np.linalg.norm(mesh.points.position, axis=1) == pytest.approx(6371200.0, rel=1e-12)
    assert mesh.points.elevation.min() >= whole.lowest and mesh.points.elevation.max() <= whole.highest


def test_where_nothing_changes_in_height_one_node_serves_and_flat_areas_need_no_more(generator):
    whole, _ = area(generator, (40.0, -105.0), top=1000.0)
    assert lay_mesh(whole, 100e3, np.inf).counts[2] == 1
    flat, _ = area(generator, (40.0, -105.0), top=0.0)
    assert lay_mesh(flat, 100e3, 10.0).counts[2] == 1


def test_no_mesh_is_laid_where_it_would_not_pay_or_the_area_is_no_part_of_a_plane(generator):
    whole, _ = area(generator, (40.0, -105.0))
    assert lay_mesh(whole, 2e3, 200.0) is None
    assert lay_mesh(area(generator, (40.0, -105.0), width=60.0)[0], 900e3, np.inf) is None


def test_components_that_know_of_coasts_or_are_rough_are_evaluated_at_the_points_from_what_is_in_reach(generator):
    whole, points = area(generator, (40.0, -105.0))
    for component in (
        Component(1.0, "matern32", 750e3, land=0.5),
        Component(1.0, "gaussian", 750e3, relief=100.0),
        Component(1.0, "askey", 800e3),
    ):
        assert component.mesh(whole) is None
    q, w = stations(generator, points), generator.standard_normal(120)
    far = Points(*(getattr(q, name).copy() for name in q.__dataclass_fields__))
    far.position[60:] *= -1.0  # half of the stations on the other side of the earth
    sources = Covariance((Component(1.0, "askey", 800e3),)).sources(far, w)
    ready = sources.within(whole)
    assert len(ready.parts[0].points) == 60
    np.testing.assert_array_equal(ready.at(points), sources.at(points))


def test_a_row_of_points_is_an_area(generator):
    """The last row of areas of a domain may be one point high."""
    whole, points = area(generator, (40.0, -105.0), top=500.0)
    line = Points(*(getattr(whole.points, name)[:9] for name in whole.points.__dataclass_fields__))
    row = Area(line, SIDE**2, 0.0, 500.0)
    q, w = stations(generator, points), generator.standard_normal(120)
    component = COMPONENTS[0]
    ready = Covariance((component,)).sources(q, w).within(row)
    assert isinstance(ready.parts[0], MeshField)
    assert ready.at(line) == pytest.approx(Covariance((component,)).apply(line, q, w), abs=2e-3 * 8.9 * 11.0)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.kernel)
def test_a_block_takes_a_shorter_series_that_is_no_less_exact(component, generator, monkeypatch):
    whole, points = area(generator, (40.0, -105.0), top=1500.0)
    q = stations(generator, points)
    field = Covariance((component,)).sources(q, generator.standard_normal(len(q))).within(whole)
    offset = np.abs(points.position - points.position[0]).max(axis=1)
    block = points[np.argsort(offset)[:30]]
    sizes = []

    def recorded(values, matrices, transformed=mesh_module._transformed):
        sizes.append(np.prod([len(matrix) for matrix in matrices]))
        return transformed(values, matrices)

    monkeypatch.setattr(mesh_module, "_transformed", recorded)
    of_block, of_area = field.at(block), field.at(points)[np.argsort(offset)[:30]]
    assert sizes[0] < 0.7 * sizes[1] and sizes[1] == np.prod(field.parts[0].series.mesh.counts)
    assert np.abs(of_block - of_area).max() < 1e-3 * component.variance * np.sqrt(len(q))
