"""Write a State to a netCDF file that ``fields.gridded`` reads back as a background."""

import pathlib

import numpy as np

from mlrtma_dist.fields.state import State
from mlrtma_dist.inference.georeference import coordinates, links, time_coordinate
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf
from mlrtma_dist.names import VARIABLES


def write_state(path, state: State) -> pathlib.Path:
    """Write a state with its own elevation, in the layout of the product (docs/product.md).

    Raises:
        OSError: the file cannot be written.
    """
    place = links(state.domain)
    variables = [time_coordinate(np.array([state.time])), *coordinates(state.domain)]
    if state.elevation is not None:
        variables.append(
            NetcdfVariable(
                "elevation", ("y", "x"), state.elevation, {"standard_name": "surface_altitude", "units": "m", **place}
            )
        )
    for name, values in state.values.items():
        variable = VARIABLES[name]
        attributes = {"standard_name": variable.standard_name} if variable.standard_name else {}
        attributes |= {"long_name": variable.long_name, "units": variable.unit, **place}
        variables.append(NetcdfVariable(name, ("time", "y", "x"), values, attributes))
    sizes = {"time": 1, "y": state.domain.size.y, "x": state.domain.size.x}
    return write_netcdf(path, sizes, variables, {"Conventions": "CF-1.11", "title": state.origin})
