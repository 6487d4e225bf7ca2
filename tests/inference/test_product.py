"""The product is CF, decodes elsewhere, says where it is, and is whole or absent."""

import dataclasses
import socket

import netCDF4
import numpy as np
import pyproj
import pytest
import xarray

from mlrtma_dist.inference.derived import DERIVED
from mlrtma_dist.inference.ensemble_section import Distribution, EnsembleSection
from mlrtma_dist.inference.product import write_product, write_series
from mlrtma_dist.inference.product_attributes import Record, global_attributes
from mlrtma_dist.inference.product_fields import STEPS
from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.io.netcdf import read_netcdf
from mlrtma_dist.io.netcdf_write import NetcdfVariable, chunk_lengths, write_netcdf
from mlrtma_dist.names import VARIABLES

SPHERE = "+R=6371200"
LAMBERT = f"+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 {SPHERE}"
DOMAINS = {
    "plane": ("plane", {"spacing": 1.0}),
    "longlat": (f"+proj=longlat {SPHERE}", {"spacing": 0.25}),
    "lambert": (LAMBERT, {}),
    "polar stereographic": (f"+proj=stere +lat_0=90 +lat_ts=60 +lon_0=210 {SPHERE}", {"corner": (60.0, -150.0)}),
    "mercator": (f"+proj=merc +lat_ts=20 +lon_0=295 {SPHERE}", {"corner": (17.0, -68.0)}),
    "rotated pole": (
        f"+proj=ob_tran +o_proj=longlat +o_lat_p=40 +o_lon_p=0 +lon_0=18 {SPHERE}",
        {"spacing": 0.25, "corner": (50.0, 10.0)},
    ),
    "feet": ("EPSG:2263", {"spacing": 32808.0, "corner": (40.0, -75.0)}),
    "not listed by CF": ("+proj=robin", {}),
}


@pytest.fixture(params=DOMAINS, ids=lambda kind: kind.replace(" ", "_"))
def domain(request, make_domain):
    projection, options = DOMAINS[request.param]
    return make_domain(projection, **options)


@pytest.fixture(scope="module")
def check_cf():
    """Run compliance-checker and return its errors and warnings, as text."""
    runner = pytest.importorskip("compliance_checker.runner", reason="compliance-checker is not installed")
    tables = pytest.importorskip("compliance_checker.cf.appendix_f").grid_mapping_dict17
    # compliance-checker 6.1 writes a tuple of one without its comma, and so asks a Mercator mapping for an attribute
    # named by each letter of "longitude_of_projection_origin"
    if isinstance(tables["mercator"][0], str):
        tables["mercator"][0] = (tables["mercator"][0],)
    runner.CheckSuite.load_all_available_checkers()

    def check(path, report):
        passed, crashed = runner.ComplianceChecker.run_checker(
            str(path), ["cf:1.11"], 0, "normal", output_filename=str(report), output_format="text"
        )
        assert not crashed
        return passed, report.read_text()

    return check


