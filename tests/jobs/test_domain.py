"""The verb domain: from an elevation file to a domain that every other verb takes."""

from pathlib import Path

import numpy as np
import pytest
from regions import write_elevation

from jobs import command
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.shores import ShoreGrid

REGION = """name: valley
title: a valley
projection: "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=-112 +R=6371200"
corner: {latitude: 40.0, longitude: -112.0}
spacing: 5000
size: {x: 24, y: 20}
terrain: ${NO_SUCH_FOLDER}/terrain.grib2
note: valley wind; terrain and land mask are interpolated from elsewhere
"""


def height(latitude, longitude):
    """A slope, m: its mean in a cell is its value in the middle."""
    return 1500.0 + 400.0 * (latitude - 40.0) + 300.0 * (longitude + 112.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the region and a CF netCDF file of elevations in steps of 0.01 degree."""
    folder = tmp_path_factory.mktemp("domain")
    (folder / "valley.yaml").write_text(REGION)
    latitude, longitude = 39.5 + 0.01 * np.arange(220), -112.5 + 0.01 * np.arange(280)
    write_elevation(folder / "z.nc", latitude, longitude, height)
    return folder


def make(folder: Path, output: Path, *more: str, domain: str | Path = "") -> int:
    place = str(domain or folder / "valley.yaml")
    return command.main(
        ["domain", "--domain", place, "--elevation", str(folder / "z.nc"), "--output", str(output), *more]
    )


def test_the_domain_that_is_written_has_the_terrain_and_needs_nothing_else(folder, tmp_path, capsys):
    assert make(folder, tmp_path) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "valley.nc"), str(tmp_path / "valley.yaml")]
    static = load_static(load_domain(str(tmp_path / "valley.yaml")))
    np.testing.assert_allclose(static.terrain, height(*static.domain.latitude_longitude()), atol=3.0)
    assert static.has_terrain.all() and static.land.min() >= 0.0 and static.land.max() == 1.0
    assert static.note == "valley wind; terrain: mean in each cell of z.nc; land: shores of GSHHG"


def test_making_it_again_from_its_own_file_says_everything_once(folder, tmp_path):
    assert make(folder, tmp_path) == 0
    first = (tmp_path / "valley.yaml").read_text()
    assert make(folder, tmp_path, domain=tmp_path / "valley.yaml") == 0
    assert (tmp_path / "valley.yaml").read_text() == first


def test_reports_are_judged_by_the_terrain_that_was_made(folder, tmp_path):
    assert make(folder, tmp_path) == 0
    rows = ["network,station,time,latitude,longitude,elevation,t2m"]
    for number, latitude in enumerate(np.linspace(40.1, 40.8, 12)):
        own = height(latitude, -111.5) + (700.0 if number == 5 else 0.0)  # one station's height is wrong
        rows.append(f"m,S{number},2022-08-24T06:00Z,{latitude:.3f},-111.5,{own:.0f},{290 - 0.0065 * own:.2f}")
    (tmp_path / "o.csv").write_text("\n".join(rows) + "\n")
    options = ["--domain", str(tmp_path / "valley.yaml"), "--observations", str(tmp_path / "o.csv")]
    options += ["--method", "nearest", "--set", "variables=[t2m]", "--set", "maps=false", "--output", str(tmp_path)]
    assert command.main(["analyse", *options]) == 0
    (quality,) = tmp_path.glob("valley_*/quality.txt")
    header, first, *_ = (line.split() for line in quality.read_text().splitlines())
    assert dict(zip(header[2:], first[2:], strict=True)) == {"read": "12", "used": "11", "good": "11", "elevation": "1"}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--set", "elevation=[]"], 2, "elevation: expected at least one file"),
        (["--domain", "plane"], 2, "plane is a plane, which has no terrain"),
        (["--elevation", "none.nc"], 3, "none.nc: cannot be read"),
        (
            ["--domain", "guam"],
            3,
            "domain guam: 100.0 % of its land has no elevation in z.nc: name files that cover 13.",
        ),
    ],
)
def test_what_cannot_be_made_says_why(folder, tmp_path, capsys, options, code, message):
    needed = {"domain": str(folder / "valley.yaml"), "elevation": str(folder / "z.nc"), "output": str(tmp_path)}
    words = [word for key, value in needed.items() for word in ("--set", f"{key}={value}")]
    assert command.main(["domain", *words, *options]) == code
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_without_rasterio_another_raster_names_the_extra(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(100))
    assert make(folder, tmp_path / "o", "--elevation", str(tmp_path / "a.tif")) == 3
    assert "it needs rasterio, which is not installed: pip install 'mlrtma[terrain]'" in capsys.readouterr().err


def test_shores_are_drawn_in_parts_as_in_one(tmp_path):
    shores = ShoreGrid.around(load_domain("guam"))
    rows, columns = (slice(0, size) for size in shores.shape)
    whole = shores.read(rows, columns)
    part = shores.read(slice(300, 700), slice(250, 600))
    np.testing.assert_allclose(part, whole[300:700, 250:600], atol=0.02)
    assert 0.001 < whole.mean() < 0.1
