"""Columns of a netCDF file of station reports, from its bytes.

Classic netCDF (CDF-1, CDF-2: what MADIS and the SAO archives are) is read by SciPy's own decoder, which is Python: a
damaged file ends in an exception, where the C library may end the process or fill a truncated file with zeros.
netCDF-4 and CDF-5 go through the C library.
"""

import io

import netCDF4
import numpy as np
from scipy.io import netcdf_file

from mlrtma_dist.errors import InputError

CLASSIC = (b"CDF\x01", b"CDF\x02")
HDF5, CDF5 = b"\x89HDF", b"CDF\x05"
# What the decoder raises on damage, met by flipping bytes of real files.
_DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError),
    *(MemoryError, OSError, RuntimeError, AssertionError, EOFError),
)


class ReportFileError(InputError):
    """A netCDF file of reports that cannot be used; the message names file and variable."""


def is_netcdf(data: bytes) -> bool:
    """Whether some bytes begin like netCDF."""
    return data.startswith((*CLASSIC, HDF5, CDF5))


def variable_names(data: bytes, name: str) -> set[str]:
    """The names of a file's variables.

    Raises:
        ReportFileError: truncated or damaged.
    """
    return set(_read(data, name, None))


def read_columns(data: bytes, name: str, names) -> dict[str, np.ndarray]:
    """Read variables over one dimension of reports.

    Args:
        data: the file's bytes.
        name: for errors.
        names: names of variables; those that the file lacks are left out.

    Returns:
        Numbers as float64, unpacked, with NaN where missing, shape (n, ...); text as str without blanks around it, one
        dimension less where the file has it letter by letter.

    Raises:
        ReportFileError: truncated or damaged, or columns that are not of one length.
    """
    columns = _read(data, name, set(names))
    lengths = {key: len(column) if column.ndim else -1 for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ReportFileError(f"{name}: expected variables over one dimension of reports, got the lengths {lengths}")
    return columns


def require(columns: dict[str, np.ndarray], needed, name: str, kind: str) -> None:
    """Check that a file of some ``kind`` has the variables that it cannot do without.

    Raises:
        ReportFileError: it lacks some; names them.
    """
    absent = [key for key in needed if key not in columns]
    if absent:
        raise ReportFileError(f"{name}: expected a {kind} file, it lacks the variables {', '.join(absent)}")


def _read(data: bytes, name: str, names: set[str] | None) -> dict:
    """The wanted variables, decoded; None: every variable's name, nothing decoded."""
    try:
        if data.startswith(CLASSIC):
            with netcdf_file(io.BytesIO(data), "r", mmap=False) as file:
                return _decode(file.variables, names, lambda v: v.data)
        with netCDF4.Dataset("reports", memory=data) as file:
            file.set_auto_maskandscale(False)
            return _decode(file.variables, names, lambda v: v[...])
    except _DAMAGE as error:
        what = str(error) or type(error).__name__
        kind = "HDF5 or netCDF-4" if data.startswith(HDF5) else "netCDF"
        raise ReportFileError(f"{name}: looks like {kind}, and is truncated or damaged: {what}") from error


def _decode(variables, names, values_of) -> dict:
    if names is None:
        return dict.fromkeys(variables)
    return {key: _column(values_of(variables[key]), variables[key]) for key in variables if key in names}


def _column(values, variable) -> np.ndarray:
    """A variable's values as text, or as numbers by its attributes (NetCDF User's Guide, appendix A)."""
    values = np.asarray(values)
    if values.dtype.kind in "OU":  # netCDF-4 knows strings
        return np.array([str(cell).strip() for cell in values.ravel()], dtype=str).reshape(values.shape)
    if values.dtype.kind == "S":
        if values.ndim == 0:
            return values.astype(str)
        joined = np.ascontiguousarray(values).view(f"S{values.shape[-1]}")[..., 0] if values.ndim > 1 else values
        flat = [cell.split(b"\0")[0].decode("latin-1").strip() for cell in joined.ravel().tolist()]
        return np.array(flat, dtype=str).reshape(joined.shape)
    native = values.astype(values.dtype.newbyteorder("="))
    marks = [getattr(variable, key) for key in ("_FillValue", "missing_value") if hasattr(variable, key)]
    numbers = native.astype(np.float64)
    for mark in marks or [netCDF4.default_fillvals[native.dtype.str[1:]]]:
        numbers[np.isin(native, np.asarray(mark).astype(native.dtype))] = np.nan
    return numbers * getattr(variable, "scale_factor", 1.0) + getattr(variable, "add_offset", 0.0)
