"""A region of another continent and hemisphere, by a file of the user alone, analysed by the weights that ship."""

import netCDF4
import numpy as np
import pytest
from regions import write_elevation

from jobs import command
from mlrtma_dist.fields import climatology
from mlrtma_dist.grid.domain import load_domain

TIME = "2026-01-20T18:00"
REGION = """\
name: andes
title: the Andes at 40 S
projection: "+proj=lcc +lat_1=-40 +lat_2=-40 +lat_0=-40 +lon_0=-69 +R=6371200"
corner: {latitude: -42.2, longitude: -72.2}
spacing: 6000
size: {x: 90, y: 80}
"""


def height(latitude, longitude):
    """A range from north to south with passes, and plains beside it, m."""
    return 2000.0 * np.exp(-(((longitude + 71.0) / 0.7) ** 2)) * (1.0 + 0.3 * np.sin(6.0 * latitude)) + 300.0


def weather(latitude, longitude, elevation):
    """Temperature, K, and eastward wind, m/s, of a warm summer's day with a front."""
    front = np.tanh((longitude + 69.0 + 0.5 * (latitude + 40.0)) / 0.8)
    return 299.0 + 4.0 * front + 1.2 * (latitude + 40.0) - 0.0065 * elevation, 6.0 - 4.0 * front


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """The region made and analysed as a user does it; the path of its product, and the domain."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "andes.yaml").write_text(REGION)
    latitude, longitude = np.arange(-44.0, -36.0, 0.02), np.arange(-74.0, -64.0, 0.02)
    write_elevation(folder / "z.nc", latitude, longitude, height)
    random = np.random.default_rng(3)
    rows = ["network,station,time,latitude,longitude,elevation,t2m,d2m,u10,v10"]
    for number in range(160):
        place = random.uniform(-42.0, -38.2), random.uniform(-72.0, -66.5)
        own = height(*place)
        warm, wind = weather(*place, own)
        temperature = warm + random.normal(0.0, 0.4)
        cells = (*place, own, temperature, temperature - 9.0, wind + random.normal(0.0, 0.7), random.normal(0.0, 0.7))
        rows.append(f"m,S{number:03d},{TIME}Z," + ",".join(f"{each:.3f}" for each in cells))
    (folder / "reports.csv").write_text("\n".join(rows) + "\n")
    terrain = ["domain", "--domain", str(folder / "andes.yaml"), "--elevation", str(folder / "z.nc")]
    assert command.main([*terrain, "--output", str(folder)]) == 0
    reports = ["--observations", str(folder / "reports.csv"), "--time", TIME]
    options = ["--domain", str(folder / "andes.yaml"), *reports, "--method", "vit", "--set", "maps=false"]
    assert command.main(["analyse", *options, "--output", str(folder / "output")]) == 0
    (path,) = (folder / "output").rglob("*.nc")
    return path, load_domain(str(folder / "andes.yaml"))


def test_the_analysis_of_a_region_of_the_southern_hemisphere_is_near_the_truth_there(product):
    path, domain = product
    latitude, longitude = domain.latitude_longitude()
    inside = (np.abs(latitude + 40.1) < 1.8) & (np.abs(longitude + 69.2) < 2.6)
    with netCDF4.Dataset(path) as file:
        terrain = file["elevation"][:].data
        fields = {name: file[name][0].data for name in ("t2m", "u10", "visibility", "t2m_error")}
    for name, truth, most in zip(("t2m", "u10"), weather(latitude, longitude, terrain), (1.0, 1.3), strict=True):
        assert np.std(truth[inside]) > 2.5 * most
        assert np.sqrt(np.mean((fields[name] - truth)[inside] ** 2)) < most, name
    assert 0.3 < np.median(fields["t2m_error"][inside]) < 1.5
    nobody = climatology.CONSTANT["visibility"]
    np.testing.assert_allclose(fields["visibility"], nobody, rtol=0.01)
