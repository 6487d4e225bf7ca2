"""Coordinates, grid mapping and time of a domain's fields as CF describes them.

CF conventions 1.11, sections 4.1, 4.2, 4.4, 5.6 and appendix F.
"""

import numpy as np
import pyproj

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.io.netcdf_write import NetcdfVariable

PROJECTION = "projection"  # name of the grid mapping variable
# 2^-16 degree is 1.7 m on the ground and what float32 holds of a longitude beyond 128 degrees
DEGREE_STEP = 2.0**-16
DATUM_NAMES = ("reference_ellipsoid_name", "prime_meridian_name", "horizontal_datum_name", "geographic_crs_name")


def coordinates(domain: Domain) -> list[NetcdfVariable]:
    """The coordinate and grid mapping variables of a domain.

    ``y`` and ``x``, and unless the domain is a plane the grid mapping ``projection``; 2-D ``latitude`` and
    ``longitude`` where x and y are neither.
    """
    variables = [_axis(domain, "y"), _axis(domain, "x")]
    if domain.is_plane:
        return variables
    if not domain.is_geographic:
        variables.append(_degrees(domain, "latitude", 0, "degrees_north"))
        variables.append(_degrees(domain, "longitude", 1, "degrees_east"))
    return [*variables, NetcdfVariable(PROJECTION, (), np.array(0, np.int32), grid_mapping(domain), dtype="i4")]


def time_coordinate(time: np.ndarray) -> NetcdfVariable:
    """The coordinate variable ``time`` of analyses; ``time``: UTC, datetime64, shape (n,)."""
    seconds = time.astype("datetime64[s]").astype(np.int64).astype(np.float64)
    return NetcdfVariable(
        "time",
        ("time",),
        seconds,
        {
            "standard_name": "time",
            "long_name": "analysis time",
            "units": "seconds since 1970-01-01 00:00:00",
            "calendar": "standard",
            "units_metadata": "leap_seconds: none",
            "axis": "T",
        },
        dtype="f8",
    )


def links(domain: Domain, *scalars: str) -> dict[str, str]:
    """The attributes of a field of (y, x) that refer to its place: ``grid_mapping`` and ``coordinates``.

    Args:
        domain: of the field.
        scalars: further coordinates, such as a height.
    """
    auxiliary = [] if domain.is_plane or domain.is_geographic else ["latitude", "longitude"]
    named = {"coordinates": " ".join([*scalars, *auxiliary])} if scalars or auxiliary else {}
    # a mapping that CF does not list may not be named; then latitude and longitude alone give the place
    listed = not domain.is_plane and "grid_mapping_name" in grid_mapping(domain)
    return {"grid_mapping": PROJECTION, **named} if listed else named


def grid_mapping(domain: Domain) -> dict[str, object]:
    """CF grid mapping attributes of a domain's projection, with ``crs_wkt`` and the PROJ string.

    A projection that CF's appendix F does not list has no ``grid_mapping_name``, only ``crs_wkt``.
    """
    attributes = pyproj.CRS.from_user_input(domain.projection).to_cf()
    if "unknown" in (attributes.get("horizontal_datum_name"), attributes.get("reference_ellipsoid_name")):
        for name in DATUM_NAMES:  # CF demands all or none; a sphere has none
            attributes.pop(name, None)
    attributes = {name: value for name, value in attributes.items() if value not in ("unknown", "undefined")}
    if attributes.get("inverse_flattening") == 0.0:  # CF describes a sphere by its radius
        del attributes["inverse_flattening"]
        attributes["earth_radius"] = attributes["semi_major_axis"]
    # CF demands the pole, which pyproj leaves out where it follows from the parallel
    if attributes.get("grid_mapping_name") == "polar_stereographic":
        pole = float(np.copysign(90.0, attributes.get("standard_parallel", 90.0)))
        attributes.setdefault("latitude_of_projection_origin", pole)
    numbers = {k: np.asarray(v, dtype=np.float64) for k, v in attributes.items() if isinstance(v, (tuple, float))}
    title = f"projection of the grid of {domain.title}"
    return attributes | numbers | {"long_name": title, "proj_string": domain.projection}


def _axis(domain: Domain, name: str) -> NetcdfVariable:
    # the axes X and Y require latitude and longitude (section 5.6), which a plane does not have
    axis = {} if domain.is_plane else {"axis": name.upper()}
    return NetcdfVariable(name, (name,), getattr(domain, name), axis | _meaning_of_axis(domain, name), dtype="f8")


def _meaning_of_axis(domain: Domain, name: str) -> dict[str, str]:
    east = name == "x"
    word = "longitude" if east else "latitude"
    if domain.is_plane:
        return {"long_name": f"{name} coordinate on the plane, in the plane's own unit", "units": "1"}
    if domain.is_geographic:
        return {"standard_name": word, "long_name": word, "units": "degrees_east" if east else "degrees_north"}
    if pyproj.CRS.from_user_input(domain.projection).is_geographic:  # about another pole
        return {"standard_name": f"grid_{word}", "long_name": f"{word} about the rotated pole", "units": "degrees"}
    return {
        "standard_name": f"projection_{name}_coordinate",
        "long_name": f"{name} coordinate of the projection",
        "units": _length_unit(domain),
    }


def _length_unit(domain: Domain) -> str:
    """The unit of the projection's coordinates as UDUNITS reads it."""
    factor = pyproj.CRS.from_user_input(domain.projection).axis_info[0].unit_conversion_factor
    return {1.0: "m", 1000.0: "km"}.get(factor, f"{factor!r} m")


def _degrees(domain: Domain, name: str, number: int, units: str) -> NetcdfVariable:
    return NetcdfVariable(
        name,
        ("y", "x"),
        lambda rows, columns: domain.latitude_longitude(rows, columns)[number],
        {"standard_name": name, "long_name": name, "units": units},
        step=DEGREE_STEP,
    )
