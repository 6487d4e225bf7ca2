"""Means: what the methods of a run are built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.grid import GridFiles
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.settings import Classical


@dataclass(frozen=True)
class Means:
    """What methods are built from.

    Attributes:
        settings: what the classical methods assume of each variable.
        grid: gridded files that are an analysis themselves.
        trained: the trained methods by name, from their checkpoints (`weights.trained`).
        training: cases that covariances are estimated from (`methods.estimated.TrainingCases`).
        world: the simulated world that the cases come from; its statistics are known.
        sampling: how members are drawn by methods that draw them.
        pinn: how the networks of method ``pinn`` are fitted.
        fourdvar: how method ``fourdvar`` analyses; forecast: the network that is its model, of ``fourdvar.forecast``.
    """

    settings: Classical | None = None
    grid: GridFiles | None = None
    trained: Mapping[str, Any] = field(default_factory=dict)
    training: object | None = None
    world: object | None = None
    sampling: Sampling = Sampling()
    pinn: PinnSettings = PinnSettings()
    fourdvar: FourDVarSettings = FourDVarSettings()
    forecast: Any = None

    @cached_property
    def hours(self) -> HourSettings:
        """Settings scaled to the hour, shared by all methods of a run."""
        return HourSettings(self.settings)

    @cached_property
    def best_linear(self):
        """Optimal interpolation estimated from the training cases, once for all methods that begin with it."""
        from mlrtma_dist.methods import estimated

        return estimated.best_linear(self.training, self.world.indirect, self.world.shape)
