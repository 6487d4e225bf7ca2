"""Small domains for tests, each by a file in a folder: simulated ground, and elevations to make terrain of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf


def small_region(folder: Path, name: str, longitude: float) -> Static:
    """A domain of 30 x 25 points with simulated ground, whose file is ``<name>.yaml``."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f'name: {name}\ntitle: the {name}\nprojection: "+proj=longlat +R=6371200"\nspacing: 0.1\n'
        f"corner: {{latitude: 45.0, longitude: {longitude}}}\nsize: {{x: 30, y: 25}}\n"
        "terrain: simulated\nland: simulated\n"
    )
    return load_static(load_domain(str(path)))


def write_elevation(path: Path, latitude: np.ndarray, longitude: np.ndarray, height: Callable) -> None:
    """A CF netCDF file of heights, m, on a grid of latitudes and longitudes, degrees."""
    axes = [
        NetcdfVariable("lat", ("lat",), latitude, {"units": "degrees_north"}, dtype="f8"),
        NetcdfVariable("lon", ("lon",), longitude, {"units": "degrees_east"}, dtype="f8"),
    ]
    values = height(latitude[:, None], longitude[None, :]).astype(np.float32)
    z = NetcdfVariable("z", ("lat", "lon"), values, {"long_name": "height", "units": "m"})
    write_netcdf(path, {"lat": len(latitude), "lon": len(longitude)}, [*axes, z], {})
