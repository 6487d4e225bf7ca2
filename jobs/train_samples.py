"""The samples of a training before it starts: where their cases come from, and whether they suit the run."""

import logging
from collections.abc import Sequence

import numpy as np

from jobs.samples import recipe_of
from mlrtma_dist import clock
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.dataset import Dataset, check_equal, check_variants
from mlrtma_dist.samples.statistics import gather_statistics
from mlrtma_dist.samples.store import Store
from mlrtma_dist.training.order import split_by_date

log = logging.getLogger(__name__)


def domain_of(run) -> Domain:
    """The domain of a `jobs.train.Run`'s samples; where these have yet to be made it needs no data, nor terrain."""
    recipe = recipe_of(run.samples[0], run.make_samples)
    return recipe.cases.load_domain() if recipe else Store(run.samples[0]).domain


def check_samples(run, method) -> Domain:
    """The domain of a `jobs.train.Run`'s samples; a first store that is missing is judged by what it will be made of.

    Settings without effect are warned of.

    Raises:
        ConfigError: samples that do not suit the method, each other or ``variants``; none to train on or validate with.
    """
    recipe = recipe_of(run.samples[0], run.make_samples)
    stores = [Store(store) for store in (run.samples[1:] if recipe else run.samples)]
    sources = [recipe.open(), *stores] if recipe else stores
    contents = sources[0].contents
    method.settle(contents.domain)
    method.check(contents)
    held_out = [Store(store) for store in run.validation_samples]
    if stores or held_out:
        check_equal([*stores, *held_out])
    check_variants(run.variants, contents.domain, method.draws)
    since = clock.parse_time(run.validation_from) if run.validation_from else None
    if since is None and (run.gap_hours or (run.schedule.validate_every and not held_out)):
        log.warning("gap_hours and schedule.validate_every have no effect without validation_from")
    split_by_date(np.concatenate([source.time for source in sources]), since, run.gap_hours)
    return contents.domain


def divide(data: Dataset, since: np.datetime64 | None, gap_hours: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the cases shown to train on, and to validate with: those of stores of their own, else by date."""
    if data.held_out:
        return np.flatnonzero(~data.validates), np.flatnonzero(data.validates)
    return split_by_date(data.time, since, gap_hours)


def statistics_of(run, stores: Sequence[Store], tile: Tile, ranks: Ranks, since: np.datetime64 | None) -> Statistics:
    """Statistics of the cases that a `jobs.train.Run` trains on. Collective."""
    times = np.concatenate([store.time for store in stores[: len(run.samples)]])
    trained_on, _ = split_by_date(times, since, run.gap_hours)
    share = {"data_rank": ranks.coordinates[0], "data_ranks": ranks.mesh.data}
    return gather_statistics(stores, trained_on, tile, ranks.everyone(), **share)
