"""The gridded first guess: real models' files, against their own values, closed forms and their own diagnostics."""

import numpy as np
import pytest

from mlrtma_dist.fields import adjustment
from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.gridded_state import BackgroundError, read_state
from mlrtma_dist.fields.static import grid_points, load_static, station_points
from mlrtma_dist.grid.domain import Corner, Domain, Size, load_domain
from mlrtma_dist.io.grib import read_grib
from mlrtma_dist.names import VARIABLES

HRRR = "hrrr_swidaho/hrrr.20180722.hrrr.t{:02d}z.wrfsfcf01.grib2"  # valid one hour after its name
LAMBERT = "+proj=lcc +lat_1={0} +lat_2={0} +lat_0={0} +lon_0={1} +R=6371200"
IDAHO = Domain("idaho", "inside the HRRR crop", LAMBERT.format(43, -116.5), Size(16, 50), 2500.0, Corner(42.3, -116.65))


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "s")


def static_of(domain: Domain):
    return load_static(domain)


def file_fields(path):
    return {f.name: f for f in read_grib(path, (*VARIABLES, "terrain", "specific_humidity", "relative_humidity"))}


def model_points(static, field, terrain, rise=0.0, inner=2):
    """The model's own grid points as stations on the model's own terrain, plus ``rise`` m."""
    box = slice(inner, -inner)
    latitude, longitude = field.domain.latitude_longitude(box, box)
    return station_points(static, latitude.ravel(), longitude.ravel(), terrain[box, box].ravel() + rise), (box, box)


def test_at_the_models_own_points_and_heights_the_files_values_come_back(real_data):
    static, path = static_of(IDAHO), real_data / HRRR.format(11)
    guess, fields = load_gridded(path, static, at("2018-07-22T12:00")), file_fields(path)
    points, box = model_points(static, fields["t2m"], fields["terrain"].values)
    for name in ("t2m", "d2m", "gust", "psfc"):
        np.testing.assert_allclose(guess.mean(name, points), fields[name].values[box].ravel(), rtol=2e-6, err_msg=name)
    expected = VARIABLES["visibility"].to_analysis(fields["visibility"].values[box].ravel())
    np.testing.assert_allclose(guess.mean("visibility", points), expected, rtol=1e-6)
    assert not guess.spread("t2m", points).any()
    assert guess.name == "gridded: hrrr.20180722.hrrr.t11z.wrfsfcf01.grib2"
    assert guess.note == ""


def test_between_two_times_it_is_linear_and_geometric_for_visibility(real_data):
    static, paths = static_of(IDAHO), [real_data / HRRR.format(h) for h in range(8, 16)]
    guess = load_gridded(paths, static, at("2018-07-22T12:15"))
    before, after = file_fields(paths[3]), file_fields(paths[4])
    points, box = model_points(static, before["t2m"], before["terrain"].values)
    mixed = 0.75 * before["t2m"].values + 0.25 * after["t2m"].values
    np.testing.assert_allclose(guess.mean("t2m", points), mixed[box].ravel(), rtol=2e-6)
    clip = VARIABLES["visibility"].to_analysis
    mixed = 0.75 * clip(before["visibility"].values) + 0.25 * clip(after["visibility"].values)
    np.testing.assert_allclose(guess.mean("visibility", points), mixed[box].ravel(), rtol=1e-5)
    assert guess.note == "interpolated in time between 2018-07-22T12:00:00 and 2018-07-22T13:00:00"


def test_wind_along_the_grid_is_turned_by_the_lambert_angle(real_data):
    """Snyder (1987), chapter 15: sin(38.5) times the longitude from the central meridian, 97.5 W."""
    static, path = static_of(IDAHO), real_data / HRRR.format(11)
    guess, fields = load_gridded(path, static, at("2018-07-22T12:00")), file_fields(path)
    points, box = model_points(static, fields["u10"], fields["terrain"].values)
    angle = np.sin(np.deg2rad(38.5)) * np.deg2rad(-97.5 - points.longitude)
    u, v = (fields[n].values[box].ravel() for n in ("u10", "v10"))
    assert 0.15 < angle.min() < angle.max() < 0.25
    np.testing.assert_allclose(guess.mean("u10", points), u * np.cos(angle) - v * np.sin(angle), atol=1e-4)
    np.testing.assert_allclose(guess.mean("v10", points), u * np.sin(angle) + v * np.cos(angle), atol=1e-4)


def test_wind_along_the_earth_is_left_alone(real_data):
    path = real_data / "arpege_france/arpege_10m_NW_20180501000000.grib"
    state, _ = read_state(
        [path], Domain("nw", "nw", LAMBERT.format(48, 0), Size(20, 20), 5000.0, Corner(47, -3)), at("2018-05-01T00:00")
    )
    np.testing.assert_array_equal(state.values["u10"], file_of(path, "u10", at("2018-05-01T00:00")))