def test_compliance_checker_finds_no_fault_on_any_kind_of_domain_and_asks_nothing_of_the_network(
    domain, make_analysis, check_cf, tmp_path, monkeypatch
):
    def refuse(*_):
        raise AssertionError("the checker tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    path = write_product(make_analysis(domain, ["t2m", "visibility"]), tmp_path, {"config": "a: 1"})
    passed, report = check_cf(path, tmp_path / "report.txt")
    assert "Errors" not in report
    # a plane has no latitude: its x and y cannot be CF axes X and Y, and the checker regrets their order
    assert passed or (domain.is_plane and report.count("§") == 1 and "§2.4 Dimensions" in report)


def test_compliance_checker_passes_with_all_variables(make_domain, make_analysis, check_cf, tmp_path):
    analysis = make_analysis(make_domain(LAMBERT, size=(5, 4)), list(VARIABLES), num_stations=3)
    for name in ("visibility", "ceiling"):  # with the probabilities of their limits and of flight categories
        analysis.probability[name] = np.full((4, 4, 5), 0.25, np.float32)
    path = write_product(analysis, tmp_path, {})
    passed, report = check_cf(path, tmp_path / "report.txt")
    assert passed and "All tests passed" in report


def test_compliance_checker_passes_with_quantiles_probabilities_and_members(
    make_domain, make_analysis, check_cf, tmp_path
):
    analysis = make_analysis(make_domain(LAMBERT, size=(5, 4)), ["t2m", "d2m", "visibility"], num_stations=3)
    distributed = dataclasses.replace(analysis, distribution=distribution_on(analysis.box.shape))
    passed, report = check_cf(write_product(distributed, tmp_path, {}), tmp_path / "report.txt")
    assert passed and "All tests passed" in report, report


def distribution_on(shape) -> Distribution:
    """A distribution of three members of temperature, and Gaussian visibilities."""
    generator = np.random.default_rng(5)
    section = EnsembleSection((0.025, 0.5), {"t2m": (-5.5, 273.15)}, {"relative_humidity": (0.5,)}, members=True)
    return Distribution(
        section,
        {name: generator.uniform(300.0, 310.0, (2, *shape)).astype(np.float32) for name in ("t2m", "visibility")},
        {"t2m": generator.uniform(0.0, 1.0, (2, *shape)).astype(np.float32)},
        {"relative_humidity": np.ones((1, *shape), np.float32)},
        {"t2m": generator.uniform(280.0, 300.0, (3, *shape)).astype(np.float32)},
        drawn=frozenset({"t2m", "relative_humidity"}),
        count=3,
    )


def test_quantiles_probabilities_and_members_come_back_by_name_with_levels_and_origin(
    make_domain, make_analysis, tmp_path
):
    analysis = make_analysis(make_domain(LAMBERT), ["t2m", "d2m", "visibility"])
    distribution = distribution_on(analysis.box.shape)
    path = write_product(dataclasses.replace(analysis, distribution=distribution), tmp_path, {})
    with xarray.open_dataset(path) as dataset:
        assert dataset["quantile_2p5"] == 0.025 and dataset["quantile_50"] == 0.5
        for number, name in enumerate(("2p5", "50")):
            field = dataset[f"t2m_quantile_{name}"]
            np.testing.assert_allclose(field[0], distribution.quantiles["t2m"][number], rtol=0, atol=0.5001 / 128)
            assert f"quantile_{name}" in field.coords and "3 members" in field.comment
        assert "Gaussian" in dataset["visibility_quantile_50"].comment
        assert dataset["t2m_quantile_50"].standard_name == "air_temperature"
        np.testing.assert_allclose(dataset["t2m_above_m5p5"][0], distribution.above["t2m"][0], rtol=0, atol=2.0**-9)
        assert dataset["t2m_above_273p15"].long_name == "probability of 2 m temperature at or above 273.15 K"
        assert dataset["relative_humidity_below_0p5"][0].values.max() == 1.0
        assert dataset["t2m_members"].dims == ("realization", "time", "y", "x")
        np.testing.assert_allclose(dataset["t2m_members"][:, 0], distribution.members["t2m"], rtol=0, atol=0.5001 / 128)
        np.testing.assert_array_equal(dataset["realization"], [0, 1, 2])
    (field,) = read_netcdf(path, ["t2m"])  # it is still the first guess of an analysis to come
    np.testing.assert_allclose(field.values, analysis.values["t2m"], rtol=0, atol=2.0**-8)


def test_every_standard_name_is_in_the_table_of_cf_with_our_unit():
    util = pytest.importorskip("compliance_checker.cf.util", reason="compliance-checker is not installed")
    table = util.StandardNameTable()
    for variable in (*VARIABLES.values(), *DERIVED.values()):
        if variable.standard_name is None:
            assert variable.name in ("ceiling", "flight_category") and "cloud_base_height" not in table
        else:
            assert table[variable.standard_name].canonical_units == variable.unit


def test_what_is_written_comes_back_within_the_rounding_that_is_declared(domain, make_analysis, tmp_path):
    analysis = make_analysis(domain, list(VARIABLES))
    for name in VARIABLES:
        analysis.values[name][2, 3] = np.nan
        analysis.values[name][0, :2] = VARIABLES[name].valid  # what lies on the edge of the valid range stays
    path = write_product(analysis, tmp_path, {})
    with xarray.open_dataset(path) as dataset:
        assert dataset.time.values == [np.datetime64("2022-08-24T06:00:00")]
        for name, variable in VARIABLES.items():
            relative = 2.0**-10 if variable.transform == "log" else 0.0
            absolute = 0.0 if relative else 0.5001 * STEPS[variable.unit]
            increment = analysis.values[name] - analysis.first_guess[name]
            for key, truth in ((name, analysis.values[name]), (f"{name}_increment", increment)):
                assert dataset[key].dims == ("time", "y", "x")
                np.testing.assert_allclose(dataset[key][0], truth, rtol=relative, atol=absolute)
            np.testing.assert_allclose(dataset[f"{name}_error"][0], analysis.error[name], rtol=2.0**-8)
            assert np.isnan(dataset[name][0, 2, 3])
    with netCDF4.Dataset(path) as dataset:  # this reader also masks what is outside of valid_range
        assert all(np.ma.getmaskarray(dataset[name][0]).sum() == 1 for name in VARIABLES)


def test_the_grid_mapping_alone_gives_latitude_and_longitude(domain, make_analysis, tmp_path):
    with netCDF4.Dataset(write_product(make_analysis(domain), tmp_path, {})) as dataset:
        if domain.is_plane:
            assert set(dataset.variables) & {"latitude", "longitude", "projection"} == set()
            return
        mapping = {name: dataset["projection"].getncattr(name) for name in dataset["projection"].ncattrs()}
        crs = pyproj.CRS.from_cf(mapping)
        x, y = np.meshgrid(dataset["x"][:], dataset["y"][:])
        latitude, longitude = domain.latitude_longitude()
        geodetic = crs.source_crs if crs.is_geographic and crs.is_derived else crs.geodetic_crs
        transformer = pyproj.Transformer.from_crs(geodetic, crs, always_xy=True)
        expected = np.meshgrid(domain.x, domain.y)
        transformed = transformer.transform(longitude, latitude)
        np.testing.assert_allclose(transformed, expected, rtol=0, atol=1e-6 * domain.spacing)
        np.testing.assert_array_equal([x, y], expected)
        if not domain.is_geographic:
            np.testing.assert_allclose(dataset["latitude"][:], latitude, rtol=0, atol=2.0**-16)
            np.testing.assert_allclose(dataset["longitude"][:], longitude, rtol=0, atol=2.0**-16)


@pytest.mark.parametrize("kind", ["longlat", "lambert", "polar stereographic", "mercator"])
def test_our_own_reader_takes_the_product_for_a_first_guess(kind, make_domain, make_analysis, tmp_path):
    projection, options = DOMAINS[kind]
    analysis = make_analysis(make_domain(projection, **options), ["t2m", "ceiling"])
    fields = {f.name: f for f in read_netcdf(write_product(analysis, tmp_path, {}), ["t2m", "ceiling"])}
    assert set(fields) == {"t2m", "ceiling"}
    np.testing.assert_allclose(fields["t2m"].values, analysis.values["t2m"], rtol=0, atol=2.0**-8)
    read, written = (d.latitude_longitude() for d in (fields["t2m"].domain, analysis.static.domain))
    np.testing.assert_allclose(read, written, rtol=0, atol=1e-9)
    assert fields["t2m"].valid_time == analysis.time


def test_the_error_of_a_logarithm_has_no_unit_and_says_so(make_domain, make_analysis, tmp_path):
    with xarray.open_dataset(write_product(make_analysis(make_domain(LAMBERT)), tmp_path, {})) as dataset:
        assert dataset.visibility_error.units == "1" and "natural logarithm" in dataset.visibility_error.long_name
        assert "standard_name" not in dataset.visibility_error.attrs
        assert dataset.t2m_error.units == "K" and dataset.t2m_error.standard_name == "air_temperature standard_error"
        assert dataset.t2m.attrs["ancillary_variables"] == "t2m_increment t2m_error"
        assert float(dataset.t2m.height_2m) == 2.0


def test_the_counts_of_observations_are_right_and_provenance_is_kept(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT))
    provenance = {"config": "method: oi\n", "commit": "abc"}
    attributes = global_attributes(analysis, np.array([analysis.time]), {0: Record.of(analysis)}, provenance)
    by_flag = [line.split() for line in attributes["observations_by_flag"].splitlines()]
    assert by_flag[0] == ["variable", "read", "used", "unused", "duplicate", "gross"]
    assert by_flag[1:] == [["t2m", "12", "10", "0", "1", "1"], ["visibility", "12", "10", "0", "1", "1"]]
    assert attributes["observations_by_source"].splitlines()[1].split() == ["made.csv", "187", "24", "20"]
    assert attributes["observations_first"] == "2022-08-24T06:00:00Z"
    assert attributes["config"] == "method: oi\n" and attributes["commit"] == "abc"


