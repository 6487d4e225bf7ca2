"""Analyse every case of a store; `mlrtma analyse` comes here where its configuration names samples.

    mlrtma analyse configs/inference/exercise1.yaml --checkpoint output/exercise1/unet/checkpoints/best
    mpiexec -n 4 mlrtma analyse configs/inference/exercise1.yaml          # the same file, sooner

Writes output/<domain>_<method>/<domain>_<method>.nc and config.yaml.
"""

import logging
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from jobs.command_line import parse
from jobs.inputs import origin
from jobs.progress import progress
from jobs.samples import ensure
from mlrtma_dist import config
from mlrtma_dist.grid.domain import Domain, load_domain
from mlrtma_dist.inference.case_product import write_cases
from mlrtma_dist.inference.cases import LEARNS, METHODS, Cases, prepare
from mlrtma_dist.inference.learned import Learned
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.world import World
from mlrtma_dist.samples.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One analysis of all cases.

    Attributes:
        samples: the store; make_samples: configuration of ``mlrtma samples`` that makes it where it is missing.
        output: folder.
        method: of ``inference.cases.METHODS``.
        checkpoint: folder of a trained method; null where the method learns nothing.
        domain: name or YAML file; null: the name that the store says.
        mesh: the ranks as (data, y, x); null: all on the data axis.
        device: "auto", "cpu" or "cuda".
    """

    samples: str
    output: str
    method: str = "regression"
    checkpoint: str | None = None
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
    name = f"{domain.name}_{run.method}"
    folder, resolved = Path(run.output) / name, config.to_yaml(run)
    with World.start(run.mesh, device=run.device) as world:
        cases = Cases.of(store, world, align=alignment(learned))
        analyse = prepare(run.method, cases, learned and learned.to(world.device))
        first = world.rank == 0
        with progress(f"analyse {domain.name}") if first else nullcontext(lambda name, share: None) as show:
            product = write_cases(
                folder / f"{name}.nc", domain, cases, analyse, run.method, provenance(resolved, run.samples, learned),
                world.communicator, lambda share: show(run.method, share),
            )
        if first:
            write_text(folder / "config.yaml", resolved)
    return product if first else None


def check_methods(methods: tuple[str, ...], checkpoint: str | None) -> None:
    """Check what a run says of methods before anything is read.

    Raises:
        ValueError: an unknown method, or one that learns without a checkpoint.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        raise ValueError(f"method: of a store expected {', '.join(METHODS)}; got {', '.join(unknown) or 'none'}")
    learns = [name for name in methods if name in LEARNS]
    if learns and not checkpoint:
        raise ValueError(f"checkpoint: {learns[0]} needs one, e.g. --checkpoint DIR/checkpoints/best, got none")
    if checkpoint and not learns:
        log.warning("checkpoint: without effect, as %s learns nothing", ", ".join(methods))


def region_of(store: Store, name: str | None) -> Domain:
    """The domain of a store, under its own name or another one.

    Raises:
        ConfigError: there is none of that name, or it has other points.
    """
    domain = load_domain(name or store.layout.domain)
    if domain.shape != store.layout.shape:
        raise config.ConfigError(
            f"domain: {domain.name} has {domain.shape} points, the cases of {store.reader.path} {store.layout.shape}:"
            " name the domain they were made on with --set domain=FILE.yaml"
        )
    return domain


def load_learned(methods: tuple[str, ...], checkpoint: str | None, store: Store) -> Learned | None:
    """The trained method, if one of the methods needs it.

    Raises:
        CheckpointError: it cannot be used, or was trained on other fields than the store's.
    """
    if not any(name in LEARNS for name in methods):
        return None
    learned = Learned.load(checkpoint)
    learned.check(store)
    return learned


def alignment(learned: Learned | None) -> int:
    """Multiples of points on which tiles may begin."""
    return learned.method.network.alignment if learned else 1


def provenance(resolved: str, samples: str, learned: Learned | None) -> dict[str, str | int]:
    """What a product of cases says of its making."""
    said = {**origin(resolved), "samples": Path(samples).name}
    if learned is None:
        return said
    manifest = learned.manifest
    return {**said, "checkpoint": str(learned.folder.resolve()), "checkpoint_step": manifest.state.step,
            "checkpoint_commit": manifest.run.commit}
