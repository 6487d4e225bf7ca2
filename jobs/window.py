"""The window of methods in time, for every verb: a warning where no method uses it, an error where one has none."""

import logging

from mlrtma_dist.config import ConfigError
from mlrtma_dist.parallel.communicator import is_first_started

log = logging.getLogger(__name__)
BY_WEIGHTS = ("vit", "vit_hybrid")  # weights of their own may take several reports of a station, of that window


def check_window(run, verb: str) -> None:
    """Warn where ``in_time_minutes`` of a run's cases has no effect, as no method of the run is one in time.

    Raises:
        ConfigError: method fourdvar without such a window.
    """
    cases = getattr(run, "cases", None)
    section = next((name for name in ("reports", "archive") if getattr(cases, name, None) is not None), None)
    if section is None:
        return
    from mlrtma_dist.methods.registry import IN_TIME  # here: other verbs need none of the methods

    names = _methods_of(run)
    if not (minutes := getattr(cases, section).in_time_minutes):
        if "fourdvar" in (names or ()):
            key = f"cases.{section}.in_time_minutes"
            raise ConfigError(f"{key}: method fourdvar needs a window of hours, got 0: --set {key}=210")
        return
    if names is None or set(names) & set(IN_TIME) or _may_take_several(run, names) or not is_first_started():
        return
    log.warning(
        "cases.%s.in_time_minutes: %g is without effect, as %s; the methods in time are %s. Name one of them, or leave"
        " the setting out; the window of all other methods is window_minutes",
        section,
        minutes,
        f"{', '.join(names)} {'is no method' if len(names) == 1 else 'are no methods'} in time"
        if names
        else f"mlrtma {verb} makes no analysis",
        ", ".join(IN_TIME),
    )


def _may_take_several(run, names: tuple[str, ...]) -> bool:
    """Whether a run names weights of its own of a method that may use the window (`settings.reports_per_station`)."""
    choices = getattr(run, "choices", ())
    own = [each.name for each in choices if each.checkpoint] or (names if getattr(run, "checkpoint", None) else ())
    return bool(set(own) & set(BY_WEIGHTS))


def _methods_of(run) -> tuple[str, ...] | None:
    """The methods that a run names, those that make labels included; None: it takes all that have what they need."""
    labels = run.cases.archive.labels if run.cases.archive is not None else None
    names = (labels.method,) if labels is not None and labels.method else ()
    if hasattr(run, "choices"):  # a cycle
        return (*names, *(each.name for each in run.choices), *run.compare)
    method = getattr(run, "method", ())
    if method == () and hasattr(run, "method"):
        return None
    return (*names, *((method,) if isinstance(method, str) else method))
