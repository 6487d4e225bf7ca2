"""The covariance operator against its matrix, and the matrix against its definition in double precision."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg import covariance as module
from mlrtma_dist.linalg.covariance import Component, Covariance

FORMULA = {
    "askey": lambda r: np.maximum(1 - r, 0.0) ** 4,
    "rounded": lambda r: np.exp(0.2 - np.sqrt(r * r + 0.04)),
    "matern32": lambda r: (1 + r) * np.exp(-r),
    "gaussian": lambda r: np.exp(-0.5 * r * r),
}
# As estimated for temperature, with every feature; then the worst of them: a short one on a continent's width,
# one whose heights weigh hundreds of lengths, one for which hardly anything differs.
TEMPERATURE = (
    Component(8.9, "rounded", 910e3, 2020.0),
    Component(1.75, "askey", 800e3, 1580.0, 2.9, 1150.0),
    Component(0.23, "askey", 91e3),
)
WORST = (
    Component(1.0, "askey", 91e3),
    Component(1.0, "askey", 5e3, 10.0, 0.01, 5.0),
    Component(1.0, "askey", 5000e3, 1e5, 100.0, 1e5),
    Component(4e5, "matern32", 2000e3, 400.0, 3.0, 200.0),
    Component(1.0, "gaussian", 5000e3),
    Component(1e-4, "rounded", 20e3, 100.0),
)


def dense(covariance: Covariance, p: Points, q: Points) -> np.ndarray:
    """B(p, q) by its definition, float64."""
    total = np.zeros((len(p), len(q)))
    for c in covariance.components:
        squared = ((p.position[:, None] - q.position) ** 2).sum(axis=-1) / c.length**2
        for name, scale in (("elevation", c.height), ("land", c.land), ("relief", c.relief)):
            if scale is not None:
                squared += ((getattr(p, name)[:, None] - getattr(q, name)) / scale) ** 2
        total += c.variance * FORMULA[c.kernel](np.sqrt(squared))
    return total


def test_two_points_on_the_sphere_by_hand():
    """A chord of 637 120 m, 500 m of height, half a coast: r^2 = 1 + 0.25 + 0.25."""
    chord, radius = 637120.0, 6371200.0
    east = np.rad2deg(2 * np.arcsin(0.5 * chord / radius))
    position = radius * np.array([[1.0, 0.0, 0.0], [np.cos(np.deg2rad(east)), np.sin(np.deg2rad(east)), 0.0]])
    p = Points(np.zeros(2), np.array([0.0, east]), position, np.array([0.0, 500.0]), np.array([0.0, 0.5]), np.zeros(2))
    b = Covariance((Component(2.0, "matern32", chord, 1000.0, 1.0, 300.0), Component(3.0, "askey", 2 * chord)))
    r = np.sqrt(1.5)
    assert b.matrix(p, p)[0, 1] == pytest.approx(2.0 * (1 + r) * np.exp(-r) + 3.0 * 0.5**4, rel=1e-6)
    assert np.diag(b.matrix(p, p)) == pytest.approx([5.0, 5.0], rel=1e-7)


@pytest.mark.parametrize("component", [*TEMPERATURE, *WORST], ids=lambda c: f"{c.kernel}-{c.length:.0f}")
def test_the_matrix_is_its_definition_in_double_precision_across_a_continent(component, places, generator):
    """Coincident stations included: |a|^2 + |b|^2 - 2ab in single precision was wrong there by 6 % of the variance."""
    p = places(generator, 120, 50.0)
    q = places(generator, 80, 50.0)
    q = Points(*(np.concatenate([getattr(p, f)[:10], getattr(q, f)[10:]]) for f in p.__dataclass_fields__))
    b = Covariance((component,))
    assert b.matrix(p, q) == pytest.approx(dense(b, p, q), abs=1e-6 * component.variance)


@pytest.mark.parametrize("width", [0.1, 5.0, 50.0])
@pytest.mark.parametrize("components", [TEMPERATURE, *((c,) for c in WORST), WORST], ids=str)
def test_the_matrix_is_symmetric_and_positive_semi_definite(components, width, places, generator):
    p = places(generator, 60, width)  # rounding to single precision alone makes -5e-7
    b = Covariance(components)
    matrix = b.matrix(p, p)
    assert (matrix == matrix.T).all()
    assert np.linalg.eigvalsh(matrix.astype(np.float64))[0] > -1e-6 * b.variance


@pytest.mark.parametrize("components", [TEMPERATURE, *((c,) for c in WORST)], ids=str)
def test_matrices_of_groups_are_the_matrix_of_each(components, places, generator):
    """Among them a group that meets itself: coincident stations come out 1e-5 apart, scaled."""
    p, q, b = places(generator, 60, 3.0), places(generator, 40, 3.0), Covariance(components)
    groups, others = generator.integers(0, 60, (5, 6)), generator.integers(0, 40, (5, 8))
    ours, own = b.matrices(p[groups], q[others]), b.matrices(p[groups], p[groups])
    assert ours.shape == (5, 6, 8) and own.shape == (5, 6, 6)
    for number, (group, other) in enumerate(zip(groups, others, strict=True)):
        assert ours[number] == pytest.approx(b.matrix(p[group], q[other]), abs=5e-5 * b.variance)
        assert own[number] == pytest.approx(b.matrix(p[group], p[group]), abs=5e-5 * b.variance)


def test_rows_made_in_parts_are_the_rows_made_at_once(places, generator, monkeypatch):
    p, b = places(generator, 37, 10.0), Covariance(TEMPERATURE)
    whole = b.matrix(p, p)
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 100)
    assert (b.matrix(p, p) == whole).all()


@pytest.mark.parametrize("width, top", [(0.3, 100.0), (1.2, 300.0), (1.2, 3500.0), (20.0, 3500.0)])
@pytest.mark.parametrize("components", [TEMPERATURE, WORST[:1], WORST[3:4]], ids=["temperature", "short", "land"])
def test_the_operator_is_its_matrix(components, width, top, places, generator):
    """On small and wide blocks, with weights of both signs, to single precision."""
    p, q = places(generator, 400, width, top), places(generator, 300, 30.0)
    w = generator.standard_normal(300)
    b = Covariance(components)
    error = np.abs(b.apply(p, q, w) - dense(b, p, q) @ w).max()
    assert error < (1e-5 if width < 2.0 else 3e-4) * b.variance * np.linalg.norm(w)


@pytest.mark.parametrize("components", [TEMPERATURE, WORST[:3], WORST[3:]], ids=["temperature", "rough", "smooth"])
def test_the_operator_and_its_mirror_image_are_adjoint(components, places, generator):
    """<B(p, q) w, y> = <w, B(q, p) y>, both directions by ``apply``."""
    p, q = places(generator, 400, 1.0, 800.0), places(generator, 70, 8.0)
    w, y = generator.standard_normal(len(q)), generator.standard_normal(len(p))
    b = Covariance(components)
    left, right = b.apply(p, q, w) @ y, w @ b.apply(q, p, y)
    size = b.variance * np.linalg.norm(w) * np.linalg.norm(y)
    assert abs(left - right) < 2e-4 * size


def test_without_targets_or_sources_nothing_is_added(places, generator):
    p, b = places(generator, 5, 1.0), Covariance(TEMPERATURE)
    assert b.apply(p, p[:0], np.zeros(0)).tolist() == [0.0] * 5
    assert b.apply(p[:0], p, np.ones(5)).shape == (0,)
    assert b.matrix(p[:0], p).shape == (0, 5) and b.matrix(p, p[:0]).shape == (5, 0)


def test_sources_beyond_the_reach_of_a_compact_component_do_nothing(places, generator):
    p, q = places(generator, 10, 0.1), places(generator, 10, 0.1, middle=(44.0, -105.0))  # 440 km apart
    b = Covariance((Component(1.0, "askey", 400e3),))
    assert (b.apply(p, q, np.ones(10)) == 0.0).all()
    assert b.components[0].reach == 400e3 and TEMPERATURE[0].reach == np.inf


def test_scaling_multiplies_the_variances_and_leaves_the_scales():
    b = Covariance(TEMPERATURE).scaled(2.0)
    assert b.variance == pytest.approx(2 * 10.88)
    alike = lambda components: [replace(c, variance=1.0) for c in components]  # noqa: E731
    assert alike(b.components) == alike(TEMPERATURE)
    each = Covariance(TEMPERATURE).scaled(np.array([1.0, 2.0, 3.0]))
    assert [c.variance for c in each.components] == pytest.approx([8.9, 3.5, 0.69])


def test_parts_add_up_to_the_whole(places, generator):
    p, b = places(generator, 20, 5.0), Covariance(TEMPERATURE)
    chosen = np.array([True, False, True])
    assert b.part(chosen).matrix(p, p) + b.part(~chosen).matrix(p, p) == pytest.approx(b.matrix(p, p), rel=1e-5)


@pytest.mark.parametrize("bad", [{"variance": 0.0}, {"length": -1.0}, {"height": 0.0}, {"relief": float("nan")}])
def test_scales_that_are_not_positive_are_refused(bad):
    with pytest.raises(ValueError, match="must be positive"):
        Component(**{"variance": 1.0, "kernel": "askey", "length": 1e5, **bad})


def test_an_unknown_kernel_is_refused_with_the_known_ones_named():
    with pytest.raises(ValueError, match="'cubic'.*askey, rounded, matern32, gaussian"):
        Component(1.0, "cubic", 1e5)
