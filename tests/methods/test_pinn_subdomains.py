"""Subdomains of the physics-informed network: weights that sum to one, a field without seams, equal on any ranks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from launch import launch
from shares import in_threads
from test_classical_tiles import DIVISIONS, boxes

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain, Size, load_domain
from mlrtma_dist.grid.points import plane_points
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.pinn_subdomains import Subdomains
from mlrtma_dist.methods.registry import Means, build

WHOLE = PinnSettings(members=2, points=60, steps=20, polish=10, features=24, width=12)
DIVIDED = replace(WHOLE, subdomain_km=420.0, overlap_km=150.0, rounds=1)  # 2 x 2 of 800 by 600 km
NAMES = ("t2m", "u10", "v10")
TO_NORTH, TO_EAST = np.arange(0, 40, 4), np.arange(160)  # rows and columns of the toy domain


@pytest.fixture
def answer(toy, one_thread):
    """Analyses the toy hour, or a box of it."""

    def make(pinn: PinnSettings, box=None, withheld=None):
        settings = toy.settings(*NAMES)
        case = toy.case(settings, box=box, withheld=withheld)
        return build(("pinn",), Means(settings=settings, pinn=pinn))["pinn"].analyse(case)

    return make


def test_weights_sum_to_one_everywhere_and_rise_without_a_corner():
    plane = Domain("plane", "plane", "plane", Size(x=201, y=101), spacing=10e3)
    subdomains = Subdomains.of(plane, side=700e3, overlap=200e3)
    assert [len(each) for each in subdomains.lines] == [1, 2] and subdomains.count == 6
    np.testing.assert_allclose(subdomains.lines[1], [200 / 3, 400 / 3])
    line = np.linspace(-300.0, 500.0, 8001)  # beyond both ends, a tenth of a point apart
    weights = subdomains.weights(plane_points(plane, np.stack([np.full(8001, 51.0), line], axis=1)))
    assert np.abs(weights.sum(axis=0) - 1.0).max() < 1e-15 and weights.min() >= 0.0
    assert (weights > 0.0).sum(axis=0).max() == 4 and (weights[:, 0] > 0.0).sum() == 2
    slope = np.gradient(weights, 0.1, axis=1)
    curvature = np.abs(np.diff(np.gradient(slope, 0.1, axis=1), axis=1))
    assert np.abs(slope).max() < 2.0 / 20.0 and curvature.max() < 0.01 * np.abs(slope).max()


def test_lines_depend_on_the_domain_alone_and_a_domain_no_longer_than_the_side_is_one():
    toy = load_domain("toy")
    assert Subdomains.of(toy, 0.0, 150e3).count == Subdomains.of(toy, 795e3, 150e3).count == 1
    assert Subdomains.of(toy, 794e3, 150e3).count == 2
    assert Subdomains.of(load_domain("conus_20km"), 1500e3, 200e3).count == 12
    with pytest.raises(InputError, match=r"^pinn.subdomain_km: expected at least 50, 10 points of toy, .* got 1$"):
        Subdomains.of(toy, 1e3, 100.0)


def test_a_domain_of_one_subdomain_has_the_analysis_of_one_network_to_the_last_bit(answer):
    one, alone = (answer(pinn).fields() for pinn in (replace(WHOLE, subdomain_km=1000.0), WHOLE))
    for name in NAMES:
        np.testing.assert_array_equal(one.values[name], alone.values[name])
        np.testing.assert_array_equal(one.error[name], alone.error[name])


def test_a_field_on_which_all_subdomains_agree_is_the_blend(answer):
    """Without equations every network keeps the prior, which is the same everywhere."""
    divided, whole = (answer(replace(pinn, equations=())) for pinn in (DIVIDED, WHOLE))
    points = whole.case.grid_points(slice(0, None, 4))
    values, weights = divided.networks.each_at(points)
    assert len(values) == 4 and (weights > 0.0).sum(axis=0).max() == 4
    expected = whole.networks.at(points)
    assert np.std(expected[1:]) > 0.5 and not np.any(expected[0])
    np.testing.assert_allclose(divided.networks.at(points), expected, atol=2e-6)  # of single precision


@pytest.mark.parametrize("ranks", [pytest.param(2, marks=pytest.mark.slow), 3, pytest.param(4, marks=pytest.mark.slow)])
def test_the_ranks_share_the_subdomains_and_have_the_field_of_one_to_the_last_bit(answer, ranks):
    whole = answer(DIVIDED)
    points = whole.case.points[whole.case.used][:30]
    before = whole.at("t2m", points)[0]  # which fits every subdomain here
    expected = whole.fields()
    base = whole.base.fields()
    assert np.abs(expected.values["t2m"] - base.values["t2m"]).max() > 0.05, "the networks add nothing"
    tiles = boxes(*DIVISIONS[ranks])
    answers = [answer(DIVIDED, box) for box in tiles]
    for box, own, part in zip(tiles, answers, in_threads([each.fields for each in answers]), strict=True):
        for name in NAMES:
            np.testing.assert_array_equal(part.values[name], expected.values[name][box.slices])
            np.testing.assert_array_equal(part.error[name], expected.error[name][box.slices])
        np.testing.assert_array_equal(own.at("t2m", points)[0], before)


@pytest.mark.slow
def test_over_processes_each_rank_fits_some_subdomains_and_the_field_is_that_of_one(tmp_path):
    fields, fits = [], []
    for ranks, mesh in ((1, (1, 1)), (3, (3, 1))):
        file = tmp_path / f"{ranks}.npy"
        fits.append(launch(str(Path(__file__).parent / "kernels" / "subdomains"), ranks, file, *mesh)["fits"])
        fields.append(np.load(file))
    assert fits == [[4], [2, 1, 1]]
    assert np.all(np.ptp(fields[0], axis=(1, 2)) > 0.0)
    np.testing.assert_array_equal(fields[1], fields[0])


def test_between_subdomains_the_field_bends_no_more_than_inside_of_them(toy, answer):
    """Second differences on a level; where the band is narrower than the distance of points there are seams."""
    level = np.zeros(len(TO_EAST) * len(TO_NORTH))

    def bends(pinn):
        networks = answer(replace(pinn, rounds=0)).networks
        points = networks.base.case.grid_points(TO_NORTH, TO_EAST)
        values = networks.at(replace(points, elevation=level))[0].reshape(len(TO_NORTH), len(TO_EAST), -1)
        bend = np.abs(np.diff(values, 2, axis=1)).max(axis=(0, 2))
        return bend[70:88].max(), np.delete(bend, np.s_[62:96]).max()  # about the line between columns 79 and 80

    for pinn, seam in ((DIVIDED, False), (replace(DIVIDED, overlap_km=1.0), True)):
        across, inside = bends(pinn)
        print(f"overlap {pinn.overlap_km:g} km: across {across:.4f}, inside {inside:.4f}")
        assert (across > 3.0 * inside) if seam else (across < 1.2 * inside)


def test_rounds_make_neighbours_agree_in_the_overlap(toy, answer):
    differences = []
    for rounds in (0, 1):
        networks = answer(replace(DIVIDED, rounds=rounds, polish=20)).networks
        values, weights = networks.each_at(networks.base.case.grid_points(slice(0, None, 3)))
        blend = np.einsum("imnk,in->mnk", values, weights)
        differences.append(np.sqrt(np.einsum("in,imnk->", weights, (values - blend) ** 2) / blend.size))
    print(f"deviation of neighbours before and after a round {differences[0]:.3f}, {differences[1]:.3f}")
    assert differences[1] < 0.9 * differences[0]


def test_a_subdomain_without_reports_has_the_analysis_of_the_base(toy, answer):
    table = toy.world.observations
    east = toy.static.domain.index(table.latitude, table.longitude)[1] > 60.0
    own = answer(replace(DIVIDED, overlap_km=100.0), withheld=east)
    fields, base = own.fields(), own.base.fields()
    for name in NAMES:
        np.testing.assert_array_equal(fields.values[name][:, 95:], base.values[name][:, 95:])
        assert np.abs(fields.values[name][:, :60] - base.values[name][:, :60]).max() > 1e-3
    ratio = fields.error["t2m"][:, 95:] / base.error["t2m"][:, 95:]
    assert 0.3 < ratio.mean() < 2.0  # two members of the prior


def test_reports_are_fitted_in_every_subdomain(answer):
    settings = replace(DIVIDED, of="first_guess", equations=(), steps=60, polish=30, features=64)
    own = answer(settings)
    case = own.case
    rows = case.used & (case.observations.variable == "t2m")
    residual = case.value[rows] - own.at("t2m", case.points[rows])[0]
    for each in own.networks.subdomains.weights(case.points[rows]):
        assert np.mean(residual[each > 0.9] ** 2) < 0.5 * np.mean(case.departure[rows][each > 0.9] ** 2)


@pytest.mark.parametrize(
    "wrong", [{"subdomain_km": -1.0}, {"overlap_km": 0.0}, {"rounds": -1}, {"subdomain_km": 300.0, "overlap_km": 200.0}]
)
def test_subdomains_that_cannot_be_are_errors(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PinnSettings(**wrong)
