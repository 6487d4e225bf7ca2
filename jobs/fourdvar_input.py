"""The network that is the model of method ``fourdvar``: of a run, and of the labels of its cases."""

from dataclasses import replace

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.crops import Crops
from mlrtma_dist.samples.imaged import Imaged
from mlrtma_dist.weights.release import released

FOURDVAR = "fourdvar"


def forecast_of(settings: FourDVarSettings, domain: Domain, where: str):
    """The network that is the model of method ``fourdvar`` on a domain; None: it has none. ``where``: the section.

    Raises:
        InputError: weights that cannot be used, or there are none.
    """
    if settings.model == "persistence":
        return None
    from mlrtma_dist.weights.trained import load_forecast  # here: it needs torch, whose import takes seconds

    folder = settings.forecast or released("lam")
    if folder is None:
        raise InputError(
            f"{where}.forecast: expected the folder of a checkpoint of method lam, whose weights do not come with the"
            f" software, got none: name one, or set {where}.model=persistence"
        )
    method = load_forecast(folder, f"{where}.forecast")
    method.settle(domain)
    return method


def fourdvar_means(run, names: tuple[str, ...], domain: Domain) -> dict:
    """What `methods.means.Means` has of method ``fourdvar``, where a run uses it."""
    if FOURDVAR not in names:
        return {}
    return {"fourdvar": run.fourdvar, "forecast": forecast_of(run.fourdvar, domain, FOURDVAR)}


def with_labels(cases: Cases) -> Cases:
    """The cases, with the network of their labels where these are made by 4D-Var."""
    if isinstance(cases, (Imaged, Crops)):
        return replace(cases, source=with_labels(cases.source))
    if not isinstance(cases, ArchiveCases):
        return cases
    labels = cases.archive.labels
    if labels is None or labels.method != FOURDVAR:
        return cases
    forecast = forecast_of(labels.fourdvar, cases.static.domain, "cases.archive.labels.fourdvar")
    return replace(cases, forecast=forecast)
