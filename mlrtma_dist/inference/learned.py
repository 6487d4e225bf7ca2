"""A learned method at work: out of a checkpoint, without DeepSpeed, on the tile that this rank owns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mlrtma_dist import config
from mlrtma_dist.methods.learned import LEARNED, build_method
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.statistics import Statistics
from mlrtma_dist.samples.store import Store
from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.manifest import CheckpointError, Manifest


@dataclass(frozen=True)
class Learned:
    """A trained method: all of it comes from the checkpoint.

    Attributes:
        folder: of the checkpoint; manifest: what it is.
        method: one of ``methods.learned.LEARNED``, with the trained weights (their average where there is one).
        statistics: of the fields it was trained on, the units in which its network sees them.
    """

    folder: Path
    manifest: Manifest
    method: object
    statistics: Statistics

    @classmethod
    def load(cls, folder) -> "Learned":
        """Read a checkpoint.

        Raises:
            CheckpointError: none, damaged, of another network, or of a method that this software does not know.
        """
        saved = Checkpoint(Path(folder))
        run = saved.manifest.run
        if run.method not in LEARNED:
            raise CheckpointError(f"{folder}: expected a checkpoint of {', '.join(LEARNED)}, got one of {run.method}.")
        settings = config.parse_yaml(run.config, f"{folder}: configuration").get("settings", {})
        method = build_method(run.method, settings, str(folder))
        saved.load_into(method.network)
        method.network.eval()
        return cls(saved.folder, saved.manifest, method, _statistics(run.statistics, folder))

    def to(self, device: torch.device) -> "Learned":
        """The same method, its network moved to a device."""
        self.method.network.to(device)
        return self

    def check(self, store: Store) -> None:
        """Raise CheckpointError unless the store's fields and observations are those that the method was trained on."""
        layout, known = store.layout, self.statistics
        if known.fields != layout.fields or (known.observed and known.observed != layout.observed):
            raise CheckpointError(
                f"{self.folder}: trained on the fields {', '.join(known.fields)} and observations of"
                f" {', '.join(known.observed) or 'them'}, but {store.reader.path} holds {', '.join(layout.fields)} and"
                f" {', '.join(layout.observed)}. Use a checkpoint that was trained on such a store."
            )

    def analyse(self, data: Dataset, cases: Sequence[int], neighbourhood: Neighbourhood, device) -> np.ndarray:
        """Analyses of some cases. Collective over the tiles of a case.

        Args:
            data: `dataset` of a store; cases: their numbers.

        Returns:
            Shape (case, variable, y, x) on the tile, SI, float32.
        """
        sample = data.batch(cases).to(device)
        said = self.method.analyse(sample, neighbourhood).cpu().numpy()
        targets = slice(-said.shape[1], None)
        mean, deviation = (
            np.array(part)[targets, None, None] for part in (self.statistics.mean, self.statistics.deviation)
        )
        return (said * deviation + mean).astype(np.float32)

    def dataset(self, store: Store, tile: Tile) -> Dataset:
        """The cases of a store on a tile, in the units of the method."""
        return Dataset(store, tile, self.statistics)


def _statistics(said: dict, folder) -> Statistics:
    try:
        return Statistics(**{name: tuple(value) if isinstance(value, list) else value for name, value in said.items()})
    except TypeError as error:
        raise CheckpointError(f"{folder}: its statistics are not those of this software: {error}.") from error
