"""Analyse by 4D-Var on ranks: fields and their errors are those of one process."""

from dataclasses import replace

import netCDF4
import numpy as np
import pytest
from launch import mlrtma

from mlrtma_dist.observations.csv_write import write_csv

STEM = "small_20220824T0600Z"
RUN = """
cases:
  domain: small.yaml
  reports: {observations: [observations.csv], time: ["2022-08-24T06:00"], in_time_minutes: 210}
method: fourdvar
variables: [t2m, d2m, u10, v10, psfc]
fourdvar: {model: lam, error_members: 2}
maps: false
output: one
"""
DOMAIN = """
name: small
title: small
projection: "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"
corner: {latitude: 39.0, longitude: 253.8}
spacing: 10000.0
size: {x: 24, y: 20}
terrain: simulated
"""


@pytest.mark.slow
def test_two_ranks_have_the_error_of_one_by_blocks_and_by_draws(toy, tmp_path):
    table = toy.world.observations
    hours_before = np.unique(table.station, return_inverse=True)[1] % 3
    table = replace(table, time=table.time - hours_before * np.timedelta64(3600, "s"))
    write_csv(tmp_path / "observations.csv", table)
    for name, text in (("run.yaml", RUN), ("small.yaml", DOMAIN)):
        (tmp_path / name).write_text(text)
    for output, ranks in (("one", 1), ("two", 2)):
        mlrtma(tmp_path, "analyse", str(tmp_path / "run.yaml"), "--output", output, ranks=ranks)
    files = [tmp_path / output / STEM / f"{STEM}.nc" for output in ("one", "two")]
    with netCDF4.Dataset(files[0]) as expected, netCDF4.Dataset(files[1]) as product:
        for name in ("t2m", "d2m", "u10", "v10", "psfc"):
            for part in (name, f"{name}_error"):
                np.testing.assert_array_equal(product[part][:], expected[part][:], err_msg=part)
            assert np.ptp(expected[f"{name}_error"][:]) > 0.1 * np.mean(expected[f"{name}_error"][:]), name
