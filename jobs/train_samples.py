"""The samples of a training before it starts: where their cases come from, and whether they suit the run."""

import logging

import numpy as np

from jobs.samples import recipe_of
from mlrtma_dist import clock
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.samples.dataset import check_equal, check_variants
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
    method.check(contents)
    if stores:
        check_equal(stores)
    check_variants(run.variants, contents.domain)
    since = clock.parse_time(run.validation_from) if run.validation_from else None
    if since is None and (run.gap_hours or run.schedule.validate_every):
        log.warning("gap_hours and schedule.validate_every have no effect without validation_from")
    split_by_date(np.concatenate([source.time for source in sources]), since, run.gap_hours)
    return contents.domain
