"""The network that is the model of method ``fourdvar``: of a run, and of the labels of its cases."""

from dataclasses import replace

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.crops import Crops
from mlrtma_dist.samples.gridded_cases import Labelled
from mlrtma_dist.samples.imaged import Imaged
from mlrtma_dist.weights.release import folder_of

FOURDVAR = "fourdvar"


def forecast_of(settings: FourDVarSettings, domain: Domain, where: str):
    """The network that is the model of method ``fourdvar`` on a domain (`weights.trained.TrainedMethod`).

    None: it has none. ``where``: the section.

    Raises:
        InputError: weights that cannot be used, or there are none.
    """
    if settings.model == "persistence":
        return None
    from mlrtma_dist.weights.trained import load_forecast  # here: it needs torch, whose import takes seconds

    folder = folder_of(settings.forecast, "lam", f"{where}.forecast")
    trained = load_forecast(folder, f"{where}.forecast")
    trained.settle(domain, f"{where}.forecast")
    return trained


def fourdvar_means(run, names: tuple[str, ...], domain: Domain) -> tuple[dict, dict]:
    """What `methods.means.Means` has of method ``fourdvar``, where a run uses it, and the weights of its model."""
    if FOURDVAR not in names:
        return {}, {}
    trained = forecast_of(run.fourdvar, domain, FOURDVAR)
    if trained is None:
        return {"fourdvar": run.fourdvar}, {}
    return {"fourdvar": run.fourdvar, "forecast": trained.method}, {FOURDVAR: trained}


def with_labels(cases: Cases) -> Cases:
    """The cases, with the network of their labels where these are made by 4D-Var."""
    if isinstance(cases, (Imaged, Crops, Labelled)):
        return replace(cases, source=with_labels(cases.source))
    if not isinstance(cases, ArchiveCases):
        return cases
    labels = cases.archive.labels
    if labels is None or labels.method != FOURDVAR:
        return cases
    trained = forecast_of(labels.fourdvar, cases.static.domain, "cases.archive.labels.fourdvar")
    return cases if trained is None else replace(cases, forecast=trained.method)
