"""Read a gridded file, told by its first bytes: GRIB, or CF netCDF."""

from collections.abc import Collection

from mlrtma_dist.io.grib import read_grib
from mlrtma_dist.io.grid_field import GriddedFileError, GridField, Window
from mlrtma_dist.io.netcdf import read_netcdf

NETCDF_SIGNATURES = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")
HEADING = 1000  # bytes in which a bulletin heading may come before "GRIB"


def read_gridded(path, names: Collection[str] | None = None, window: Window | None = None) -> list[GridField]:
    """Read the fields of a gridded file.

    Args:
        path: GRIB 1 or 2, or netCDF 3 or 4 with CF coordinates.
        names: keep only these (``GridField.name``); None: all.
        window: first and last valid time to keep; terrain and land are kept whatever their time. None: all.

    Raises:
        GriddedFileError: the file cannot be read, is of another format, truncated or damaged.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEADING)
    except OSError as error:
        raise GriddedFileError(f"{path}: cannot be read: {error}") from error
    if head.startswith(NETCDF_SIGNATURES):
        return read_netcdf(path, names, window)
    if b"GRIB" in head or not head:
        return read_grib(path, names, window)
    raise GriddedFileError(f"{path}: expected GRIB or netCDF, the file begins with {head[:8]!r}")
