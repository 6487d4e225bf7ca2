"""Analyse: a region of the user's own needs no code, whatever its projection; every run can be run again."""

from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from jobs import analyse
from mlrtma_dist import config
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.simulation.simulated_hour import simulate_hour

pytestmark = pytest.mark.slow

TIME = np.datetime64("2022-08-24T06:00:00")
VARIABLES = ("t2m", "u10", "v10")
REGIONS = {
    "geographic": ('"+proj=longlat +R=6371200"', 0.05, "{latitude: 45.0, longitude: 6.0}"),
    "pole": ('"+proj=stere +lat_0=90 +lat_ts=60 +lon_0=-45 +R=6371200"', 20e3, "{latitude: 84.5, longitude: -90.0}"),
    "date_line": ('"+proj=longlat +R=6371200"', 0.1, "{latitude: 51.0, longitude: 177.5}"),
    "mercator": ('"+proj=merc +lat_ts=10 +lon_0=180 +R=6371200"', 5e3, "{latitude: -18.5, longitude: 178.6}"),
}


def cases_of(domain: str | Path, *observations: str | Path, **more) -> CasesSection:
    """The section of a run on files of reports; ``more`` as in `Reports`."""
    return CasesSection(str(domain), Reports(tuple(map(str, observations)), **more))


def make_region(folder: Path, name: str) -> Path:
    """The YAML file of a domain with simulated terrain."""
    projection, spacing, corner = REGIONS[name]
    path = folder / f"{name}.yaml"
    path.write_text(
        f"name: {name}\ntitle: made\nprojection: {projection}\nspacing: {spacing}\ncorner: {corner}\n"
        "size: {x: 60, y: 50}\nterrain: simulated\nland: simulated\n"
    )
    return path


@pytest.fixture(scope="module", params=REGIONS)
def analysed(request, tmp_path_factory):
    """A run on a region with 80 simulated stations in a CSV file: what was asked, its truth, what came of it."""
    folder = tmp_path_factory.mktemp(request.param)
    region = make_region(folder, request.param)
    world = simulate_hour(load_static(load_domain(str(region))), TIME, stations=80, seed=6)
    write_csv(folder / "stations.csv", world.observations)
    cases = cases_of(region, folder / "stations.csv")
    run = analyse.Run(cases, str(folder / "first"), variables=VARIABLES, maps=False)
    (analysis,), (product,) = analyse.make(run)
    return run, world, analysis, product


def rerun(analysed, folder: Path, **changes):
    files = ("observations", "background")
    named = {f"cases.reports.{key}" if key in files else key: value for key, value in changes.items()}
    overrides = [f"output={folder}", *(f"{key}={value}" for key, value in named.items())]
    (analysis,), (product,) = analyse.make(config.load(analyse.Run, analysed[3].parent / "config.yaml", overrides))
    return analysis, product


def test_a_region_of_the_users_own_is_analysed_from_a_table(analysed):
    run, world, analysis, product = analysed
    stem = f"{Path(run.cases.place).stem}_20220824T0600Z"
    assert product == Path(run.output) / stem / f"{stem}.nc"
    assert analysis.time == TIME  # nobody named it: the hour nearest to the reports
    truth = world.truth.values["t2m"]
    before, after = (np.sqrt(np.mean((f["t2m"] - truth) ** 2)) for f in (analysis.first_guess, analysis.values))
    assert after < 0.95 * before  # what is left are scales between the stations
    assert all(np.isfinite(field).all() for group in (analysis.values, analysis.error) for field in group.values())
    assert analysis.first_guess_name.startswith("regression on place and terrain")


def test_the_product_holds_the_fields_where_they_are(analysed):
    _, world, analysis, product = analysed
    domain = world.truth.domain
    with netCDF4.Dataset(product) as file:
        for name in VARIABLES:
            for suffix in ("", "_increment", "_error"):
                field = file[name + suffix][0]
                assert field.shape == domain.shape and not np.ma.is_masked(field)
            step = np.abs(file[name][0] - analysis.values[name]).max()
            assert step < 0.02, (name, step)  # compressed with a known number of bits
            increment = analysis.values[name] - analysis.first_guess[name]
            assert np.abs(file[f"{name}_increment"][0] - increment).max() < 0.02
        latitude, longitude = domain.latitude_longitude()
        if "latitude" in file.variables and file["latitude"].ndim == 2:
            np.testing.assert_allclose(file["latitude"][:], latitude, atol=1e-4)
            turned = (file["longitude"][:] - longitude + 180) % 360 - 180
            assert np.abs(turned * np.cos(np.deg2rad(latitude))).max() < 1e-4
        else:
            np.testing.assert_allclose(file["y"][:], latitude[:, 0], atol=1e-6)
            np.testing.assert_allclose((file["x"][:] - longitude[0]) % 360 % 359.999999, 0, atol=1e-5)
        assert "stations.csv" in " ".join(str(file.getncattr(a)) for a in file.ncattrs())


def test_the_saved_configuration_makes_the_same_again(analysed, tmp_path):
    again, product = rerun(analysed, tmp_path)
    for name in VARIABLES:
        np.testing.assert_array_equal(again.values[name], analysed[2].values[name])
        np.testing.assert_array_equal(again.error[name], analysed[2].error[name])
    saved = [config.load(analyse.Run, p.parent / "config.yaml", ["output=x"]) for p in (product, analysed[3])]
    counted = [(p.parent / "quality.txt").read_text() for p in (product, analysed[3])]
    assert saved[0] == saved[1] and counted[0] == counted[1]


