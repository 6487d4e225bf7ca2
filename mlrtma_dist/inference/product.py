"""Product: analyses of one domain as a CF-1.11 netCDF-4 file, of one time or of many (docs/product.md).

Every rank holds the fields of its box and writes the chunks of the file of which it holds most; no rank holds a field.
"""

import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.georeference import coordinates
from mlrtma_dist.inference.product_attributes import Record, check_provenance, global_attributes
from mlrtma_dist.inference.product_distribution import REALIZATION, distribution_coordinates, distribution_fields
from mlrtma_dist.inference.product_fields import (
    ProductField,
    analysis_fields,
    height_coordinates,
    static_fields,
)
from mlrtma_dist.inference.product_forecast import forecast_variable, time_coordinates
from mlrtma_dist.inference.product_probabilities import probability_fields
from mlrtma_dist.io.hdf5 import made_together
from mlrtma_dist.io.netcdf_slabs import Part, fill, set_attributes
from mlrtma_dist.io.netcdf_write import CHUNK, NetcdfVariable, chunk_lengths, write_netcdf

LONGEST_BLOCK = 16  # analyses that a rank holds before it writes them, where fields are small


def write_product(
    analysis: Analysis, directory, provenance: Mapping[str, str | int], communicator=None
) -> pathlib.Path:
    """Write one analysis to ``directory/<domain>_<time>.nc``, whole or not at all. Collective.

    Args:
        analysis: fields of this rank's box, SI; the boxes of all ranks together cover the domain.
        directory: made where it is missing.
        provenance: global attributes such as configuration (YAML text), commit, institution; they take the
            place of history, source, references and title where given.
        communicator: mpi4py's, None alone.

    Returns:
        The path of the file.

    Raises:
        InputError: a field is not of the box's shape, or a key of ``provenance`` is the product's own.
        OSError: the file cannot be written.
    """
    path = pathlib.Path(directory) / f"{analysis.static.domain.name}_{clock.compact(analysis.time)}.nc"
    return write_series([(0, analysis)], np.array([analysis.time]), path, provenance, communicator)


def write_series(
    analyses: Iterable[tuple[int, Analysis]],
    times: np.ndarray,
    path,
    provenance: Mapping[str, str | int],
    communicator=None,
) -> pathlib.Path:
    """Write the analyses of many times to one file, whole or not at all. Collective.

    A rank holds the analyses of one block of times at once: 16 where a field is small, one where it is large. Where
    ranks analyse different times, runs of 16 times per rank make the smallest file: then no chunk has two writers.

    Args:
        analyses: pairs of an index into ``times`` and the analysis of that time, fields on this rank's box. They may
            be computed one after the other. Ranks may have different times, and different numbers of them; together
            the boxes of a time cover the domain. Rank 0 has at least one.
        times: of all analyses, UTC, datetime64, shape (n,), the same on every rank.
        path: of the file; its folder is made.
        provenance, communicator: see `write_product`.

    Returns:
        The path.

    Raises:
        InputError: rank 0 has no analysis; else as `write_product`.
        OSError: the file cannot be written.
    """
    path, iterator, alone = pathlib.Path(path), iter(analyses), communicator is None
    first = next(iterator, None)
    if first is None and (alone or communicator.rank == 0):
        raise InputError(f"{path}: expected at least one analysis, got none")
    layout = None
    if first is not None:
        first[1].check_shapes()
        check_provenance(first[1].static.domain, provenance)
        layout = ProductLayout.of(first[1], len(times))
    with made_together(path, communicator) as unfinished:
        if layout is not None and (alone or communicator.rank == 0):
            layout.create(unfinished, times)
        if not alone:
            communicator.Barrier()
        fill(unfinished, layout.fixed_parts(first[1]) if layout and first else [], communicator)
        records = _write_times(unfinished, layout, itertools.chain([first] if first else [], iterator), communicator)
        if records and first is not None:
            set_attributes(unfinished, global_attributes(first[1], times, records, provenance))
    return path


