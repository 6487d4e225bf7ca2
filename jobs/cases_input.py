"""The cases of a run, and what the classical methods assume of their variables."""

from collections.abc import Mapping

from jobs.fourdvar_input import with_labels
from mlrtma_dist.config import ConfigError
from mlrtma_dist.methods.case import Cases, Contents
from mlrtma_dist.methods.registry import LEARNED
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.samples.judgement import Judged
from mlrtma_dist.samples.limited import Limited
from mlrtma_dist.samples.sources import open_cases
from mlrtma_dist.samples.successive import Successive


def open_run(run, names: tuple[str, ...], opened=open_cases) -> tuple[Classical, Cases, Contents]:
    """Settings and cases of a run, limited to its variables, and the contents of the cases before that.

    A network reads the reports of all variables, whichever are analysed.

    Args:
        names: of the methods; empty: all that suit.
        opened: opens the cases of a section with what is assumed of their variables.

    Raises:
        ConfigError: none of the run's variables is among those of the cases.
    """
    settings = load_settings(run.settings, run.variables)
    networks = run.checkpoint or getattr(run, "incumbent", None) or any(name in LEARNED for name in names)
    limited = run.variables and (networks or run.cases.store is not None)  # whose reports of all variables are judged
    if limited:
        settings = load_settings(run.settings)
    cases = with_labels(opened(run.cases, assumptions(settings)))
    if cases.contents.domain.is_plane:
        return settings, cases, cases.contents
    present = tuple(name for name in cases.contents.variables if name in settings.variables)
    if run.variables and not set(run.variables) & set(present):
        got, has = ", ".join(run.variables), ", ".join(present)
        raise ConfigError(f"variables: expected some of the cases' own, {has}; got {got}")
    settings = settings.only(present)
    cases = Judged.over(cases, assumptions(settings))
    if limited:
        return settings.only(run.variables), Limited.to(run.variables, cases), cases.contents
    return settings, cases, cases.contents


def forecastable(cases: Cases, trained: Mapping, first: bool) -> Cases:
    """The cases of which the source has every state that trained methods (`weights.trained`) need; others are told.

    Args:
        trained: by name; first: whether this rank logs.

    Raises:
        InputError: there is none.
    """
    emulators = {name: each for name, each in trained.items() if each.method.lags}
    lags = sorted({lag for each in emulators.values() for lag in each.method.lags}, reverse=True)
    return Successive.of(cases, lags, f"method {', '.join(emulators)} on {cases.contents.domain.name}", first)
