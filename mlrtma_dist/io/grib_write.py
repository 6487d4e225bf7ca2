"""Write fields as GRIB edition 2 with ECMWF's eccodes, whole files or none.

WMO FM 92 GRIB2: grid definition templates 3.0, 3.1, 3.10, 3.20, 3.30 as ``grib_grid`` reads them, product template 4.0,
data template 5.3 (complex packing of second differences, that of the operational files).
"""

import contextlib
import math
import pathlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import eccodes
import numpy as np
import pyproj

from mlrtma_dist.config import ConfigError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.interpolate import same_grid
from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.io.grib_grid import message_domain

PACKING = "grid_complex_spatial_differencing"
NORTHWARD = 0x40  # scanning mode, flag table 3.4: rows northward, columns eastward, as fields are here
UNKNOWN_CENTRE = 255
NO_SURFACE = 255  # code table 4.5
GRIB_NAMES = {"lcc": "lambert", "stere": "polar_stereographic", "merc": "mercator", "longlat": "regular_ll"}
ELLIPSOIDS = {"GRS80": 4, "WGS84": 5}  # code table 3.2
MISSING = 9.999e20


@dataclass(frozen=True)
class GribField:
    """One message.

    Attributes:
        values: shape (y, x) of the domain, in the unit of GRIB's table; NaN is written as missing.
        parameter: discipline, category, number (code table 4.2).
        level: type of the first fixed surface (code table 4.5) and its value, None where it has none.
        step: values are rounded to steps of at most this, so the error is at most half of it.
        process: type of generating process (code table 4.3): 0 analysis, 7 analysis error.
        top: type of the second fixed surface, of a layer; None: there is none.
    """

    values: np.ndarray
    parameter: tuple[int, ...]
    level: tuple[int, float | None]
    step: float
    process: int = 0
    top: int | None = None


def write_messages(path, messages: Iterable[bytes]) -> pathlib.Path:
    """Write GRIB2 messages one after the other into one file, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with written_atomically(path) as unfinished, open(unfinished, "wb") as file:
        for message in messages:
            file.write(message)
    return pathlib.Path(path)


def encode(domain: Domain, time: np.datetime64, field: GribField, centre: int = UNKNOWN_CENTRE) -> bytes:
    """One field as a GRIB2 message.

    Args:
        domain: on the earth, in a projection that GRIB2 has (`check_grid`).
        time: of the analysis, UTC.
        field: values and their meaning.
        centre: that answers for the file (common code table C-11); 255: none named.

    Raises:
        ConfigError: a projection that GRIB2 does not have.
    """
    with _message({**grid_keys(domain), **_meaning(field, time, centre)}) as handle:
        _pack(handle, field)
        return eccodes.codes_get_message(handle)


def check_grid(domain: Domain) -> None:
    """Raise ConfigError unless a message's grid, read back, is the domain.

    A PROJ string can express more than GRIB2, such as another scale or an oblique pole.
    """
    with _message(grid_keys(domain)) as handle:
        same = same_grid(message_domain(handle, f"domain {domain.name}"), domain)
    if not same:
        raise ConfigError(
            f"domain {domain.name}: expected a grid that GRIB2 can express; {domain.projection!r} lies"
            " elsewhere when read back. Write netCDF."
        )


@contextlib.contextmanager
def _message(keys: dict[str, object]) -> Iterator[int]:
    """A message with some keys set, by eccodes' handle."""
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    try:
        for key, value in keys.items():
            eccodes.codes_set(handle, key, value)
        yield handle
    finally:
        eccodes.codes_release(handle)


