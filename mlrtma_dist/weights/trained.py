"""A trained method: all of it comes from its checkpoint, without DeepSpeed."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.learned import LearnedMethod
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import LEARNED
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.weights.checkpoint import Checkpoint, give_weights
from mlrtma_dist.weights.digest import digest
from mlrtma_dist.weights.inheritance import method_name, method_of, whole_weights
from mlrtma_dist.weights.manifest import CheckpointError, Manifest
from mlrtma_dist.weights.release import place_of, released
from mlrtma_dist.weights.spacing import warn_of_spacing


@dataclass(frozen=True)
class TrainedMethod:
    """A method with trained weights.

    Attributes:
        folder: of the checkpoint, links followed; place: as it was named; manifest: what it is.
        name: of ``methods.registry.METHODS``.
        method: with the trained weights (their average where there is one) and the statistics of its training cases.
        checksum: of `weights.identity.weights_checksum`.
    """

    folder: Path
    place: str
    manifest: Manifest
    name: str
    method: LearnedMethod
    checksum: str

    def settle(self, domain: Domain, setting: str) -> None:
        """Take what depends on the grid from a domain; warn of a forecast emulator that was trained at another spacing.

        Args:
            setting: that names the weights, for the warning.
        """
        if self.method.lags:
            warn_of_spacing(self.manifest, self.place, domain, setting)
        self.method.settle(domain)


def load_trained(folder, place: str | None = None) -> TrainedMethod:
    """Read a checkpoint.

    Args:
        place: as it was named, for products; None: ``folder``, see `release.place_of`.

    Raises:
        CheckpointError: none, damaged, of another network, or of a method that this software does not have.
    """
    saved = Checkpoint(Path(folder).resolve())  # `current` may become another release's while files are read
    name, method, weights = method_name(saved), method_of(saved), whole_weights(saved)
    give_weights(method.network, weights, saved.folder)
    method.network.eval()
    run = saved.manifest.run
    method.statistics = _statistics(run.statistics, folder)
    place = place_of(folder) if place is None else place
    return TrainedMethod(saved.folder, place, saved.manifest, name, method, digest(run, weights, str(folder)))


def load_forecast(folder, where: str, methods: tuple[str, ...] = ("lam",)) -> TrainedMethod:
    """A forecast emulator of a checkpoint.

    Args:
        where: the setting that names it, for messages; methods: of which it may be.

    Raises:
        CheckpointError: see `load_trained`. InputError: it is of another method.
    """
    trained = load_trained(folder)
    if trained.name not in methods or not isinstance(trained.method, LamMethod):
        raise InputError(f"{where}: expected weights of method {' or '.join(methods)}, got {folder}, of {trained.name}")
    return trained


def load_released(names: Iterable[str], domain: Domain) -> dict[str, Method]:
    """The learned methods among ``names`` with the weights that come with them, for cases on a domain, by name."""
    methods: dict[str, Method] = {}
    for name in (each for each in names if each in LEARNED):
        trained = load_trained(released(name))
        trained.settle(domain, f"method {name}")
        methods[name] = trained.method
    return methods


def _statistics(recorded: dict, folder) -> Statistics:
    names = {each.name for each in fields(Statistics)}
    if not {"fields", "mean", "deviation", "cases", "start", "end"} <= set(recorded) <= names:
        raise CheckpointError(f"{folder}: its statistics are not those of this software: {', '.join(recorded)}.")
    values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in recorded.items()}
    return Statistics(**values)
