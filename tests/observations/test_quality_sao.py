"""The gross errors of the 24 real SAO hours, told from the raw files, are all caught by quality control."""

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.quality import check_reports
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.table import Flag

pytestmark = pytest.mark.slow

DAY = np.datetime64("1995-03-18T00:00:00")


def raw(path) -> dict[str, np.ndarray]:
    """Columns as they stand in the file, NaN where missing."""
    names = ("lat", "lon", "T", "TD", "DIR", "SPD", "VIS")
    with netCDF4.Dataset(path) as file:
        return {name: np.ma.filled(file[name][:].astype(float), np.nan) for name in names}


@pytest.fixture(scope="module")
def hours(real_file):
    """Raw columns and the judged table of each hour."""
    pairs = []
    for hour in range(24):
        path = real_file("sao", f"950318{hour:02d}_sao.cdf")
        pairs.append((raw(path), check_reports(read_observations(path), time=DAY + np.timedelta64(hour, "h"))))
    return pairs


def carries(table, flag):
    return (table.flags & np.uint32(flag)) != 0


def test_every_impossible_position_is_flagged(hours):
    wrong = 0
    for columns, table in hours:
        lost = ~((np.abs(columns["lon"]) <= 180) & (np.abs(columns["lat"]) <= 90))  # missing ones, too
        with_temperature = lost & np.isfinite(columns["T"])
        wrong += with_temperature.sum()
        rows = (table.variable == "t2m") & carries(table, Flag.POSITION)
        assert rows.sum() == with_temperature.sum()
        assert (np.abs(table.longitude[table.good]) <= 180).all() and np.isfinite(table.latitude[table.good]).all()
    assert wrong > 0 and min(np.nanmin(columns["lon"]) for columns, _ in hours) < -700


@pytest.mark.parametrize(("variable", "column", "largest"), [("d2m", "TD", 9999.0), ("t2m", "T", None)])
def test_every_impossible_temperature_and_dew_point_is_flagged(hours, variable, column, largest):
    worst, caught = -np.inf, 0
    low, high = VARIABLES[variable].valid
    for columns, table in hours:
        kelvin = columns[column] + 273.15
        impossible = np.isfinite(kelvin) & ~((kelvin >= low) & (kelvin <= high))
        rows = (table.variable == variable) & carries(table, Flag.RANGE)
        assert rows.sum() == impossible.sum()
        worst, caught = max(worst, np.nanmax(columns[column])), caught + rows.sum()
    assert largest is None or (worst == pytest.approx(largest, rel=1e-3) and caught > 0)


def test_every_direction_beyond_the_compass_and_negative_visibility_is_flagged(hours):
    caught = 0
    for columns, table in hours:
        turned = (columns["DIR"] < 0) | (columns["DIR"] > 360)
        turned &= np.isfinite(columns["SPD"]) & (columns["SPD"] != 0)
        wrong = (table.variable == "u10") & ~np.isfinite(table.value)
        assert wrong.sum() == turned.sum() and carries(table, Flag.RANGE)[wrong].all()
        unseen = (table.variable == "visibility") & (table.value < 0)
        assert unseen.sum() == (columns["VIS"] < 0).sum() and carries(table, Flag.RANGE)[unseen].all()
        caught += turned.sum() + unseen.sum()
    assert caught > 0


def test_what_is_left_good_is_possible(hours):
    for _, table in hours:
        for name in (each for each in VARIABLES if each != "wind_speed"):  # computed from winds later
            low, high = {"visibility": (0, 80e3), "ceiling": (0, 30e3)}.get(name, VARIABLES[name].valid)
            value = table.value[table.good & (table.variable == name)]
            assert ((value >= low) & (value <= high)).all() and len(value) > 0
