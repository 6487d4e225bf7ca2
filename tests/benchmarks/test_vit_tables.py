"""What the tables of the vision transformer are made of: which stations are scored, what is removed, where is asked."""

from pathlib import Path

import numpy as np
import pytest

from mlrtma_dist.config import configs_root, load_yaml
from mlrtma_dist.grid.domain import EARTH_RADIUS, load_domain
from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.observations.quality import MARGIN
from mlrtma_dist.observations.table import Observations

# Airports; of Puerto Rico those at its west coast lie in reach of the United States and are not scored.
AIRPORTS = {
    "hawaii": [(21.98, -159.34), (21.33, -157.94), (19.72, -155.05)],
    "puerto_rico": [(18.01, -66.56), (18.44, -66.00), (18.34, -64.97)],
    "guam": [(13.48, 144.80), (14.17, 145.24), (15.12, 145.73)],
}
BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks")


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def reports(latitude, longitude, variables=("t2m", "u10", "v10", "sky_cover")) -> Observations:
    """Reports of some variables at places, a station at each."""
    count = len(latitude)
    tables = [
        Observations.build(
            station=np.array([f"S{number}" for number in range(count)]),
            network=np.where(np.arange(count) % 2, "METAR", "SPECI"),
            latitude=np.asarray(latitude, float),
            longitude=np.asarray(longitude, float),
            elevation=np.zeros(count),
            time=np.datetime64("2026-01-01T00:00:00"),
            variable=name,
            value=np.arange(count) + 280.0,
        )
        for name in variables
    ]
    return Observations.concatenate(tables)


def test_no_station_is_scored_that_a_training_elsewhere_may_have_used():
    from other_domains import CONUS, LEARNT_ON, unseen

    alaska, conus = load_domain("alaska"), load_domain(CONUS)
    y, x = np.meshgrid(np.arange(5, alaska.size.y, 60), np.arange(5, alaska.size.x, 60), indexing="ij")
    latitude, longitude = (part.ravel() for part in alaska.position(y, x))
    table = reports([*latitude, 40.0], [*longitude, -100.0], ["t2m"])
    rows = unseen(alaska, table)
    near = conus.contains(table.latitude, table.longitude, MARGIN)
    assert near.sum() > 10 and not (rows & near).any()  # the domains overlap in Canada
    assert rows.sum() == len(latitude) - (near.sum() - 1)
    configured = load_yaml(configs_root() / "training" / "vit_reports_world.yaml")["samples"]
    abroad = {Path(store).stem for store in configured} & {name.removesuffix("_20km") for name in LEARNT_ON}
    assert len(abroad) == len(LEARNT_ON) - 1


@pytest.mark.parametrize("name", AIRPORTS)
def test_no_station_of_an_island_that_is_scored_can_have_trained(name):
    from other_domains import LEARNT_ON, SEEN, SHIPPED

    latitude, longitude = np.array(AIRPORTS[name]).T
    assert load_domain(name).contains(latitude, longitude).all()
    reached = [each for each in LEARNT_ON if load_domain(each).contains(latitude, longitude, MARGIN).any()]
    assert not reached and name in SHIPPED and name not in SEEN


def test_a_station_of_puerto_ricos_west_coast_which_the_united_states_reach_is_not_scored():
    from other_domains import unseen

    domain, table = load_domain("puerto_rico"), reports([18.44, 18.26, 18.49], [-66.00, -67.15, -67.13], ["t2m"])
    assert domain.contains(table.latitude, table.longitude).all()
    assert unseen(domain, table).tolist() == [True, False, False]


@pytest.mark.parametrize("count", [7, 57])
def test_every_station_is_withheld_once_and_alone_where_they_are_few(count):
    from other_domains import MOST_PARTS, parts

    table = reports(np.linspace(20.0, 30.0, count), np.linspace(-160.0, -150.0, count))
    rows = table.latitude > 21.0
    part, stations = parts(table, rows), len(np.unique(table.station[rows]))
    assert np.all(part[~rows] == -1) and np.all(part[rows] >= 0)
    of = {name: set(part[rows & (table.station == name)]) for name in np.unique(table.station[rows])}
    assert all(len(each) == 1 for each in of.values())
    assert part.max() + 1 == (stations if count == 7 else MOST_PARTS)


def test_hours_that_judge_are_never_among_the_hours_of_other_domains(monkeypatch, tmp_path):
    import other_domains

    (tmp_path / "metar_world").mkdir()
    for name in (*other_domains.CHOOSE, *other_domains.JUDGE, "20111123T0200", "20250816T0100"):
        (tmp_path / "metar_world" / f"metar_{name}Z.csv.gz").touch()
    monkeypatch.setattr(other_domains, "data_root", lambda: tmp_path)
    times = [hour.time for hour in other_domains.hours(20)]
    assert len(times) == 6 and times[-2:] == ["2011-11-23T02:00", "2025-08-16T01:00"]


def test_removed_are_the_reports_of_a_kind_or_of_a_network_and_nothing_else():
    from data_denial import SHARES, removals

    table = reports(np.arange(20.0, 50.0), -100.0 * np.ones(30))
    kinds = removals(table, "variables")
    assert not kinds["nothing"].any()
    assert set(table.variable[kinds["wind"]]) == {"u10", "v10"} and kinds["wind"].sum() == 60
    assert set(table.variable[~kinds["all but temperature"]]) == {"t2m"}
    networks = removals(table, "networks")
    assert list(networks) == ["nothing", "METAR", "SPECI"] and np.all(networks["METAR"] != networks["SPECI"])
    shares = list(removals(table, "stations").values())
    assert len(shares) == len(SHARES) and not shares[0].any() and shares[-1].all()
    assert all((less <= more).all() for less, more in zip(shares[:-1], shares[1:], strict=True))


def test_the_points_around_a_station_lie_at_their_distances_in_all_directions():
    from gross_error import DIRECTIONS, DISTANCES, ring

    latitude, longitude, distance = ring(47.0, -119.0)
    centre, places = cartesian(np.array([47.0]), np.array([-119.0])), cartesian(latitude, longitude)
    chord = np.linalg.norm(places - centre, axis=1)
    np.testing.assert_allclose(2.0 * np.arcsin(chord / 2.0 / EARTH_RADIUS) * EARTH_RADIUS, distance * 1e3, atol=1.0)
    assert len(distance) == 1 + DIRECTIONS * (len(DISTANCES) - 1)
    for each in DISTANCES[1:]:
        rows = distance == each
        assert np.linalg.norm(places[rows].mean(0) - centre) < 0.2 * each * 1e3  # around it, not beside it


def test_one_value_is_made_wrong_and_the_first_guess_is_made_anew():
    from gross_error import WRONG, wrong
    from report_cases import hour

    case = hour()
    row = int(np.flatnonzero(case.used & (case.observations.variable == "t2m"))[0])
    other = wrong(case, row)
    change = other.observations.value - case.observations.value
    assert np.flatnonzero(change).tolist() == [row] and change[row] == WRONG["t2m"]
    assert other.first_guess is not case.first_guess and other.value[row] - case.value[row] == WRONG["t2m"]
