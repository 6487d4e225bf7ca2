"""The registry: every method by name, what it needs, how it is built, and its words for people.

Adding a method is one file and one entry here (docs/adding_a_method.md). Networks import torch; their entries import
them only when they are built, so that a classical analysis needs no torch.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.classical import ClassicalMethod
from mlrtma_dist.methods.departure_kind import DepartureKind
from mlrtma_dist.methods.envar import ENVAR, HYBRID
from mlrtma_dist.methods.grid import GridMethod
from mlrtma_dist.methods.letkf import LETKF_KIND
from mlrtma_dist.methods.means import Means
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.oi import OI
from mlrtma_dist.methods.oi_time import OI_TIME
from mlrtma_dist.methods.plane import PlaneBackground
from mlrtma_dist.methods.reference import FIRST_GUESS, GAUSSIAN_WEIGHTS, NEAREST
from mlrtma_dist.methods.threedvar import THREEDVAR

if TYPE_CHECKING:  # it imports torch
    from mlrtma_dist.methods.learned import LearnedMethod


@dataclass(frozen=True)
class Entry:
    """One method of the registry.

    Attributes:
        words: what the method is, for people; short: the same for legends and narrow columns.
        needs: what it needs.
        build: makes the method.
        whole: whether it analyses the whole domain at once, so that a tile's part is cut from its answer.
        untrained: of a learned method: makes it with its first weights from its settings, for training.
        kind: of a departure method: how it is made for one variable.
        costly: whether it is used only where it is named.
        in_time: whether it uses every report of a window, at its own time.
    """

    words: str
    short: str
    needs: tuple[Need, ...]
    build: Callable[[Means], Method]
    whole: bool = False
    untrained: "Callable[[Mapping[str, object], str], LearnedMethod] | None" = None
    kind: DepartureKind | None = None
    costly: bool = False
    in_time: bool = False


def classical(kind: DepartureKind, words: str, short: str) -> Entry:
    """The entry of a departure method."""
    needs = (Need.FIRST_GUESS, Need.SETTINGS, *((Need.MEMBERS,) if kind.members else ()))
    make = lambda means: ClassicalMethod(kind, means.settings, means.hours)  # noqa: E731
    return Entry(words, short, needs, make, kind=kind, in_time=kind.in_time)


def _first_guess(means: Means) -> Method:
    if means.settings is None:
        return PlaneBackground()
    return ClassicalMethod(FIRST_GUESS, means.settings, means.hours)


def _exact_oi(means: Means) -> Method:
    from mlrtma_dist.methods import optimal

    world = means.world
    return optimal.as_method(
        optimal.OptimalAnalysis.interpolation(world.covariances[1], world.observation_error), world.variable
    )


def _exact_bayes(means: Means) -> Method:
    from mlrtma_dist.methods import optimal

    world = means.world
    return optimal.as_method(optimal.OptimalAnalysis.bayes(*world.covariances, world.observation_error), world.variable)


def _best_linear(means: Means) -> Method:
    from mlrtma_dist.methods import estimated

    return estimated.as_method(means.best_linear, "best_linear")


def _outer_loops(means: Means) -> Method:
    from mlrtma_dist.methods import estimated

    method = estimated.variational(means.training, means.world.indirect, means.best_linear)
    return estimated.as_method(method, "outer_loops")


def _pinn(means: Means) -> Method:
    from mlrtma_dist.methods.pinn import Pinn

    return Pinn(ClassicalMethod(OI_TIME, means.settings, means.hours), means.pinn)


def _fourdvar(means: Means) -> Method:
    from mlrtma_dist.methods.fourdvar_reports import ReportsFourDVar

    settings = means.fourdvar
    if settings.model == "lam" and means.forecast is None:
        raise InputError(
            "fourdvar.forecast: method fourdvar with model lam needs a network of method lam, got none: name the folder"
            " of a checkpoint, or set fourdvar.model=persistence"
        )
    forecast = means.forecast if settings.model == "lam" else None
    return ReportsFourDVar(ClassicalMethod(OI_TIME, means.settings, means.hours), settings, forecast)


def _drawing(name: str, means: Means) -> Method:
    method, about = means.trained[name], means.sampling.about
    base = None
    if method.settings.of_analysis and (about not in LEARNED or about in means.trained):
        base = METHODS[about].build(means)
    return method.drawing(means.sampling, base, getattr(means.world, "indirect", None))


def _untrained_on_fields(name: str, settings: Mapping[str, object], where: str) -> "LearnedMethod":
    from mlrtma_dist.methods import diffusion, lam, lam_diffusion, lam_one_pass, one_pass, unet

    builders = {"unet": unet.build_unet, "one_pass": one_pass.build_one_pass, "lam": lam.build_lam}
    of_members = {"lam_diffusion": lam_diffusion.build_lam_diffusion, "lam_one_pass": lam_one_pass.build_lam_one_pass}
    return (builders | of_members | {"diffusion": diffusion.build_diffusion})[name](settings, where)


def _untrained_vit(settings: Mapping[str, object], where: str, **own: object) -> "LearnedMethod":
    from mlrtma_dist.methods.vit import build_vit

    return build_vit(settings, where, **own)


def _learned(words: str, short: str, name: str, untrained=None, needs=(Need.CHECKPOINT,)) -> Entry:
    """The entry of a method that is its trained network."""
    untrained = untrained or partial(_untrained_on_fields, name)
    return Entry(words, short, needs, partial(_trained, name), untrained=untrained)


def _trained(name: str, means: Means) -> Method:
    method = means.trained[name]
    return method.sampled(means.sampling) if hasattr(method, "sampled") else method


FORECAST = partial(_learned, needs=(Need.STATES, Need.CHECKPOINT))
METHODS: dict[str, Entry] = {
    "first_guess": Entry(
        "the first guess, to which no report is added",
        "first guess",
        (Need.FIRST_GUESS,),
        _first_guess,
        kind=FIRST_GUESS,
    ),
    "nearest": classical(NEAREST, "the departure of the nearest station", "nearest station"),
    "gaussian_weights": classical(GAUSSIAN_WEIGHTS, "Gaussian-weighted mean of departures", "Gaussian weights"),
    "oi": classical(OI, "local optimal interpolation", "OI"),
    "oi_time": classical(OI_TIME, "optimal interpolation of a window of reports in place and time", "OI in time"),
    "threedvar": classical(THREEDVAR, "global 3D-Var in observation space", "3D-Var"),
    "pinn": Entry(
        "a physics-informed network of each window",
        *("PINN", (Need.FIRST_GUESS, Need.SETTINGS), _pinn),
        costly=True,
        in_time=True,
    ),
    "fourdvar": Entry(
        "4D-Var of a window of reports with a forecast emulator as the model",
        *("4D-Var", (Need.FIRST_GUESS, Need.SETTINGS, Need.FOURDVAR), _fourdvar),
        costly=True,
        in_time=True,
    ),
    "letkf": classical(LETKF_KIND, "local ensemble transform Kalman filter", "LETKF"),
    "envar": classical(ENVAR, "ensemble-variational analysis", "EnVar"),
    "hybrid": classical(HYBRID, "3D-Var with a hybrid covariance", "hybrid"),
    "grid": Entry(
        "gridded files as they are, interpolated with their height correction",
        *("gridded files", (Need.GRID,), lambda means: GridMethod(means.grid)),
    ),
    "exact_oi": Entry(
        "optimal interpolation with the exact background covariance",
        *("exact OI", (Need.FIRST_GUESS, Need.GAUSSIAN_PLANE), _exact_oi),
        whole=True,
    ),
    "exact_bayes": Entry(
        "the Bayes-optimal analysis, which no method can surpass",
        *("Bayes limit", (Need.FIRST_GUESS, Need.GAUSSIAN_PLANE), _exact_bayes),
        whole=True,
    ),
    "best_linear": Entry(
        "optimal interpolation with covariances estimated from training cases",
        *("best linear", (Need.TRAINING, Need.SHALLOW_PLANE), _best_linear),
        whole=True,
    ),
    "outer_loops": Entry(
        "3D-Var with outer loops, with covariances estimated from training cases",
        *("3D-Var, outer loops", (Need.TRAINING, Need.SHALLOW_PLANE), _outer_loops),
        whole=True,
    ),
    "unet": _learned("a trained convolutional U-net", "U-net", "unet"),
    "vit": _learned("a trained vision transformer on the reports alone", "vision transformer", "vit", _untrained_vit),
    "vit_hybrid": _learned(
        "the vision transformer with the analysis of 3D-Var as one more source",
        "transformer on 3D-Var",
        "vit_hybrid",
        partial(_untrained_vit, classical=True),
    ),
    "diffusion": Entry(
        "diffusion assimilation: samples of the posterior of a trained denoiser",
        "diffusion",
        (Need.CHECKPOINT,),
        partial(_drawing, "diffusion"),
        untrained=partial(_untrained_on_fields, "diffusion"),
    ),
    "one_pass": Entry(
        "one pass of a network that corrects members of interpolation",
        "one pass",
        (Need.FIRST_GUESS, Need.CHECKPOINT),
        partial(_drawing, "one_pass"),
        untrained=partial(_untrained_on_fields, "one_pass"),
    ),
    "lam": FORECAST("a trained forecast from the states before the case (ML-LAM)", "forecast emulator", "lam"),
    "lam_diffusion": FORECAST("members of a forecast (Diffusion-LAM)", "forecast by diffusion", "lam_diffusion"),
    "lam_one_pass": FORECAST("members of a forecast (CRPS-LAM)", "forecast by one pass", "lam_one_pass"),
}


def untrained(name: str, settings: Mapping[str, object], where: str) -> "LearnedMethod":
    """A learned method with its first weights.

    Args:
        name: of ``LEARNED``; settings: by key; where: for messages.

    Raises:
        InputError: no such learned method. ConfigError: settings that do not suit it.
    """
    build_untrained = METHODS[name].untrained if name in METHODS else None
    if build_untrained is None:
        raise InputError(f"{where}: expected a learned method of {', '.join(LEARNED)}, got {name!r}")
    return build_untrained(settings, where)


LEARNED = tuple(name for name, entry in METHODS.items() if entry.untrained)
IN_TIME = tuple(name for name, entry in METHODS.items() if entry.in_time)
OF_ENSEMBLES = tuple(name for name, entry in METHODS.items() if Need.MEMBERS in entry.needs)


def check_methods(names: Iterable[str], offered: Collection[Need]) -> None:
    """Check, before anything is computed, that methods are known and have what they need.

    Args:
        names: of ``METHODS``.
        offered: what the cases and the run provide.

    Raises:
        InputError: an unknown method, or one that lacks something; names the way out.
    """
    for name in names:
        check_name(name)
        for need in METHODS[name].needs:
            if need not in offered:
                suitable = [each for each, entry in METHODS.items() if set(entry.needs) <= set(offered)]
                raise InputError(
                    f"method {name} needs {need.value}; with what is provided the methods are"
                    f" {', '.join(suitable) or 'none'}"
                )


def check_name(name: str) -> None:
    """Raise InputError where no method of that name exists."""
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}: the methods are {', '.join(METHODS)}")


def build(names: Iterable[str], means: Means) -> dict[str, Method]:
    """Methods by name, which share what they are built from."""
    return {name: METHODS[name].build(means) for name in dict.fromkeys(names)}
