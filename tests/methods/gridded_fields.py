"""Invented gridded files, and cases of their points on the toy domain, for tests."""

import netCDF4
import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.gridded_reports import GriddedReports
from mlrtma_dist.samples.sources import CasesSection, open_cases

HOUR = np.datetime64("2026-01-01T06:00:00", "s")
SHAPE = (120, 160)
WHOLE = Box.whole(SHAPE)
LATITUDE, LONGITUDE = 38.0 + 0.25 * np.arange(20), -112.0 + 0.25 * np.arange(28)
ERRORS = {"t2m": 1.5, "visibility": 800.0}
STANDARD = {"t2m": ("air_temperature", "degC"), "visibility": ("visibility_in_air", "km")}


def fields(number=0):
    """Terrain (m) and, in SI, temperature and visibility of the number-th hour at rows and columns of the file."""
    y, x = np.meshgrid(np.arange(20.0), np.arange(28.0), indexing="ij")
    return 10.0 * y + x, {"t2m": 270.0 + y + 0.1 * x + number, "visibility": 1000.0 + 100.0 * y + 200.0 * x}


def write(path, times=(0,), missing=(), units=None, names=("t2m", "visibility"), shift=0.0):
    """A CF file of hours after `HOUR`: temperature in degC, visibility in km, terrain; ``missing`` rows are filled."""
    terrain, _ = fields()
    with netCDF4.Dataset(path, "w") as file:
        for name, axis, unit in (("lat", LATITUDE + shift, "degrees_north"), ("lon", LONGITUDE, "degrees_east")):
            file.createDimension(name, len(axis))
            file.createVariable(name, "f8", (name,))[:] = axis
            file[name].units = unit
        file.createDimension("time", len(times))
        file.createVariable("time", "f8", ("time",))[:] = times
        file["time"].units = f"hours since {str(HOUR).replace('T', ' ')}"
        height = file.createVariable("height", "f8", ())
        height[...], height.units, height.standard_name = 2.0, "m", "height"
        ground = file.createVariable("orog", "f4", ("lat", "lon"))
        ground[:], ground.standard_name, ground.units = terrain, "surface_altitude", "m"
        for name in names:
            standard, unit = STANDARD[name]
            variable = file.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=-9999.0)
            variable.standard_name, variable.units = standard, (units or {}).get(name, unit)
            if name == "t2m":
                variable.coordinates = "height"
            for index, number in enumerate(times):
                value = fields(number)[1][name]
                value = value - 273.15 if name == "t2m" else value / 1000.0
                value[list(missing)] = -9999.0
                variable[index] = value
    return str(path)


def section(path, **more):
    return GriddedReports(**({"files": (str(path),), "variables": ERRORS, "every": 3} | more))


def cases_of(path, **more):
    assumed = assumptions(load_settings("classical", ("t2m", "u10", "v10", "visibility")))
    return open_cases(CasesSection("toy", gridded=section(path, **more)), assumed)


def opened(section_, names=("t2m", "u10", "v10", "visibility")):
    return open_cases(section_, assumptions(load_settings("classical", names)))
