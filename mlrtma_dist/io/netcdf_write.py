"""Write netCDF-4: a description of variables becomes a file, chunked, compressed and renamed when whole.

Nothing here depends on weather or on CF: names, attributes and links are the caller's. Values may be computed
slab by slab while they are written, so that a 24-million-point grid needs no second copy in memory.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import netCDF4
import numpy as np

from mlrtma_dist.io.atomic import written_atomically

# About 400 x 400 float32 are 0.6 MB: small enough that a reader of one region reads little more, large enough
# for deflate.
CHUNK = 400
# On rounded fields deflate 4 takes a third longer than 1 and makes files 5 % smaller (docs/product.md).
LEVEL = 1
FLOAT32_BITS = 23  # of the mantissa


@dataclass(frozen=True)
class NetcdfVariable:
    """One variable of a netCDF file.

    Attributes:
        name: of the variable.
        dimensions: names; () for a scalar.
        values: array in the shape of the dimensions, of which leading ones of length 1 may be missing; or a
            function of two slices (rows, columns) of the last two dimensions that returns the values there; or None:
            `netcdf_slabs.fill` writes them. NaN is written as the fill value.
        attributes: written as they are.
        dtype: numpy type on disk.
        step: values are rounded to its multiples; a power of two, 0 does not round.
        bits: bits of the mantissa kept, rounded to nearest; 0 keeps all.
        valid: smallest and largest valid value, written as ``valid_range``; rounding never crosses it, because
            readers take what lies outside for missing.
        chunks: stored pieces of a gridded variable; None: ``chunk_lengths``.
    """

    name: str
    dimensions: tuple[str, ...]
    values: np.ndarray | Callable[[slice, slice], np.ndarray] | None
    attributes: Mapping[str, object] = field(default_factory=dict)
    dtype: str = "f4"
    step: float = 0.0
    bits: int = 0
    valid: tuple[float, float] | None = None
    chunks: tuple[int, ...] | None = None

    def __post_init__(self):
        if self.step and np.frexp(self.step)[0] != 0.5:
            raise ValueError(f"variable {self.name}: expected a step that is a power of two, got {self.step}")
        if not 0 <= self.bits <= FLOAT32_BITS or (self.bits and self.step):
            raise ValueError(
                f"variable {self.name}: expected bits in 0..{FLOAT32_BITS} or a step, not both; "
                f"got bits {self.bits}, step {self.step}"
            )


def write_netcdf(
    path,
    dimensions: Mapping[str, int],
    variables: Sequence[NetcdfVariable],
    attributes: Mapping[str, object],
    level: int = LEVEL,
) -> pathlib.Path:
    """Write a netCDF-4 file whole or not at all.

    Args:
        path: of the file; its folder is made.
        dimensions: name -> length.
        variables: in the order of the file.
        attributes: the global ones.
        level: of zlib, 0 to 9; variables of two and more dimensions are shuffled and compressed.

    Raises:
        ValueError: values are not of the shape of their dimensions.
        OSError: the file cannot be written.
    """
    path = pathlib.Path(path)
    with written_atomically(path) as partial, netCDF4.Dataset(str(partial), "w", format="NETCDF4") as dataset:
        dataset.setncatts(dict(attributes))
        for name, length in dimensions.items():
            dataset.createDimension(name, length)
        for variable in variables:
            _write(dataset, variable, level, path)
    return path


def chunk_lengths(shape: Sequence[int], largest: int = CHUNK) -> tuple[int, ...]:
    """Chunk of each dimension: as many equal chunks as make each at most ``largest`` long; leading ones are 1 long.

    >>> chunk_lengths((1, 1597, 2345))
    (1, 400, 391)
    """
    last = len(shape) - 2
    return tuple(1 if i < last else -(-n // -(-n // largest)) for i, n in enumerate(shape))


def _write(dataset: netCDF4.Dataset, variable: NetcdfVariable, level: int, path: pathlib.Path) -> None:
    shape = tuple(len(dataset.dimensions[name]) for name in variable.dimensions)
    gridded = len(shape) >= 2
    options: dict[str, Any] = {}
    if gridded:
        chunks = variable.chunks or chunk_lengths(shape)
        options = {"zlib": level > 0, "complevel": level, "shuffle": True, "chunksizes": chunks}
        options["fill_value"] = fill_value(variable.dtype)
    target = dataset.createVariable(variable.name, variable.dtype, variable.dimensions, **options)
    target.set_auto_maskandscale(False)
    if gridded:
        # chunks are written once and whole: the library's 16 MB cache a variable would be 500 MB for a product
        target.set_var_chunk_cache(size=2 * CHUNK * CHUNK * target.dtype.itemsize)
    target.setncatts(dict(variable.attributes))
    if variable.valid is not None:
        target.setncattr("valid_range", np.asarray(variable.valid, dtype=variable.dtype))
    if variable.values is None:
        return
    if not gridded:
        target[...] = np.reshape(_checked(np.asarray(variable.values), shape, variable, path), shape)
        return
    leading = (0,) * (len(shape) - 2)
    step = chunk_lengths(shape)[-2]  # whole chunks, so that each is compressed once
    if callable(variable.values):
        values = variable.values
    else:
        whole = np.reshape(_checked(variable.values, shape, variable, path), shape[-2:])

        def values(rows: slice, columns: slice) -> np.ndarray:
            return whole[rows, columns]

    for start in range(0, shape[-2], step):
        rows = slice(start, min(start + step, shape[-2]))
        slab = _checked(values(rows, slice(0, shape[-1])), (rows.stop - rows.start, shape[-1]), variable, path)
        target[(*leading, rows)] = packed(slab, variable)


def _checked(values: np.ndarray, shape: tuple[int, ...], variable: NetcdfVariable, path: pathlib.Path) -> np.ndarray:
    left_out = max(0, len(shape) - np.ndim(values))
    if np.shape(values) != shape[left_out:] or any(length != 1 for length in shape[: max(left_out, len(shape) - 2)]):
        raise ValueError(
            f"{path}: variable {variable.name} ({', '.join(variable.dimensions)}): expected values of "
            f"shape {shape}, of which all but the last two are 1, got {np.shape(values)}"
        )
    return values


def fill_value(dtype: str) -> float | int:
    """What is written in place of NaN."""
    fill = netCDF4.default_fillvals[dtype]
    return float(fill) if dtype.startswith("f") else int(fill)


def packed(values: np.ndarray, variable: NetcdfVariable) -> np.ndarray:
    """Values as they are written: rounded as the variable's description demands, NaN replaced by the fill value.

    Args:
        values: any shape; whole numbers or NaN where the variable's type is an integer.
        variable: its ``dtype``, ``step``, ``bits`` and ``valid`` are used.
    """
    fill = fill_value(variable.dtype)
    if not variable.dtype.startswith("f"):
        return np.where(np.isnan(values), fill, values).astype(variable.dtype)
    values = values.astype(variable.dtype, copy=False)
    rounded = values
    if variable.step:
        rounded = np.rint(values * values.dtype.type(1.0 / variable.step)) * values.dtype.type(variable.step)
    elif variable.bits:
        mantissa, exponent = np.frexp(values)  # in [0.5, 1): the leading bit is not stored, so one more is kept
        rounded = np.ldexp(np.rint(np.ldexp(mantissa, variable.bits + 1)), exponent - variable.bits - 1)
    if rounded is not values and variable.valid is not None:
        # a valid value stays valid; one that was outside stays outside, where a reader can see it
        low, high = np.asarray(variable.valid, dtype=variable.dtype)
        rounded = np.clip(rounded, np.minimum(values, low), np.maximum(values, high))
    return np.where(np.isnan(rounded), values.dtype.type(fill), rounded)
