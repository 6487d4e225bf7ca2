"""What analyse, verify and estimate share: the options of the section cases:, and the methods of a run made ready."""

import logging
from dataclasses import dataclass
from pathlib import Path

from jobs.cases_input import forecastable, open_run
from jobs.checkpoint_input import has_weights, load, load_incumbent
from jobs.fourdvar_input import fourdvar_means
from mlrtma_dist import clock
from mlrtma_dist.inference.distribution import check_limits
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.methods.grid import GridFiles
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.registry import LEARNED, METHODS, Means, build, check_methods, check_name
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.observations.indirect import VARIABLES as SHALLOW
from mlrtma_dist.samples.sources import open_cases
from mlrtma_dist.simulation.gaussian_plane import VARIABLE as FIELD

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A run made ready: the cases, the methods on them, what the classical methods assume, and the trained ones."""

    cases: Cases
    methods: dict[str, Method]
    settings: Classical
    trained: dict


def check_run(run, methods: tuple[str, ...]) -> None:
    """Check what a run's keys say of its methods before anything is read.

    Raises:
        InputError: an unknown method. ValueError: one without its ensemble or checkpoint; an unknown name of a limit.
    """
    if hasattr(run, "ensemble"):
        check_limits(run.ensemble, (FIELD, *SHALLOW))
    for name in methods:
        check_name(name)
        needs, reports = METHODS[name].needs, run.cases.reports
        if Need.MEMBERS in needs and not (reports and reports.ensemble):
            raise ValueError(f"method {name} needs {Need.MEMBERS.value}")
        if Need.GRID in needs and not _grid(run):
            raise ValueError(f"grid: method {name} needs {Need.GRID.value}, got none")
        if Need.CHECKPOINT in needs and not has_weights(run, name):
            raise ValueError(f"checkpoint: method {name} needs {Need.CHECKPOINT.value}, got none")
    if run.grid and methods and not any(Need.GRID in METHODS[name].needs for name in methods):
        log.warning("grid: without effect, as %s takes no gridded files for an answer", ", ".join(methods))
    if run.checkpoint and methods and not any(Need.CHECKPOINT in METHODS[name].needs for name in methods):
        log.warning("checkpoint: without effect, as %s learns nothing", ", ".join(methods))


def prepare(run, names: tuple[str, ...], ranks, opened=open_cases) -> Prepared:
    """Open the cases of a run and build its methods; empty ``names``: every method that has what it needs. Collective.

    Args:
        opened: opens the cases, see `cases_input.open_run`.

    Raises:
        ConfigError, InputError: a source or a method that cannot be used; says what is missing.
    """
    settings, cases, whole = open_run(run, names, lambda section, own: opened(section.listed(ranks.from_first), own))
    offered = _offered(run, cases, earth := not whole.domain.is_plane, names)
    chosen = tuple(dict.fromkeys(names)) or tuple(
        name for name, entry in METHODS.items() if set(entry.needs) <= offered and not entry.costly
    )
    check_methods(chosen, offered)
    trained = load(run, chosen, bool(names))
    incumbent = load_incumbent(getattr(run, "incumbent", None), ranks)
    names = tuple(name for name in chosen if name not in LEARNED or name in trained)
    learned, law = {name: each.method for name, each in trained.items()}, getattr(cases, "law", None)
    grid, pinn = _grid(run) if earth else None, getattr(run, "pinn", PinnSettings())
    own, model = fourdvar_means(run, names, whole.domain)
    means = Means(settings if earth else None, grid, learned, _training(run, names), law, run.diffusion, pinn, **own)
    in_use = {name: each.method for name, each in incumbent.items()}
    for name, each in (*trained.items(), *incumbent.items()):
        each.settle(whole.domain, f"method {name}")
        each.method.check_source(whole)
        if whole.truth:  # every field is scored
            each.method.check(whole)
        each.method.network.to(ranks.device)
    cases = forecastable(cases, trained | incumbent, ranks.rank == 0)
    return Prepared(cases, build(names, means) | in_use, settings, trained | incumbent | model)


def _grid(run) -> GridFiles | None:
    """The files of method grid: those of ``grid``, else the background."""
    reports = run.cases.reports
    paths = run.grid or (reports.background if reports else ())
    return GridFiles(paths, parse_codes(reports.codes if reports else {})) if paths else None


def make_stores(run) -> None:
    """Make the stores of a run that are missing and that a configuration makes. Collective, before ranks are joined."""
    for store in (each.store for each in (run.cases, run.training and run.training.cases) if each):
        if store and store.make is not None and not Path(store.file).exists():
            from jobs.samples import ensure  # here: it needs torch, whose import takes seconds

            ensure(store.file, store.make)


def _offered(run, cases: Cases, earth: bool, names: tuple[str, ...]) -> set[Need]:
    """What the cases and the run provide to methods; the background is a method's answer only where it is named."""
    reports, law = run.cases.reports, getattr(cases, "law", None)
    provided = {
        Need.SETTINGS: earth,
        Need.FIRST_GUESS: cases.contents.background or earth,
        Need.MEMBERS: bool(reports and reports.ensemble),
        Need.GRID: earth and bool(run.grid or (names and _grid(run))),
        Need.CHECKPOINT: bool(run.checkpoint) or any(name in LEARNED for name in names),  # they passed `check_run`
        Need.STATES: cases.contents.truth,
        Need.FOURDVAR: hasattr(run, "fourdvar"),
        Need.TRAINING: run.training is not None,
        Need.GAUSSIAN_PLANE: hasattr(law, "covariances"),
        Need.SHALLOW_PLANE: hasattr(law, "indirect") and cases.contents.domain.periodic,
    }
    return {need for need, is_provided in provided.items() if is_provided}


def _training(run, names: tuple[str, ...]):
    """The cases to estimate covariances from, if one of the methods needs them."""
    if not any(Need.TRAINING in METHODS[name].needs for name in names):
        return None
    from mlrtma_dist.methods.estimated import TrainingCases

    section = run.training
    return TrainingCases.before(open_cases(section.cases), clock.parse_time(section.before) if section.before else None)


def start_ranks(run, names: tuple[str, ...], one_case: bool = False):
    """The ranks of a run, as a context: with torch only where a method or a source needs it.

    Args:
        names: of the methods; one_case: without a mesh all ranks share each case, as tiles in y.
    """
    files = run.cases.reports is not None or run.cases.archive is not None
    if files and not any(METHODS[name].untrained for name in names):
        from mlrtma_dist.parallel.processes import Processes

        return Processes.start(run.mesh, in_tiles=one_case)
    from mlrtma_dist.parallel.ranks import Ranks  # here: it needs torch, whose import takes seconds

    return Ranks.start(run.mesh, device=run.device, in_tiles=one_case)