def _write_times(path, layout: "ProductLayout | None", analyses: Iterator[tuple[int, Analysis]], communicator) -> dict:
    """Write the analyses block by block; returns the records of all times on rank 0, of none elsewhere."""
    records: dict[int, Record] = {}
    while True:
        block = list(itertools.islice(analyses, layout.block if layout else 1))
        if not (block if communicator is None else any(communicator.allgather(bool(block)))):
            break
        records |= {number: Record.of(analysis) for number, analysis in block}
        fill(path, [part for entry in block for part in layout.parts(*entry)] if layout else [], communicator)
    if communicator is None:
        return records
    gathered = communicator.gather(records)
    return dict(sorted((entry for each in gathered for entry in each.items()), key=itemgetter(0))) if gathered else {}


@dataclass(frozen=True)
class ProductLayout:
    """The variables of a file and how they are stored; the same for any number of ranks.

    Attributes:
        variables: all but the time, in the order of the file; those of two and more dimensions without values.
        fixed: fields without a time; timed: fields of every time.
        sizes: name of a dimension -> length.
        block: number of times in a chunk.
        start: when the forecast begins; None: the times are those of analyses.
    """

    variables: list[NetcdfVariable]
    fixed: list[ProductField]
    timed: list[ProductField]
    sizes: dict[str, int]
    block: int
    start: np.datetime64 | None = None

    @classmethod
    def of(cls, analysis: Analysis, times: int) -> "ProductLayout":
        """The layout of a file of so many times, of which this is one."""
        domain = analysis.static.domain
        edges = chunk_lengths(domain.shape)
        block = max(1, min(times, LONGEST_BLOCK, CHUNK * CHUNK // (edges[0] * edges[1])))
        places = coordinates(domain)
        degrees = [ProductField(v, _on_box(v.values)) for v in places if callable(v.values)]
        fixed = [each.chunked(edges) for each in (*degrees, *static_fields(analysis))]
        of_analysis = (*analysis_fields(analysis), *probability_fields(analysis), *distribution_fields(analysis))
        timed = [each.chunked((1, block, *edges)) for each in of_analysis]  # the first of them is of a member
        if analysis.start is not None:
            timed = [replace(each, variable=forecast_variable(each.variable)) for each in timed]
        empty = {each.variable.name: replace(each.variable, values=None) for each in (*fixed, *timed)}
        first = [empty.pop(each.name, each) for each in places]
        sizes = {"time": times, "y": domain.size.y, "x": domain.size.x}
        if analysis.distribution.members:
            sizes[REALIZATION] = analysis.distribution.count
        scalars = (*height_coordinates(analysis), *distribution_coordinates(analysis))
        return cls([*first, *scalars, *empty.values()], fixed, timed, sizes, block, analysis.start)

    def create(self, path, times: np.ndarray) -> None:
        """Make the file with all its variables, of which the fields are still missing."""
        write_netcdf(path, self.sizes, [*time_coordinates(times, self.start), *self.variables], {})

    def fixed_parts(self, analysis: Analysis) -> list[Part]:
        """This rank's parts of the fields without a time."""
        box = analysis.box
        return [Part(each.variable, (box.y0, box.x0), box.shape, partial(each.values, analysis)) for each in self.fixed]

    def parts(self, number: int, analysis: Analysis) -> list[Part]:
        """This rank's parts of the fields of one time."""
        analysis.check_shapes()
        box = analysis.box
        starts = {"time": number, "y": box.y0, "x": box.x0}
        lengths = {**self.sizes, "time": 1, "y": box.shape[0], "x": box.shape[1]}
        return [
            Part(
                each.variable,
                tuple(starts.get(name, 0) for name in each.variable.dimensions),
                tuple(lengths[name] for name in each.variable.dimensions),
                partial(_of_one_time, each, analysis),
            )
            for each in self.timed
        ]


def _of_one_time(field: ProductField, analysis: Analysis, index: tuple[slice, ...]) -> np.ndarray:
    time = field.variable.dimensions.index("time")
    return np.expand_dims(field.values(analysis, index[:time] + index[time + 1 :]), time)


def _on_box(values: Callable[[slice, slice], np.ndarray]) -> Callable:
    """A function of rows and columns of the domain as one of an analysis and an index within its box."""

    def on_box(analysis: Analysis, index: tuple[slice, slice]) -> np.ndarray:
        rows, columns = index
        y0, x0 = analysis.box.y0, analysis.box.x0
        return values(slice(y0 + rows.start, y0 + rows.stop), slice(x0 + columns.start, x0 + columns.stop))

    return on_box
