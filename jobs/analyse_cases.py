"""Analyse every case of a store; `mlrtma analyse` comes here where its configuration names samples.

    mlrtma analyse configs/inference/exercise1.yaml --checkpoint output/exercise1/unet/checkpoints/best
    mpiexec -n 4 mlrtma analyse configs/inference/exercise1.yaml          # the same file, sooner

Writes output/<domain>_<method>/<domain>_<method>.nc and config.yaml.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from jobs.case_inputs import TrainingSet, alignment, check_methods, load_learned, provenance, region_of, to_learn_from
from jobs.command_line import parse
from jobs.progress import progress
from jobs.samples import ensure
from mlrtma_dist import config
from mlrtma_dist.inference.case_methods import Given, prepare
from mlrtma_dist.inference.case_product import write_cases
from mlrtma_dist.inference.cases import Cases
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.store import Store


@dataclass(frozen=True)
class Run:
    """One analysis of all cases.

    Attributes:
        samples: the store; make_samples: configuration of ``mlrtma samples`` that makes it where it is missing.
        output: folder.
        method: of ``inference.case_methods.METHODS``.
        checkpoint: folder of a trained method; null where the method learns nothing.
        training: cases that classical methods learn covariances from, where there is no background; null: none.
        domain: name or YAML file; null: the name that the store says.
        mesh: the ranks as (data, y, x); null: all on the data axis.
        device: "auto", "cpu" or "cuda".
    """

    samples: str
    output: str
    method: str = "unet"
    checkpoint: str | None = None
    training: TrainingSet | None = None
    domain: str | None = None
    mesh: Mesh | None = None
    device: str = "auto"
    make_samples: str | None = None

    def __post_init__(self):
        check_methods((self.method,), self.checkpoint)


def main(arguments: list[str], options: dict[str, tuple[str, str]]) -> None:
    """Run the verb."""
    run = parse(Run, "analyse", __doc__, arguments, options)
    if run is not None and (product := make(run)):
        print(product)


def make(run: Run) -> Path | None:
    """Analyse and write; returns the product's path on rank 0. Collective."""
    ensure(run.samples, run.make_samples)
    store = Store(run.samples)
    domain, learned = region_of(store, run.domain), load_learned((run.method,), run.checkpoint, store)
    training, name = to_learn_from((run.method,), run.training, store), f"{domain.name}_{run.method}"
    folder, resolved = Path(run.output) / name, config.to_yaml(run)
    with Ranks.start(run.mesh, device=run.device) as world:
        cases = Cases.of(store, world, align=alignment(learned))
        analyse = prepare(run.method, cases, Given(learned and learned.to(world.device), training))
        first = world.rank == 0
        with progress(f"analyse {domain.name}") if first else nullcontext(lambda name, share: None) as show:
            product = write_cases(
                folder / f"{name}.nc",
                domain,
                cases,
                analyse,
                run.method,
                provenance(resolved, run.samples, learned),
                world.communicator,
                lambda share: show(run.method, share),
            )
        if first:
            write_text(folder / "config.yaml", resolved)
    return product if first else None
