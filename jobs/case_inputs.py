"""What analyse and verify need of the cases of a store: methods, a checkpoint, a training set, the domain."""

import logging
from dataclasses import dataclass
from pathlib import Path

from jobs.inputs import origin
from jobs.samples import ensure
from mlrtma_dist import clock, config
from mlrtma_dist.grid.domain import Domain, load_domain
from mlrtma_dist.inference.case_methods import ESTIMATES, LEARNS, METHODS
from mlrtma_dist.inference.estimated import TrainingCases
from mlrtma_dist.inference.learned import Learned
from mlrtma_dist.samples.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSet:
    """The cases that a network was trained on, for methods that learn covariances from them.

    Attributes:
        samples: their store; make_samples: configuration of ``mlrtma samples`` that makes it where it is missing.
        before: cases from this date on are not used; null: all are.
    """

    samples: str
    make_samples: str | None = None
    before: str | None = None

    def __post_init__(self):
        if self.before is not None:
            clock.parse_time(self.before)


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


def to_learn_from(methods: tuple[str, ...], training: TrainingSet | None, store: Store) -> TrainingCases | None:
    """The training set, its store made where it is missing, if one of the methods needs it for a store. Collective."""
    if training is None or store.layout.backgrounds or not any(name in ESTIMATES for name in methods):
        return None
    ensure(training.samples, training.make_samples)
    return TrainingCases.before(Store(training.samples), clock.parse_time(training.before) if training.before else None)


def alignment(learned: Learned | None) -> int:
    """Multiples of points on which tiles may begin."""
    return learned.method.network.alignment if learned else 1


def provenance(resolved: str, samples: str, learned: Learned | None) -> dict[str, str | int]:
    """What a product of cases says of its making."""
    said = {**origin(resolved), "samples": Path(samples).name}
    if learned is None:
        return said
    manifest = learned.manifest
    return {
        **said,
        "checkpoint": str(learned.folder.resolve()),
        "checkpoint_step": manifest.state.step,
        "checkpoint_commit": manifest.run.commit,
    }
