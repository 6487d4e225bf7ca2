"""Make the cases that a method learns from, or is judged by, and write them into one HDF5 store.

    mlrtma samples configs/samples/exercise1.yaml
    mpiexec -n 4 mlrtma samples configs/samples/exercise1.yaml           # the same content, sooner
    mlrtma samples configs/samples/weather_toy.yaml                      # simulated weather on a domain of the earth
    mlrtma samples configs/samples/archive_sao.yaml                      # hours of an archive of real files
    mlrtma samples configs/samples/archive_sao.yaml --parts 10 --part 3  # the fourth tenth of the times, ..._part003.h5

Writes the store and, beside it, the resolved configuration, a summary and, of an archive, the list of missing files.
A part whose store is whole, of the same configuration and domain, is not made again: an array of jobs can simply be run
again.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.command_line import parse
from jobs.fourdvar_input import with_labels
from jobs.progress import progress, silent
from mlrtma_dist import config
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.io.hdf5 import Reader
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.archive import Inventory, inventory_of_part
from mlrtma_dist.samples.layout import EDGE
from mlrtma_dist.samples.sources import CasesSection, open_cases

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One store.

    Attributes:
        cases: what is written: a domain and a source of cases (``samples.sources.CasesSection``).
        output: the store to write, an HDF5 file.
        settings: file of ``configs/methods`` with what quality control assumes, for sources of reports.
        variables: of the settings, for sources of reports; empty: all.
        edge: number of points on a side of a chunk.
        mesh: the ranks as (data, y, x); null: all on the data axis.
        parts: number of contiguous shares of an archive's times, each its own store.
        part: number of the one to make, from 0.
    """

    cases: CasesSection
    output: str
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    edge: int = EDGE
    mesh: Mesh | None = None
    parts: int = 1
    part: int = 0

    def __post_init__(self):
        if self.edge < 1:
            raise ValueError(f"edge: expected >= 1, got {self.edge}")
        if not 0 <= self.part < self.parts:
            raise ValueError(f"part: expected from 0 to below parts, got part {self.part} of parts {self.parts}")
        if self.parts > 1 and self.cases.archive is None:
            raise ValueError(f"parts: expected 1, as only archives are divided, got {self.parts}")

    @property
    def store(self) -> Path:
        """The file of this part: ``output`` itself, or of several parts ``..._part003.h5``."""
        path = Path(self.output)
        return path if self.parts == 1 else path.with_name(f"{path.stem}_part{self.part:03d}{path.suffix}")

    def inventory(self) -> Inventory | None:
        """The files of this part of an archive; None: the cases are not those of an archive."""
        archive = self.cases.archive
        return inventory_of_part(archive, self.part, self.parts) if archive else None

    def open(self, files: Inventory | None = None):
        """The source of the cases; ``files``: of an archive, None: all that it has."""
        return with_labels(open_cases(self.cases, assumptions(load_settings(self.settings, self.variables)), files))


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "samples", __doc__, arguments)
    if run is not None and make(run):
        print(run.store)


def recipe_of(store: str, recipe: str | None) -> Run | None:
    """The run that makes a store which is missing; None where the store is there, or no configuration makes it."""
    if recipe is None or Path(store).exists():
        return None
    return replace(config.load(Run, config.find("samples", recipe)), output=store)


def ensure(store: str, recipe: str | None) -> None:
    """Make a store by a configuration of ``configs/samples`` (name or file) where it is missing. Collective."""
    if run := recipe_of(store, recipe):
        make(run)


def make(run: Run) -> bool:
    """Make the store; True on rank 0. Collective."""
    from mlrtma_dist.parallel.ranks import Ranks  # here: it needs torch, whose import takes seconds
    from mlrtma_dist.samples.build import build_store

    content = config.portable(
        config.to_yaml(replace(run, output="", mesh=None))
    )  # neither place nor ranks decide what is in it
    grids = grids_of(run)
    with Ranks.start(run.mesh, device="cpu") as ranks:
        first = ranks.rank == 0
        if run.cases.archive is not None and ranks.from_first(lambda: is_whole(run.store, content, grids)):
            return first
        files = ranks.from_first(run.inventory)  # by one rank: what each would see may differ while files arrive
        if first and files is not None:
            write_text(run.store.with_suffix(".missing.txt"), files.text())
        if files is not None and not files.cases and run.parts > 1:
            log.warning("part %d of %d has no case: no store is written", run.part, run.parts)
            return False
        cases = replace(run, cases=run.cases.listed(ranks.from_first)).open(files)
        with progress("samples") if first else silent() as show:
            summary = build_store(
                run.store,
                cases,
                ranks,
                edge=run.edge,
                notes={"made_by": content, "grids": grids},
                progress=lambda share: show("cases", share),
            )
        if first:
            write_text(run.store.with_suffix(".yaml"), config.to_yaml(run))
            write_text(run.store.with_suffix(".summary.yaml"), summary.text())
    return first


def grids_of(run: Run) -> str:
    """The grids and grounds of the domains of a run, as their files have them now: YAML without titles and notes."""
    grids = (replace(load_domain(name), title="", note="") for name in run.cases.domain)
    return "".join(config.portable(config.to_yaml(grid)) for grid in grids)


def is_whole(path: Path, content: str, grids: str) -> bool:
    """Whether a store is there and was made by a configuration on these domains; it gets its name when it is whole."""
    if not path.is_file():
        return False
    with Reader(path) as reader:
        attributes = reader.attributes  # of older stores without "grids"
        return attributes.get("made_by") == content and attributes.get("grids", grids) == grids