def test_provenance_cannot_take_the_place_of_what_the_product_says_itself(make_domain, make_analysis, tmp_path):
    with pytest.raises(ValueError, match="'method' itself: choose another key"):
        write_product(make_analysis(make_domain(LAMBERT)), tmp_path, {"method": "magic"})
    assert not list(tmp_path.iterdir())


def test_a_field_of_another_shape_is_refused_before_anything_is_written(make_domain, make_analysis, tmp_path):
    analysis = make_analysis(make_domain(LAMBERT))
    analysis = dataclasses.replace(analysis, error={"t2m": np.zeros((3, 4), np.float32)})
    with pytest.raises(ValueError, match=r"error of t2m: expected the shape \(11, 14\) \(y, x\), got \(3, 4\)"):
        write_product(analysis, tmp_path, {})
    assert not list(tmp_path.iterdir())


def test_a_failure_while_writing_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "field.nc"
    path.write_bytes(b"the old one")

    def fail(rows, columns):
        raise RuntimeError("the disk of cards fell over")

    with pytest.raises(RuntimeError, match="disk of cards"):
        write_netcdf(path, {"y": 2, "x": 2}, [NetcdfVariable("field", ("y", "x"), fail)], {})
    assert path.read_bytes() == b"the old one" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError), written_atomically(tmp_path / "none.nc"):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_slabs_chunks_and_arrays_give_the_same_file_whatever_the_size(tmp_path):
    values = np.random.default_rng(5).normal(size=(1, 907, 33)).astype(np.float32)
    assert chunk_lengths(values.shape) == (1, 303, 33) and chunk_lengths((1, 1597, 2345)) == (1, 400, 391)
    for name, source in (("array", values), ("slabs", lambda rows, columns: values[0, rows, columns])):
        variable = NetcdfVariable("field", ("time", "y", "x"), source)
        write_netcdf(tmp_path / name, {"time": 1, "y": 907, "x": 33}, [variable], {})
        with netCDF4.Dataset(tmp_path / name) as dataset:
            np.testing.assert_array_equal(dataset["field"][:], values)
            assert dataset["field"].chunking() == [1, 303, 33] and dataset["field"].filters()["shuffle"]


