"""Wind speed and gust of every wind report."""

import numpy as np
import pytest

from mlrtma_dist.observations.speeds import share_speed, with_speeds
from mlrtma_dist.observations.table import Flag, Observations


def winds(**columns) -> Observations:
    """Three stations of one network with u10 and v10; the first reports a gust."""
    defaults = {"latitude": 40.0, "longitude": -90.0, "time": np.datetime64("2025-01-01T00:00")}
    return Observations.build(
        **(
            defaults
            | {
                "station": np.array(["a", "b", "c", "a", "b", "c", "a"]),
                "network": "metar",
                "variable": np.array(["u10"] * 3 + ["v10"] * 3 + ["gust"]),
                "value": np.array([3.0, 0.0, 6.0, 4.0, 2.0, 8.0, 9.0]),
            }
            | columns
        )
    )


def test_every_wind_has_its_speed_and_where_no_gust_is_reported_the_gust_is_the_speed():
    table, rows = with_speeds(winds())
    speed, gust = table.of("wind_speed"), table.of("gust")
    assert dict(zip(speed.station, speed.value, strict=True)) == {"a": 5.0, "b": 2.0, "c": 10.0}
    assert dict(zip(gust.station, gust.value, strict=True)) == {"a": 9.0, "b": 2.0, "c": 10.0}
    assert (table.station == winds().station[rows]).all() and len(table) == 7 + 3 + 2


def test_a_network_without_any_gust_tells_nothing_of_gusts():
    network = np.array(["metar", "ship", "metar"] * 2 + ["metar"])
    table, _ = with_speeds(winds(network=network))
    assert sorted(table.of("gust").station) == ["a", "c"]


def test_a_component_alone_has_no_speed_and_a_table_with_speeds_stays_as_it_is():
    alone = winds()[:3]
    table, rows = with_speeds(alone)
    assert len(table) == 3 and rows.tolist() == [0, 1, 2]
    complete, _ = with_speeds(winds())
    again, rows = with_speeds(complete)
    assert again is complete and len(rows) == len(complete)


@pytest.mark.parametrize("component", [1, 4])
def test_a_speed_has_the_flags_of_its_wind(component):
    observations = winds(flags=np.array([Flag.PROVIDER if row == component else 0 for row in range(7)]))
    table, _ = with_speeds(winds())
    mask = np.arange(len(table)) == component
    flagged = share_speed(table.flagged(mask, Flag.GROSS)).of("wind_speed")
    assert dict(zip(flagged.station, flagged.good, strict=True)) == {"a": True, "b": False, "c": True}
    derived, _ = with_speeds(observations.flagged(np.zeros(7, dtype=bool), Flag.GROSS))
    if component == 1:  # of the row that the speed is made from
        assert not derived.of("wind_speed").good[1]
