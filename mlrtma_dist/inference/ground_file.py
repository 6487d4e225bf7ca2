"""Write terrain and land of a domain to a netCDF file that ``fields.static`` reads back."""

import pathlib
from collections.abc import Mapping

from mlrtma_dist.fields.ground_files import Ground
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.inference.georeference import coordinates, links
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf


def write_ground(path: str | pathlib.Path, domain: Domain, ground: Ground, attributes: Mapping[str, object]) -> None:
    """Write terrain and land on a domain's grid, as CF-1.11.

    Raises:
        OSError: the file cannot be written.
    """
    place = links(domain)
    meaning = {
        "elevation": (ground.terrain, {"standard_name": "surface_altitude", "units": "m"}),
        "land": (ground.land, {"standard_name": "land_area_fraction", "units": "1"}),
    }
    variables = [
        NetcdfVariable(name, ("y", "x"), values, {**words, **place}) for name, (values, words) in meaning.items()
    ]
    sizes = {"y": domain.size.y, "x": domain.size.x}
    title = {"Conventions": "CF-1.11", "title": f"terrain and land of {domain.title}", "comment": ground.note}
    write_netcdf(path, sizes, [*coordinates(domain), *variables], {**title, **attributes})