def test_a_step_that_is_no_power_of_two_and_a_wrong_shape_are_refused(tmp_path):
    with pytest.raises(ValueError, match="power of two, got 0.1"):
        NetcdfVariable("field", ("y", "x"), np.zeros((2, 2)), step=0.1)
    with pytest.raises(ValueError, match=r"variable field \(y, x\): expected values of shape \(2, 3\)"):
        write_netcdf(tmp_path / "a.nc", {"y": 2, "x": 3}, [NetcdfVariable("field", ("y", "x"), np.zeros((3, 2)))], {})


def test_an_exercise_keeps_its_unit_and_its_values_over_many_times(make_domain, make_analysis, tmp_path):
    domain = make_domain("plane", spacing=1.0)
    template = make_analysis(domain, ["t2m"])
    depth = np.random.default_rng(8).normal(size=(3, *domain.shape)).astype(np.float32)
    times = template.time + np.arange(3) * np.timedelta64(1, "D")
    analyses = (
        (number, dataclasses.replace(template, time=time, values={"h": depth[number]}, error={}, units={"h": "m"}))
        for number, time in reversed(list(enumerate(times)))
    )
    path = write_series(analyses, times, tmp_path / "new" / "plane.nc", {"commit": "abc"})
    with xarray.open_dataset(path) as dataset:
        assert dataset.h.units == "m" and "standard_name" not in dataset.h.attrs
        assert {"h_error", "h_increment"}.isdisjoint(dataset.variables) and dataset.commit == "abc"
        np.testing.assert_array_equal(dataset.time, times)
        np.testing.assert_array_equal(dataset.h, depth)


def test_an_analysis_of_no_unit_and_a_series_of_no_analysis_are_refused(make_domain, make_analysis, tmp_path):
    analysis = make_analysis(make_domain("plane", spacing=1.0), ["t2m"])
    with pytest.raises(ValueError, match="expected a unit for 'h'.*name it in units"):
        dataclasses.replace(analysis, values={"h": analysis.values["t2m"]})
    with pytest.raises(ValueError, match=r"none\.nc: expected at least one analysis, got none"):
        write_series([], np.array([analysis.time]), tmp_path / "none.nc", {})
    assert not list(tmp_path.iterdir())