def file_of(path, name, time):
    return read_grib(path, (name,), (time, time))[0].values


def test_a_height_difference_changes_temperature_and_dew_point_by_their_lapse_rates(real_data):
    static, path = static_of(IDAHO), real_data / HRRR.format(20)
    guess, fields = load_gridded(path, static, at("2018-07-22T21:00")), file_fields(path)
    level, _ = model_points(static, fields["t2m"], fields["terrain"].values)
    above, _ = model_points(static, fields["t2m"], fields["terrain"].values, rise=400.0)
    np.testing.assert_allclose(guess.mean("t2m", above) - guess.mean("t2m", level), -2.6, atol=1e-3)
    np.testing.assert_allclose(guess.mean("d2m", above) - guess.mean("d2m", level), -0.72, atol=1e-3)


def test_pressure_at_another_height_solves_the_hydrostatic_equation(real_data):
    static, path = static_of(IDAHO), real_data / HRRR.format(20)
    guess, fields = load_gridded(path, static, at("2018-07-22T21:00")), file_fields(path)
    above, box = model_points(static, fields["t2m"], fields["terrain"].values, rise=400.0)
    pressure = fields["psfc"].values[box].ravel().astype(float)
    t, d = (fields[n].values[box].ravel().astype(float) for n in ("t2m", "d2m"))
    vapour = 611.2 * np.exp(17.67 * (d - 273.15) / (d - 29.65))
    virtual = t / (1 - 0.378 * vapour / pressure)
    for _ in range(400):  # a metre at a time
        pressure -= 9.80665 * pressure / (287.05 * virtual)
        virtual -= 0.0065
    np.testing.assert_allclose(guess.mean("psfc", above), pressure, atol=3.0)


def test_pressure_taken_down_to_the_sea_agrees_with_the_models_own_sea_level_pressure(real_data):
    """AROME reduces with a lapse of its own; from terrain of up to 1200 m (15 kPa) the two agree to some 10 Pa."""
    path = real_data / "arome_arctic/arome_arctic_20180710_00z_surface.grib"
    domain = Domain(
        "svalbard",
        "svalbard",
        "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=15 +R=6371200",
        Size(40, 40),
        2500.0,
        Corner(78.3, 12.0),
    )
    static, time = static_of(domain), at("2018-07-10T03:00")
    guess = load_gridded(path, static, time)
    fields = {f.name: f for f in read_grib(path, ("terrain", "sea_level_pressure"), (time, time))}
    terrain = fields["terrain"].values
    points, box = model_points(static, fields["terrain"], np.zeros_like(terrain))
    miss = np.abs(guess.mean("psfc", points) - fields["sea_level_pressure"].values[box].ravel())
    assert terrain[box].max() > 1200
    assert np.median(miss) < 15.0 and np.percentile(miss, 99) < 80.0
    assert "dew point computed from specific humidity" in guess.note
    assert np.isfinite(guess.mean("sky_cover", points)).all()


def test_dew_point_from_specific_humidity_is_the_models_own(real_data):
    fields = file_fields(real_data / HRRR.format(11))
    dew_point = adjustment.dew_point_of_specific_humidity(fields["specific_humidity"].values, fields["psfc"].values)
    assert np.abs(dew_point - fields["d2m"].values).max() < 0.1  # the file rounds the dew point to 1/16 K, q to 1e-5


def test_dew_point_from_relative_humidity_is_the_models_own(real_data):
    fields = {
        f.name: f.values
        for f in read_grib(
            real_data / "arpege_france/arpege_2m_NW_20180501000000.grib",
            None,
            (at("2018-05-01T12:00"), at("2018-05-01T12:00")),
        )
    }
    dew_point = adjustment.dew_point_of_relative_humidity(fields["relative_humidity"], fields["t2m"])
    assert np.abs(dew_point - fields["d2m"]).max() < 0.1


def test_without_the_models_terrain_nothing_is_adjusted_and_it_says_so(real_data):
    path = real_data / "ruc13/2005080700_f12_background.grib"
    plains = Domain("plains", "plains", LAMBERT.format(40, -100), Size(30, 30), 20e3, Corner(37, -105))
    static = static_of(plains)
    guess = load_gridded(path, static, at("2005-08-07T13:00"))
    low, high = (station_points(static, [39.0], [-103.0], [z]) for z in (500.0, 2500.0))
    for name in ("t2m", "d2m", "psfc"):
        assert guess.mean(name, low) == guess.mean(name, high)
    assert "its terrain is not in the file: temperature, dew point and pressure are not adjusted" in guess.note
    assert "valid 2005-08-07T12:00:00, 1.0 h from 2005-08-07T13:00:00, taken as it is" in guess.note
    assert "dew point computed from relative humidity" in guess.note


