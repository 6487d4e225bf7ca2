"""Product of many cases: the analyses of a store as one CF-1.11 netCDF-4 file, time by time, filled by all ranks.

Stored in pieces of one block of cases by one chunk of the store, which tiles and blocks never cut: no two ranks write
into one piece, and the pieces do not depend on the number of ranks.
"""

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

import mlrtma_dist
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.inference.case_methods import Analyse
from mlrtma_dist.inference.cases import BLOCK, Cases
from mlrtma_dist.inference.georeference import coordinates, links, time_coordinate
from mlrtma_dist.io.hdf5 import Slab, made_together
from mlrtma_dist.io.netcdf_slabs import fill
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf
from mlrtma_dist.names import VARIABLES


def write_cases(
    path,
    domain: Domain,
    cases: Cases,
    analyse: Analyse,
    method: str,
    provenance: Mapping[str, object],
    communicator,
    progress: Callable[[float], None] = lambda share: None,
) -> Path:
    """Analyse every case of a store; write analyses and backgrounds. Collective; a rank holds one block at a time.

    Args:
        path: of the file.
        domain: of the store.
        cases: of this rank; analyse: the method, made ready by `case_methods.prepare`; method: its name.
        provenance: further global attributes.
        communicator: mpi4py's, None alone.
        progress: called with the share that is done.

    Returns:
        The path.

    Raises:
        OSError: the file cannot be written.
    """
    layout, path = cases.store.layout, Path(path)
    said_by = {"analysis": analyse, "background": cases.background}
    rounds = -(-len(cases.store.time) // (BLOCK * cases.data_ranks))
    with made_together(path, communicator) as partial:
        if communicator is None or communicator.rank == 0:
            sizes = {"time": len(cases.store.time), "y": layout.shape[0], "x": layout.shape[1]}
            said = _attributes(domain, method, layout.backgrounds > 0) | dict(provenance)
            write_netcdf(partial, sizes, _variables(domain, cases), said)
        if communicator is not None:
            communicator.Barrier()
        for number, block in enumerate(cases.blocks(), 1):
            start, slabs = (block.start, cases.tile.box.y0, cases.tile.box.x0), []
            for kind in _kinds(cases):
                values = said_by[kind](block)
                slabs += [
                    Slab(f"{name}_{kind}", start, values[:, index])
                    for index, name in enumerate(layout.variables)
                    if len(block)
                ]
            fill(partial, slabs, communicator)
            progress(number / rounds)
    return path


def _kinds(cases: Cases) -> tuple[str, ...]:
    return ("analysis", "background") if cases.store.layout.backgrounds else ("analysis",)


def _variables(domain: Domain, cases: Cases) -> list[NetcdfVariable]:
    layout, place = cases.store.layout, links(domain)
    edges = tuple(min(layout.edge, size) for size in layout.shape)
    chunks = min(BLOCK, len(cases.store.time)), *edges
    made = [time_coordinate(cases.store.time), *coordinates(domain)]
    for name, unit in layout.unit_of.items():
        known = VARIABLES.get(name)  # the fields of a simulated plane are nobody's weather: no standard name
        meaning = {"standard_name": known.standard_name} if known and known.standard_name else {}
        words = {"long_name": known.long_name if known else name, "units": known.unit if known else unit, **place}
        for kind in _kinds(cases):
            attributes = meaning | words | {"long_name": f"{words['long_name']}, {kind}"}
            made.append(NetcdfVariable(f"{name}_{kind}", ("time", "y", "x"), None, attributes, chunks=chunks))
    return made


def _attributes(domain: Domain, method: str, backgrounds: bool) -> dict[str, object]:
    program = f"mlrtma_dist {mlrtma_dist.__version__}"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "Conventions": "CF-1.11",
        "title": f"Analyses of the cases of a store, {domain.title}",
        "source": f"observations {'and a background ' if backgrounds else ''}combined by {method} ({program})",
        "history": f"{now}: written by {program}",
        "domain": domain.name,
        "method": method,
    }
