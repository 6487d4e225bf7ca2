"""Stations of the islands that are scored lie beyond the reach of every domain that trains."""

from types import SimpleNamespace

import numpy as np
import pytest
from benchmark_module import benchmark_module

from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.observations.quality import MARGIN

# Airports; of Puerto Rico those at its west coast lie in reach of the United States and are not scored.
AIRPORTS = {
    "hawaii": [(21.98, -159.34), (21.33, -157.94), (19.72, -155.05)],
    "puerto_rico": [(18.01, -66.56), (18.44, -66.00), (18.34, -64.97)],
    "guam": [(13.48, 144.80), (14.17, 145.24), (15.12, 145.73)],
}


@pytest.mark.parametrize("name", AIRPORTS)
def test_no_station_of_an_island_that_is_scored_can_have_trained(name):
    other_domains = benchmark_module("other_domains")
    latitude, longitude = np.array(AIRPORTS[name]).T
    assert load_domain(name).contains(latitude, longitude).all()
    reached = [n for n in other_domains.LEARNT_ON if load_domain(n).contains(latitude, longitude, MARGIN).any()]
    assert not reached and name in other_domains.SHIPPED and name not in other_domains.SEEN


def test_a_station_of_puerto_ricos_west_coast_which_the_united_states_reach_is_not_scored():
    latitude, longitude = np.array([(18.44, -66.00), (18.26, -67.15), (18.49, -67.13)]).T
    domain, table = load_domain("puerto_rico"), SimpleNamespace(latitude=latitude, longitude=longitude)
    assert domain.contains(latitude, longitude).all()
    assert benchmark_module("other_domains").unseen(domain, table).tolist() == [True, False, False]
