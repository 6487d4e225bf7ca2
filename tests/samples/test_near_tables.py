"""Near tables: what is left out of a table before it is judged changes nothing of what an analysis is made of."""

from dataclasses import replace

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.nearby import nearby
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.near_tables import NearTables
from mlrtma_dist.samples.station_hours import Reports


def used(case):
    """Station, variable, value and departure of the reports that are used, in an order of their own."""
    table, rows = case.observations, np.flatnonzero(case.used)
    order = rows[np.lexsort((table.value[rows], table.variable[rows], table.station[rows]))]
    return table.station[order], table.variable[order], table.value[order], case.departure[order]


def test_reports_far_away_or_of_other_hours_can_be_left_out_before_they_are_judged(toy):
    here = toy.world.observations
    gusts = here.variable == "gust"
    assert gusts.any()
    away = replace(here, latitude=here.latitude - 20.0, station=np.char.add("X", here.station))
    others = [replace(here, time=here.time + np.timedelta64(hours, "h")) for hours in (-9, -3, 3)]
    # gusts are reported far away alone: that the network reports them is known from there
    table = Observations.concatenate([here[~gusts], away, *(each[~gusts] for each in others)])
    kept = nearby(table, toy.static.domain)
    assert len(here[~gusts]) * 4 <= len(kept) < len(here[~gusts]) * 4 + 5 < len(table)
    settings = assumptions(load_settings("classical"))
    cases = [
        Judge(settings, np.timedelta64(30, "m"), window_only=only).case(
            toy.static, toy.time, each, None, Box.whole(toy.static.domain.shape)
        )
        for each, only in ((table, False), (kept, True))
    ]
    assert len(cases[1].observations) < len(cases[0].observations) / 3
    whole, near = map(used, cases)
    for column in range(3):
        np.testing.assert_array_equal(whole[column], near[column])
    np.testing.assert_allclose(near[3], whole[3], rtol=1e-12, atol=1e-12)  # sums of other lengths round differently
    assert set(used(cases[0])[1]) >= {"gust", "wind_speed", "t2m", "ceiling"}
    for name in ("t2m", "gust"):
        np.testing.assert_allclose(cases[1].background_of(name), cases[0].background_of(name), rtol=1e-12)


def test_a_file_is_read_once_for_all_domains_and_the_oldest_is_dropped(toy, monkeypatch):
    read = []
    monkeypatch.setattr(Reports, "read_file", lambda self, file, near: read.append(file) or toy.world.observations)
    domains = [toy.static.domain, load_domain("guam")]
    size = sum(len(nearby(toy.world.observations, domain)) for domain in domains)
    for files_kept, expected in ((2, ["a", "b"]), (1, ["a", "b", "a"])):
        monkeypatch.setattr("mlrtma_dist.samples.near_tables.MOST_ROWS", files_kept * size)
        tables = NearTables(Reports(), domains)
        read.clear()
        for file in ("a", "b", "a"):
            for domain in domains:
                assert len(tables.read(file, toy.time, domain)) == len(nearby(toy.world.observations, domain))
        assert read == expected
