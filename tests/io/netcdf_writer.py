"""Write small netCDF files, variable by variable, for tests; the grid that they share."""

import netCDF4
import numpy as np

LATITUDE, LONGITUDE = np.arange(40.0, 45.0), np.arange(5.0, 11.0)
SHAPE = (5, 6)
GRID = {
    "lat": (("lat",), LATITUDE, {"units": "degrees_north"}),
    "lon": (("lon",), LONGITUDE, {"units": "degrees_east"}),
}
TIME = {"time": ((), 6.0, {"units": "hours since 2022-08-24"})}


def write(path, variables: dict[str, tuple]):
    """A file of variables: name -> dimensions, values, attributes and, if not that of the values, the type on disk."""
    with netCDF4.Dataset(path, "w") as file:
        for name, (dimensions, values, attributes, *kind) in variables.items():
            values = np.asarray(values)
            for dimension, length in zip(dimensions, values.shape, strict=True):
                if dimension not in file.dimensions:
                    file.createDimension(dimension, length)
            fill = attributes.get("_FillValue")
            variable = file.createVariable(name, kind[0] if kind else values.dtype, dimensions, fill_value=fill)
            variable.set_auto_maskandscale(False)
            variable.setncatts({key: value for key, value in attributes.items() if key != "_FillValue"})
            variable[...] = values
    return path


def field(values, dimensions=("lat", "lon"), **attributes) -> tuple:
    """A variable over the shared grid; a number fills it."""
    values = np.asarray(values, np.float32)
    return dimensions, values if values.shape else np.full(SHAPE, values), attributes
