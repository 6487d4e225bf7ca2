"""Read a gridded file, told by its first bytes: GRIB, or CF netCDF."""

from collections.abc import Collection
from itertools import islice

from mlrtma_dist.io import netcdf_members
from mlrtma_dist.io.field_codes import NAMES, FieldCode
from mlrtma_dist.io.grib import read_grib
from mlrtma_dist.io.grib_messages import split_messages
from mlrtma_dist.io.grid_field import GriddedFileError, GridField, Window
from mlrtma_dist.io.netcdf import read_netcdf

NETCDF_SIGNATURES = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")
HEADING = 1000  # bytes in which a bulletin heading may come before "GRIB"


def read_gridded(
    path,
    names: Collection[str] | None = None,
    window: Window | None = None,
    codes: tuple[FieldCode, ...] = (),
    *,
    member: int | None = None,
    projection: str | None = None,
) -> list[GridField]:
    """Read the fields of a gridded file.

    Args:
        path: GRIB 1 or 2, or netCDF 3 or 4 with CF coordinates.
        names: keep only these (``GridField.name``); None: all.
        window: first and last valid time to keep; terrain and land are kept whatever their time. None: all.
        codes: what the file's own codes mean, by the user (``field_codes.parse_codes``).
        member: index of the member to read of netCDF variables with a dimension of members (`member_names`).
        projection: tried where a netCDF file lacks the grid mapping that it names (`netcdf_grid.grid_layout`).

    Raises:
        GriddedFileError: the file cannot be read, is of another format, truncated or damaged.
    """
    if _is_netcdf(path):
        return read_netcdf(path, names, window, codes, member=member, projection=projection)
    return read_grib(path, names, window, codes)


def member_names(path) -> tuple[str, ...]:
    """The members of an ensemble that one netCDF file holds; () where a file, of whatever kind, is of one member.

    Raises:
        GriddedFileError: the file cannot be read, or is of another format.
    """
    return netcdf_members.member_names(path) if _is_netcdf(path) else ()


def read_one(path, name: str) -> GridField:
    """Read the field ``name`` of a file (its first, if several), or the only field that the file holds.

    A terrain file made elsewhere may code its one field by numbers that nobody else knows; one that is known to be
    something else is not it.

    Raises:
        GriddedFileError: as ``read_gridded``; or the file holds several fields, none of that name, or another one.
    """
    named = read_gridded(path, (name,))
    if not named and (_is_netcdf(path) or len(list(islice(split_messages(path), 2))) == 1):
        named = read_gridded(path)
        if len(named) == 1 and named[0].name in NAMES:
            raise GriddedFileError(f"{path}: expected a field of {name}, it holds {named[0].name}")
        named = named if len(named) == 1 else []
    if not named:
        raise GriddedFileError(
            f"{path}: expected a field of {name}, or a single field; it holds several, none of them {name}"
        )
    return named[0]


def _is_netcdf(path) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(HEADING)
    except OSError as error:
        raise GriddedFileError(f"{path}: cannot be read: {error}") from error
    if not head.startswith(NETCDF_SIGNATURES) and b"GRIB" not in head and head:
        raise GriddedFileError(f"{path}: expected GRIB or netCDF, the file begins with {head[:8]!r}")
    return head.startswith(NETCDF_SIGNATURES)