def test_an_analysis_is_the_background_of_the_next(analysed, tmp_path):
    again, _ = rerun(analysed, tmp_path, background=analysed[3], method="first_guess")
    assert again.first_guess_name.startswith("gridded: ") and analysed[3].name in again.first_guess_name
    for name in VARIABLES:
        # what was rounded on writing; winds are turned nowhere, as they are kept along the earth
        assert np.abs(again.values[name] - analysed[2].values[name]).max() < 0.03, name


def test_cycling_improves_on_the_previous_analysis(analysed, tmp_path):
    other = simulate_hour(load_static(load_domain(analysed[0].cases.place)), TIME, stations=80, seed=6).observations
    keep = np.array([int(name[-1]) < 5 for name in other.station])
    write_csv(tmp_path / "half.csv", other[keep])
    write_csv(tmp_path / "rest.csv", other[~keep])
    half, product = rerun(analysed, tmp_path / "1", variables="[t2m]", observations=tmp_path / "half.csv")
    both, _ = rerun(analysed, tmp_path / "2", variables="[t2m]", observations=tmp_path / "rest.csv", background=product)
    truth = analysed[1].truth.values["t2m"]
    errors = [float(np.sqrt(np.mean((a.values["t2m"] - truth) ** 2))) for a in (half, both)]
    assert errors[1] < errors[0], errors


def test_tables_and_prepbufr_are_read_together(real_data, tmp_path):
    prepbufr = real_data / "prepbufr" / "rap.20220824.t06z.adpsfc.prepbufr"
    region = tmp_path / "denver.yaml"
    region.write_text(
        'name: denver\ntitle: made\nprojection: "+proj=longlat +R=6371200"\nspacing: 0.1\n'
        "corner: {latitude: 38.5, longitude: -106.0}\nsize: {x: 30, y: 25}\nterrain: simulated\n"
    )
    (tmp_path / "own.csv").write_text(
        "network,station,time,latitude,longitude,elevation,t2m\nmine,OWN1,2022-08-24T06:05Z,39.7,-104.9,,291.15\n"
    )
    cases = cases_of(region, prepbufr, tmp_path / "own.csv")
    (analysis,), (product,) = analyse.make(
        analyse.Run(cases, str(tmp_path), variables=("t2m",), maps=False, method="nearest")
    )
    used = analysis.observations[np.isfinite(analysis.analysis_departure)]
    assert set(used.source) == {prepbufr.name, "own.csv"}
    assert used.value[used.station == "OWN1"] == [291.15]
    assert "mine" in (product.parent / "quality.txt").read_text()


def test_maps_are_drawn_for_each_variable_and_can_be_left_out(toy, tmp_path):
    cases = cases_of("toy", toy.observations, background=(str(toy.background),))
    run = analyse.Run(cases, str(tmp_path / "with"), variables=("t2m",), method="nearest")
    _, (drawn,) = analyse.make(run)
    _, (bare,) = analyse.make(replace(run, output=str(tmp_path / "without"), maps=False))
    assert (drawn.parent / "maps" / f"{drawn.stem}_t2m_analysis.png").read_bytes().startswith(b"\x89PNG")
    assert not (bare.parent / "maps").exists()
    assert sorted(p.name for p in bare.parent.iterdir()) == ["config.yaml", "quality.txt", bare.name]


def test_the_product_comes_in_every_format_that_is_asked_for_and_they_agree(toy, tmp_path):
    cases = cases_of("toy", toy.observations, background=(str(toy.background),))
    formats = ("netcdf", "grib2")
    run = analyse.Run(cases, str(tmp_path), variables=("t2m",), method="nearest", maps=False, formats=formats)
    _, (netcdf, grib) = analyse.make(run)
    (one,), (other,) = (read_gridded(path, names=("t2m",)) for path in (netcdf, grib))
    np.testing.assert_allclose(one.values, other.values, atol=2.0**-7)  # both are rounded to 1/128 K
    with pytest.raises(ValueError, match="formats: expected some of netcdf, grib2, got grib1"):
        analyse.Run(cases, str(tmp_path), formats=("grib1",))


def test_a_table_without_one_report_in_the_window_gives_climatology_and_says_so(tmp_path, caplog):
    region = make_region(tmp_path, "geographic")
    (tmp_path / "late.csv").write_text(
        "network,station,time,latitude,longitude,elevation,t2m\nmine,A,2022-08-24T09:00Z,46,7,500,290\n"
    )
    cases = cases_of(region, tmp_path / "late.csv", time=("2022082406",))
    (analysis,), _ = analyse.make(analyse.Run(cases, str(tmp_path), variables=("t2m", "gust"), maps=False))
    assert analysis.notes == tuple(
        f"no usable report of {name}: first guess and analysis are climatology" for name in ("t2m", "gust")
    )
    np.testing.assert_array_equal(analysis.values["t2m"], analysis.first_guess["t2m"])
    assert "none of 1 values is used: 1 TIME" in caplog.text and "no usable report of gust" in caplog.text
