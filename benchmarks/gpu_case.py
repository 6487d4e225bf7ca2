"""What the parts of `gpu_acceptance.py` share: a method as shipped, and its cases; no benchmark itself."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.registry import untrained
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.statistics import gather_statistics
from mlrtma_dist.samples.store import Store

CASES, BATCH = 32, 4  # enough to see losses fall; the sizes that time depends on are those of the shipped configuration


@dataclass(frozen=True)
class Shipped:
    """A learned method as a training configuration of this project has it, on simulated cases."""

    name: str
    settings: dict
    cases: CasesSection

    @classmethod
    def of(cls, name: str) -> "Shipped":
        """The first shipped training of a method whose cases need no files.

        Raises:
            InputError: there is none.
        """
        for path in sorted((config.configs_root() / "training").glob("*.yaml")):
            run = config.load_yaml(path)
            if run.get("method", "unet") != name or not run.get("make_samples"):
                continue
            recipe = config.load_yaml(config.find("samples", run["make_samples"]))
            section = config.build(CasesSection, recipe["cases"], str(path))
            if section.world is not None:
                return cls(name, run.get("settings", {}), replace(section, count=CASES))
        raise InputError(f"method {name}: no configuration of configs/training trains it on simulated cases")

    def method(self):
        """The method with its first weights, the same each time, on the domain of the cases."""
        method = untrained(self.name, self.settings, "gpu_acceptance")
        method.settle(self.cases.load_domain())
        return method

    def store(self, folder: Path, world: Ranks) -> Store:
        """Its cases, made where they are missing. Collective."""
        path = folder / f"{self.name}.h5"
        if not world.from_first(path.exists):
            build_store(path, open_cases(self.cases), world)
        return Store(path)


def dataset(shipped: Shipped, method, folder: Path, world: Ranks) -> tuple[Dataset, Tile]:
    """The cases as samples of a method, which is given their statistics. Collective."""
    store = shipped.store(folder, world)
    tile = world.tile_of(store.contents.domain, method.alignment)
    method.statistics = gather_statistics([store], np.arange(len(store.time)), tile, world.everyone())
    return Dataset((store,), tile, method), tile
