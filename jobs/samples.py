"""Make the cases that a method learns from, or is judged by, and write them into one HDF5 store.

    mlrtma samples configs/samples/exercise1.yaml
    mpiexec -n 4 mlrtma samples configs/samples/exercise1.yaml           # the same content, sooner
    mlrtma samples configs/samples/weather_toy.yaml                        # simulated weather on a domain of the earth

Writes the store and, beside it, the resolved configuration.
"""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.command_line import parse
from jobs.progress import progress
from mlrtma_dist import config
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import Case, build_store, cases_at_once
from mlrtma_dist.samples.store import EDGE, Layout
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather
from mlrtma_dist.simulation.worlds import WORLDS, cases_on, layout_on

OPTIONS = {"--output": ("output", "the store to write, an HDF5 file")}


@dataclass(frozen=True)
class Run:
    """One store.

    Attributes:
        output: the file.
        gaussian_plane, shallow_plane, simulated_weather: the world that the cases come from, one of them.
        domain: name or YAML file; a plane's size must be its world's.
        cases: how many.
        first: number of the first one; other numbers are other cases of the same world.
        edge: points on a side of a chunk.
        mesh: the ranks as (data, y, x); null: all on the data axis.
    """

    output: str
    gaussian_plane: GaussianPlane | None = None
    shallow_plane: ShallowPlane | None = None
    simulated_weather: SimulatedWeather | None = None
    domain: str = "plane"
    cases: int = 1024
    first: int = 0
    edge: int = EDGE
    mesh: Mesh | None = None

    def __post_init__(self):
        if self.cases < 1 or self.edge < 1 or self.first < 0:
            got = self.cases, self.edge, self.first
            raise ValueError(f"expected cases and edge from 1 and first from 0, got {got}")
        given = [name for name in WORLDS if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"expected one world of {', '.join(WORLDS)}, got {' and '.join(given) or 'none'}")

    @property
    def world(self) -> GaussianPlane | ShallowPlane | SimulatedWeather:
        """The one that the cases come from."""
        return self.gaussian_plane or self.shallow_plane or self.simulated_weather


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "samples", __doc__, arguments, OPTIONS)
    if run is not None and make(run):
        print(run.output)


def recipe_of(store: str, recipe: str | None) -> Run | None:
    """The run that makes a store which is missing; None where the store is there, or nobody says how to make it."""
    if recipe is None or Path(store).exists():
        return None
    return replace(config.load(Run, config.find("samples", recipe)), output=store)


def ensure(store: str, recipe: str | None) -> None:
    """Make a store by a configuration of ``configs/samples`` (name or file) where it is missing. Collective."""
    if run := recipe_of(store, recipe):
        make(run)


def layout_of(run: Run) -> Layout:
    """How the store of a run is laid out, before it is made."""
    return layout_on(run.world, load_domain(run.domain), run.edge)


def make(run: Run) -> bool:
    """Make the store; True on rank 0. Collective."""
    domain, layout = load_domain(run.domain), layout_of(run)
    cases = cases_on(run.world, domain)
    content = config.to_yaml(replace(run, output="", mesh=None))  # neither place nor ranks decide what is in it
    time = run.world.time(run.first + run.cases)[run.first :]

    def make_case(number: int, box) -> Case:
        return cases.make(run.first + number, box)

    with Ranks.start(run.mesh, device="cpu") as world:
        first = world.rank == 0
        with progress("samples") if first else nullcontext(lambda name, share: None) as show:
            build_store(
                run.output,
                layout,
                time,
                make_case,
                world,
                at_once=cases_at_once(layout),
                notes={"made_by": content},
                progress=lambda share: show(domain.name, share),
            )
        if first:
            write_text(Path(run.output).with_suffix(".yaml"), config.to_yaml(run))
    return first
