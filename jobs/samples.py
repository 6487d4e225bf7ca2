"""Make the cases that a method learns from, or is judged by, and write them into one HDF5 store.

    mlrtma samples configs/samples/exercise1.yaml
    mpiexec -n 4 mlrtma samples configs/samples/exercise1.yaml           # the same content, sooner
    mlrtma samples configs/samples/weather_toy.yaml                      # simulated weather on a domain of the earth

Writes the store and, beside it, the resolved configuration.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from jobs.command_line import parse
from jobs.progress import progress, silent
from mlrtma_dist import config
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.layout import EDGE
from mlrtma_dist.samples.sources import CasesSection, open_cases

OPTIONS = {"--output": ("output", "the store to write, an HDF5 file")}


@dataclass(frozen=True)
class Run:
    """One store.

    Attributes:
        cases: what is written (``samples.sources.CasesSection``).
        output: the file.
        settings: file of ``configs/methods`` with what quality control assumes, for sources of reports.
        variables: of the settings, for sources of reports; empty: all.
        edge: points on a side of a chunk.
        mesh: the ranks as (data, y, x); null: all on the data axis.
    """

    cases: CasesSection
    output: str
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    edge: int = EDGE
    mesh: Mesh | None = None

    def __post_init__(self):
        if self.edge < 1:
            raise ValueError(f"edge: expected >= 1, got {self.edge}")

    def open(self):
        """The source of the cases."""
        return open_cases(self.cases, assumptions(load_settings(self.settings, self.variables)))


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "samples", __doc__, arguments, OPTIONS)
    if run is not None and make(run):
        print(run.output)


def recipe_of(store: str, recipe: str | None) -> Run | None:
    """The run that makes a store which is missing; None where the store is there, or no configuration makes it."""
    if recipe is None or Path(store).exists():
        return None
    return replace(config.load(Run, config.find("samples", recipe)), output=store)


def ensure(store: str, recipe: str | None) -> None:
    """Make a store by a configuration of ``configs/samples`` (name or file) where it is missing. Collective."""
    if run := recipe_of(store, recipe):
        make(run)


def contents_of(stores: tuple[str, ...], recipe: str | None) -> Contents:
    """What the cases of stores hold, also where the first store has yet to be made."""
    from mlrtma_dist.samples.store import Store

    run = recipe_of(stores[0], recipe)
    return run.open().contents if run else Store(stores[0]).contents


def make(run: Run) -> bool:
    """Make the store; True on rank 0. Collective."""
    from mlrtma_dist.parallel.ranks import Ranks  # here: it needs torch, whose import takes seconds
    from mlrtma_dist.samples.build import build_store

    cases = run.open()
    content = config.to_yaml(replace(run, output="", mesh=None))  # neither place nor ranks decide what is in it
    with Ranks.start(run.mesh, device="cpu") as ranks:
        first, name = ranks.rank == 0, cases.contents.domain.name
        with progress("samples") if first else silent() as show:
            build_store(
                run.output,
                cases,
                ranks,
                edge=run.edge,
                notes={"made_by": content},
                progress=lambda share: show(name, share),
            )
        if first:
            write_text(Path(run.output).with_suffix(".yaml"), config.to_yaml(run))
    return first
