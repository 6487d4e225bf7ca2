"""The members of an ensemble in a netCDF file: variables may have a dimension along which the members lie.

CF names its coordinate ``realization``; a dimension without that standard name counts by its own name.
"""

import re

import netCDF4
import numpy as np

from mlrtma_dist.io.netcdf_grid import NetcdfError

_NAME = re.compile(r"(ensemble[_ ]?)?(members?|realizations?|number|ens)|ensemble", re.IGNORECASE)


def member_dimension(dataset, variable) -> str | None:
    """The dimension of a variable over (..., y, x) along which there are two members or more; None: there is none."""
    lengths = dict(zip(variable.dimensions[:-2], variable.shape[:-2], strict=True))
    return next((d for d, length in lengths.items() if length > 1 and _is_of_members(dataset, d)), None)


def _is_of_members(dataset, dimension: str) -> bool:
    standard = getattr(dataset.variables.get(dimension), "standard_name", "")
    return standard == "realization" or (not standard and _NAME.fullmatch(dimension) is not None)


def member_names(path) -> tuple[str, ...]:
    """The members in a netCDF file, by their coordinate or else numbered from 0; () where the file has none.

    Raises:
        NetcdfError: the file cannot be opened, or its variables have members along several dimensions.
    """
    try:
        with netCDF4.Dataset(str(path)) as dataset:
            fields = [each for each in dataset.variables.values() if each.ndim > 2]
            dimensions = {key for each in fields if (key := member_dimension(dataset, each)) is not None}
            if len(dimensions) > 1:
                raise NetcdfError(f"{path}: expected one dimension of members, got {', '.join(sorted(dimensions))}")
            return tuple(name for each in dimensions for name in _names(dataset, each))
    except NetcdfError:
        raise
    except (OSError, RuntimeError) as error:
        raise NetcdfError(f"{path}: cannot be read as netCDF: {error}") from error


def _names(dataset, dimension: str) -> list[str]:
    axis = dataset.variables.get(dimension)
    if axis is None or axis.ndim != 1:
        return [str(number) for number in range(len(dataset.dimensions[dimension]))]
    return [str(each) for each in np.ma.asarray(axis[:]).tolist()]
