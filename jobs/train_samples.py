"""The samples of a training before it starts: where their cases come from, and whether they suit the run."""

import logging

import numpy as np

from jobs.samples import Run as Recipe
from jobs.samples import recipe_of
from jobs.to_come import earlier_steps, maker_of
from mlrtma_dist import clock
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError
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


def _recipe(store: str) -> Recipe | None:
    """The run of an earlier step that will make a store; None: none does, or the store is there."""
    step = maker_of(store)
    return step.run(Recipe) if step is not None and step.verb == "samples" else None


def _source(store: str, recipe: Recipe | None):
    """A store, or the cases that it will be made of; None where those, too, have yet to be made."""
    if recipe is None:
        return Store(store)
    try:
        return recipe.open()
    except (InputError, ConfigError) as error:
        if not any(step.verb != "samples" for step in earlier_steps()):
            raise
        log.warning("%s is not looked at before it is made: %s", store, error)
        return None


def check_samples(run, method) -> Domain:
    """The domain of a `jobs.train.Run`'s samples; a store that is yet to be made is judged by what it will be made of.

    Settings without effect are warned of.

    Raises:
        ConfigError: samples that do not suit the method, each other or ``variants``; none to train on or validate with.
    """
    recipes = {store: _recipe(store) for store in (*run.samples, *run.validation_samples)}
    recipes[run.samples[0]] = recipes[run.samples[0]] or recipe_of(run.samples[0], run.make_samples)
    sources = {store: _source(store, recipe) for store, recipe in recipes.items()}
    first, recipe = sources[run.samples[0]], recipes[run.samples[0]]
    domain = recipe.cases.load_domain() if recipe else first.contents.domain
    method.settle(domain)
    if first:
        method.check(first.contents)
    present = [source for source in sources.values() if isinstance(source, Store)]
    if len(present) > 1:
        check_equal(present)
    check_variants(run.variants, domain, method.draws)
    since = clock.parse_time(run.validation_from) if run.validation_from else None
    if since is None and (run.gap_hours or (run.schedule.validate_every and not run.validation_samples)):
        log.warning("gap_hours and schedule.validate_every have no effect without validation_from")
    if all(sources[store] for store in run.samples):
        split_by_date(np.concatenate([sources[store].time for store in run.samples]), since, run.gap_hours)
    return domain


def divide(data: Dataset, since: np.datetime64 | None, gap_hours: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the cases shown to train on, and to validate with: those of stores of their own, else by date."""
    if data.held_out:
        return np.flatnonzero(~data.validates), np.flatnonzero(data.validates)
    return split_by_date(data.time, since, gap_hours)


def statistics_of(run, method, stores, tile: Tile, ranks: Ranks, since: np.datetime64 | None) -> Statistics:
    """Statistics of the cases that a `jobs.train.Run` trains on. Collective."""
    times = np.concatenate([store.time for store in stores[: len(run.samples)]])
    trained_on, _ = split_by_date(times, since, run.gap_hours)
    return gather_statistics(
        stores,
        trained_on,
        tile,
        ranks.everyone(),
        data_rank=ranks.coordinates[0],
        data_ranks=ranks.mesh.data,
        reports=method.reads_reports,
        constant=method.fields_read == 0,
        lag=method.lags[-1] if method.lags else None,
    )