def test_two_files_of_one_model_differ_by_what_is_known_of_them(real_data):
    """RUC's 12-h forecast against its analysis: 1.68 K and 1.4 m/s rms by the data's description, which counts the 41 %
    of points that the bitmap leaves out as equal; over the others alone it is 2.18 K."""
    plains = Domain("plains", "plains", LAMBERT.format(40, -100), Size(30, 30), 20e3, Corner(37, -105))
    forecast, analysis = (
        read_state([real_data / "ruc13" / f], plains, at("2005-08-07T12:00"))[0].values
        for f in ("2005080700_f12_background.grib", "2005080712_f00_analysis.grib")
    )
    finite = np.isfinite(forecast["t2m"])
    assert finite.mean() == pytest.approx(0.593, abs=0.001)
    square = {n: float(np.nanmean((forecast[n] - analysis[n]) ** 2)) for n in ("t2m", "u10", "v10")}
    assert np.sqrt(square["t2m"]) == pytest.approx(2.18, abs=0.01)
    assert np.sqrt(square["t2m"] * finite.mean()) == pytest.approx(1.68, abs=0.01)
    assert np.sqrt((square["u10"] + square["v10"]) / 2 * finite.mean()) == pytest.approx(1.4, abs=0.05)


def test_a_file_on_the_domains_own_grid_has_the_domains_terrain(real_data):
    conus = load_domain("conus")
    static = load_static(conus)
    guess = load_gridded(real_data / "nbm/conus_t2m_valid_20250901_01z.grib2", static, at("2025-09-01T01:00"))
    assert "terrain is taken to be that of the domain" in guess.note
    points = grid_points(static, slice(700, 703), slice(400, 500))
    (field,) = read_grib(real_data / "nbm/conus_t2m_valid_20250901_01z.grib2")
    np.testing.assert_allclose(
        guess.mean("t2m", points), field.values[700:703, 400:500].ravel(), atol=0.02
    )  # corners: 1e-4 degree


def test_of_two_boxes_the_one_that_covers_the_domain_is_used(real_data):
    paths = [real_data / f"arpege_france/arpege_2m_{box}_20180501000000.grib" for box in ("NW", "SE")]
    for latitude, longitude, box in ((47.0, -3.0, 0), (43.0, 5.0, 1)):
        domain = Domain("part", "part", LAMBERT.format(45, 2), Size(20, 20), 5000.0, Corner(latitude, longitude))
        state, _ = read_state(paths, domain, at("2018-05-01T06:00"))
        np.testing.assert_array_equal(state.values["t2m"], file_of(paths[box], "t2m", at("2018-05-01T06:00")))


def test_of_two_forecasts_for_one_time_the_later_one_is_used(real_data):
    files = [real_data / "ruc13" / f for f in ("2005080712_f00_analysis.grib", "2005080700_f12_background.grib")]
    plains = Domain("plains", "plains", LAMBERT.format(40, -100), Size(30, 30), 20e3, Corner(37, -105))
    for order in (files, files[::-1]):
        state, _ = read_state(order, plains, at("2005-08-07T12:00"))
        np.testing.assert_array_equal(state.values["t2m"], file_of(files[0], "t2m", at("2005-08-07T12:00")))


def test_far_times_places_and_files_without_weather_are_errors_with_a_way_out(real_data):
    static, path = static_of(IDAHO), real_data / HRRR.format(0)
    with pytest.raises(BackgroundError, match=r"within 3 h of 2018-07-22T06:00:00.*2018-07-22T01:00:00"):
        load_gridded(path, static, at("2018-07-22T06:00"))
    with pytest.raises(
        BackgroundError, match=r"within 3 h of 2019-01-01T00:00:00, the nearest is valid 2018-07-22T01:00:00"
    ):
        load_gridded(path, static, at("2019-01-01T00:00"))
    with pytest.raises(BackgroundError, match="outside the domain guam"):
        load_gridded(path, load_static(load_domain("guam")), at("2018-07-22T01:00"))
    with pytest.raises(BackgroundError, match="holds none of the variables"):
        load_gridded(real_data / "terrain/conus_terrain.grib2", static, at("2018-07-22T01:00"))
    with pytest.raises(BackgroundError, match="a plane"):
        load_gridded(path, load_static(load_domain("plane")), at("2018-07-22T01:00"))


def test_what_the_file_has_not_and_what_lies_outside_is_nan(real_data):
    static = static_of(IDAHO)
    guess = load_gridded(real_data / HRRR.format(11), static, at("2018-07-22T12:00"))
    inside, outside = (
        station_points(static, [42.8], [-116.5], [np.nan]),
        station_points(static, [50.0], [-100.0], [0.0]),
    )
    assert np.isnan(guess.mean("ceiling", inside)).all()
    assert np.isfinite(guess.mean("t2m", inside)).all()
    assert np.isnan(guess.mean("t2m", outside)).all()
    with pytest.raises(ValueError, match="unknown variable"):
        guess.mean("t2n", inside)
