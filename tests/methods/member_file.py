"""Write a netCDF file of all members of an ensemble, as a weather service's archive cuts it, for tests."""

import netCDF4
import numpy as np
import pyproj

from mlrtma_dist.grid.domain import Domain

DIMENSIONS = ("time", "height1", "ensemble_member", "y", "x")
KINDS = {  # name of ours -> variable, standard name, unit
    "t2m": ("air_temperature_2m", "air_temperature", "K"),
    "relative_humidity": ("relative_humidity_2m", "relative_humidity", "1"),
}


def write_members(path, domain: Domain, times, values: dict[str, np.ndarray], mapping: bool = False, names=None):
    """A file of fields over time, height, member, y and x on a projected domain.

    Args:
        times: UTC, datetime64; values: name of ``KINDS`` -> array (time, member, y, x).
        mapping: write the grid mapping that the variables name; False: 2-D latitude and longitude alone tell the place.
        names: numbers of the members; None: from 0.
    """
    shape = next(iter(values.values())).shape
    numbers = np.arange(shape[1]) if names is None else np.asarray(names)
    with netCDF4.Dataset(str(path), "w") as file:
        for key, length in zip(DIMENSIONS, (shape[0], 1, *shape[1:]), strict=True):
            file.createDimension(key, length)
        seconds = np.asarray(times, "datetime64[s]").astype(np.int64)
        latitude, longitude = domain.latitude_longitude()
        coordinates = {
            "time": (("time",), seconds, {"units": "seconds since 1970-01-01 00:00:00", "standard_name": "time"}),
            "height1": (("height1",), [2.0], {"units": "m", "positive": "up", "long_name": "height"}),
            "ensemble_member": (("ensemble_member",), numbers, {"standard_name": "realization"}),
            "x": (("x",), domain.x, {"units": "m", "standard_name": "projection_x_coordinate"}),
            "y": (("y",), domain.y, {"units": "m", "standard_name": "projection_y_coordinate"}),
            "latitude": (("y", "x"), latitude, {"units": "degree_north", "standard_name": "latitude"}),
            "longitude": (("y", "x"), longitude, {"units": "degree_east", "standard_name": "longitude"}),
        }
        for key, (dimensions, numbers, attributes) in coordinates.items():
            variable = file.createVariable(key, np.asarray(numbers).dtype, dimensions)
            variable.setncatts(attributes)
            variable[...] = numbers
        if mapping:
            file.createVariable("projection", "i4", ()).setncatts(pyproj.CRS(domain.projection).to_cf())
        for name, field in values.items():
            key, standard, unit = KINDS[name]
            variable = file.createVariable(key, "f4", DIMENSIONS)
            variable.setncatts(
                {
                    "standard_name": standard,
                    "units": unit,
                    "grid_mapping": "projection",
                    "coordinates": "longitude latitude",
                }
            )
            variable[...] = field[:, None]
    return str(path)