def grid_keys(domain: Domain) -> dict[str, object]:
    """The grid of a message, as eccodes' keys in the order in which they must be set.

    Raises:
        ConfigError: a projection that GRIB2 does not have.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is lost in a PROJ string GRIB2 lacks, too
        parameters = {} if domain.is_plane else pyproj.CRS.from_user_input(domain.projection).to_dict()
    kind = GRIB_NAMES.get(parameters.get("proj", ""))
    if kind is None:
        raise ConfigError(
            f"domain {domain.name}: expected a projection that GRIB2 has ({', '.join(GRIB_NAMES)}), got"
            f" {domain.projection!r}. Write netCDF."
        )
    first, last = (_point(domain, end) for end in (0, -1))
    keys = {
        "gridType": kind,
        "Ni" if kind == "regular_ll" else "Nx": domain.size.x,
        "Nj" if kind == "regular_ll" else "Ny": domain.size.y,
        **_earth(domain, parameters),
        "latitudeOfFirstGridPointInDegrees": first[0],
        "longitudeOfFirstGridPointInDegrees": first[1] % 360.0,
        "resolutionAndComponentFlags": 0x30,
        "scanningMode": NORTHWARD,
    }  # increments are present, winds are eastward and northward
    ends = {"latitudeOfLastGridPointInDegrees": last[0], "longitudeOfLastGridPointInDegrees": last[1] % 360.0}
    if kind == "regular_ll":
        steps = {f"{axis}DirectionIncrementInDegrees": domain.spacing for axis in "ij"}
        return keys | ends | steps
    true_latitude = parameters.get("lat_ts", parameters.get("lat_1", parameters.get("lat_0")))
    if kind == "mercator":
        return (
            keys
            | ends
            | {
                "LaDInDegrees": parameters.get("lat_ts", 0.0),
                "DiInMetres": domain.spacing_metres,
                "DjInMetres": domain.spacing_metres,
            }
        )
    keys |= {"DxInMetres": domain.spacing_metres, "DyInMetres": domain.spacing_metres, "LaDInDegrees": true_latitude}
    if kind == "polar_stereographic":
        south = parameters.get("lat_0", 90.0) < 0
        return keys | {
            "orientationOfTheGridInDegrees": parameters.get("lon_0", 0.0) % 360.0,
            "projectionCentreFlag": 0x80 if south else 0,
        }
    return keys | {
        "LoVInDegrees": parameters.get("lon_0", 0.0) % 360.0,
        "Latin1InDegrees": parameters["lat_1"],
        "Latin2InDegrees": parameters.get("lat_2", parameters["lat_1"]),
    }


def _point(domain: Domain, end: int) -> tuple[float, float]:
    one = slice(end, None if end else 1)
    latitude, longitude = domain.latitude_longitude(one, one)
    return latitude.item(), longitude.item()


def _earth(domain: Domain, parameters: dict) -> dict[str, object]:
    """The figure of the earth, code table 3.2."""
    if "R" in parameters:  # in units of 0.01 m
        return {
            "shapeOfTheEarth": 1,
            "scaleFactorOfRadiusOfSphericalEarth": 2,
            "scaledValueOfRadiusOfSphericalEarth": round(parameters["R"] * 100),
        }
    name = parameters.get("ellps", parameters.get("datum", ""))
    name = {"NAD83": "GRS80"}.get(name, name)
    if name not in ELLIPSOIDS:
        raise ConfigError(
            f"domain {domain.name}: expected a sphere (+R=) or one of {', '.join(ELLIPSOIDS)}, got"
            f" {domain.projection!r}. Write netCDF."
        )
    return {"shapeOfTheEarth": ELLIPSOIDS[name]}


def _meaning(field: GribField, time: np.datetime64, centre: int) -> dict[str, object]:
    clock = np.datetime_as_string(time.astype("datetime64[s]")).translate(str.maketrans("", "", "-:T"))
    keys: dict[str, object] = {"centre": centre, "subCentre": 0, "tablesVersion": 30, "significanceOfReferenceTime": 0}
    keys |= {"productionStatusOfProcessedData": 0, "typeOfProcessedData": 0}
    keys |= {
        "year": int(clock[:4]),
        "month": int(clock[4:6]),
        "day": int(clock[6:8]),
        "hour": int(clock[8:10]),
        "minute": int(clock[10:12]),
        "second": int(clock[12:14]),
    }
    keys |= dict(zip(("discipline", "parameterCategory", "parameterNumber"), field.parameter, strict=True))
    keys |= {"typeOfGeneratingProcess": field.process, "typeOfFirstFixedSurface": field.level[0]}
    keys |= {"typeOfSecondFixedSurface": NO_SURFACE if field.top is None else field.top}
    if field.level[1] is None:
        return keys | {"scaleFactorOfFirstFixedSurface": "missing", "scaledValueOfFirstFixedSurface": "missing"}
    return keys | {"scaleFactorOfFirstFixedSurface": 0, "scaledValueOfFirstFixedSurface": round(field.level[1])}


def _pack(handle, field: GribField) -> None:
    values = np.asarray(field.values, dtype=np.float64).ravel()
    unknown = ~np.isfinite(values)
    finite = values[~unknown]
    steps = (finite.max() - finite.min()) / field.step if finite.size else 0.0
    # eccodes takes the smallest binary scale by which the range fits the bits, and no decimal one beside it
    eccodes.codes_set(handle, "packingType", PACKING)
    eccodes.codes_set(handle, "bitsPerValue", max(1, math.ceil(math.log2(steps + 1.0))))
    if unknown.any():  # after the packing, which eccodes cannot change once the sample's values are all missing
        eccodes.codes_set(handle, "missingValue", MISSING)
        eccodes.codes_set(handle, "bitmapPresent", 1)
        values = np.where(unknown, MISSING, values)
    eccodes.codes_set_values(handle, values)
