"""Join netCDF-4 files along one dimension, each value as it is stored, into one file that appears whole."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import written_atomically

FILL = "_FillValue"


def join(paths: Sequence[Path], path: Path, dimension: str, attributes: Mapping[str, str]) -> Path:
    """Write the files one after the other along a dimension; what does not have it is that of the first file.

    Args:
        paths: of files of equal variables, one or more, in order; path: of the file to write; its folder is made.
        dimension: its name; attributes: global ones, beside those that all files have alike.

    Raises:
        InputError: a file that cannot be read, or has other variables, sizes or attributes of these than the first.
        OSError: the file cannot be written.
    """
    lengths = [_length(each, dimension) for each in paths]
    with written_atomically(path) as partial, netCDF4.Dataset(str(partial), "w", format="NETCDF4") as target:
        common: dict[str, object] = {}
        start = 0
        for number, (source_path, length) in enumerate(zip(paths, lengths, strict=True)):
            with _opened(source_path) as source:
                own = {name: source.getncattr(name) for name in source.ncattrs()}
                if number == 0:
                    _create(target, source, dimension, sum(lengths), source_path)
                    common, layout = own, _layout(source, dimension)
                elif _layout(source, dimension) != layout:
                    raise InputError(f"{source_path}: expected the variables of {paths[0]}, to be joined with it")
                common = {name: value for name, value in common.items() if str(own.get(name)) == str(value)}
                for name, variable in source.variables.items():
                    if dimension in variable.dimensions:
                        place = (slice(None),) * variable.dimensions.index(dimension)
                        target[name][(*place, slice(start, start + length))] = _values(variable, source_path)
            start += length
        target.setncatts({**common, **attributes})
    return Path(path)


def attribute_of(path: Path, name: str) -> str:
    """A global attribute of a file as text; "" where it has none, or no such file can be read."""
    try:
        with netCDF4.Dataset(str(path)) as file:
            return str(getattr(file, name, ""))
    except OSError:
        return ""


def _opened(path: Path) -> netCDF4.Dataset:
    try:
        dataset = netCDF4.Dataset(str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    dataset.set_auto_maskandscale(False)
    return dataset


def _length(path: Path, dimension: str) -> int:
    with _opened(path) as source:
        if dimension not in source.dimensions:
            raise InputError(f"{path}: expected the dimension {dimension}, to be joined along it")
        return len(source.dimensions[dimension])


def _layout(source: netCDF4.Dataset, dimension: str) -> dict[str, tuple]:
    """What files must have alike: kind, dimensions, sizes but that of the joined one, and attributes of variables."""
    sizes = {name: None if name == dimension else len(each) for name, each in source.dimensions.items()}
    layout = {}
    for name, each in source.variables.items():
        attributes = {key: str(each.getncattr(key)) for key in each.ncattrs()}
        layout[name] = str(each.dtype), [(d, sizes[d]) for d in each.dimensions], attributes
    return layout


def _values(variable: netCDF4.Variable, path: Path) -> np.ndarray:
    try:
        return variable[...]
    except (OSError, RuntimeError) as error:  # of HDF5, where a block is damaged
        raise InputError(f"{path}: {variable.name} cannot be read, the file is damaged: {error}") from error


def _create(target: netCDF4.Dataset, source: netCDF4.Dataset, dimension: str, length: int, path: Path) -> None:
    """Dimensions and variables as in a file, with the values of those that are not joined."""
    for name, size in source.dimensions.items():
        target.createDimension(name, length if name == dimension else len(size))
    for name, each in source.variables.items():
        options: dict[str, Any] = {}
        filters, chunks = each.filters() or {}, each.chunking()
        if isinstance(chunks, list):
            fitting = [min(c, len(target.dimensions[d])) for c, d in zip(chunks, each.dimensions, strict=True)]
            options = {"chunksizes": fitting, "complevel": filters.get("complevel") or 1}
            options |= {key: filters.get(key, False) for key in ("zlib", "shuffle")}
        fill = each.getncattr(FILL) if FILL in each.ncattrs() else None
        variable = target.createVariable(name, each.dtype, each.dimensions, fill_value=fill, **options)
        variable.set_auto_maskandscale(False)
        variable.setncatts({key: each.getncattr(key) for key in each.ncattrs() if key != FILL})
        if dimension not in each.dimensions:
            variable[...] = _values(each, path)
