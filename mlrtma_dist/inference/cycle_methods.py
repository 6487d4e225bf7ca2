"""Methods of a cycle: a list in the order of preference, of which the first that can work analyses a slot."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.analyse import analyse
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.method import Answer, Method
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import LEARNED, METHODS, Means, build, check_name
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.weights.manifest import FILE, CheckpointError
from mlrtma_dist.weights.release import place_of, released

if TYPE_CHECKING:  # they import torch
    from mlrtma_dist.methods.learned import LearnedMethod
    from mlrtma_dist.weights.trained import TrainedMethod

log = logging.getLogger(__name__)
AS_DEFAULT = Sampling()
OFFERED = {Need.FIRST_GUESS, Need.SETTINGS, Need.CHECKPOINT}


@dataclass(frozen=True)
class Choice:
    """One method of the list.

    Attributes:
        name: of the registry.
        checkpoint: folder of a trained network, or a link to one, which is followed at the start of every slot; null:
            the weights that come with the method.
        least_reports: number of values that the case must have for an analysis; else the next method is taken.
        needs_background: whether it is passed over where there is no gridded background.
    """

    name: str
    checkpoint: str | None = None
    least_reports: int = 1
    needs_background: bool = False

    def __post_init__(self):
        check_name(self.name)
        lacking = set(METHODS[self.name].needs) - OFFERED
        if lacking:
            needs = "; ".join(need.value for need in METHODS[self.name].needs if need in lacking)
            raise ValueError(f"methods: {self.name} cannot work in a cycle, as it needs {needs}")
        if self.checkpoint is None and self.name in LEARNED and released(self.name) is None:
            raise ValueError(f"methods: {self.name}: checkpoint: expected the folder of a trained network, got none")
        if self.checkpoint is not None and self.name not in LEARNED:
            raise ValueError(f"methods: {self.name}: checkpoint: without effect, as the method learns nothing")
        if self.least_reports < 0:
            raise ValueError(f"methods: {self.name}: least_reports: expected >= 0, got {self.least_reports}")


class Weights:
    """The methods of a list, ready for any domain; weights are read again where their folder or its link changes."""

    def __init__(
        self,
        settings: Classical,
        device: str = "auto",
        sampling: Sampling = AS_DEFAULT,
        choice: Callable[[str], Choice] = Choice,
    ):
        """Args:
        settings: of the classical methods; device: of networks, "auto", "cpu" or "cuda".
        sampling: how methods that draw members do so.
        choice: the weights of a method about whose analyses members are drawn; default: those that come with it.
        """
        self._learned: dict[str, LearnedMethod] = {}
        self._means, self._device = Means(settings, trained=self._learned, sampling=sampling), device
        self._choice = choice
        self._classical: dict[str, Method] = {}
        self._trained: dict[Choice, tuple[tuple, TrainedMethod]] = {}

    def method(self, choice: Choice, contents: Contents) -> "tuple[Method, tuple[TrainedMethod, ...]]":
        """A method for the cases of a domain, and its weights where it has some: its own first.

        Raises:
            InputError: weights that are missing or damaged, or do not suit the cases.
        """
        if choice.name not in LEARNED:
            if choice.name not in self._classical:
                self._classical |= build((choice.name,), self._means)
            return self._classical[choice.name], ()
        networks: tuple[TrainedMethod, ...] = (self._current(choice),)
        for name in self._drawn_about(networks[0]):
            networks += self.method(self._choice(name), contents)[1]
        for trained in networks:
            trained.settle(contents.domain, f"method {trained.name}")
            trained.method.check_source(contents)
            self._learned[trained.name] = trained.method
        return build((choice.name,), self._means)[choice.name], networks

    def _drawn_about(self, trained: "TrainedMethod") -> tuple[str, ...]:
        """The learned methods about whose analyses a method draws its members."""
        needed = getattr(trained.method, "weights_needed", None)  # of methods that draw members
        return needed(self._means.sampling) if needed else ()

    def _current(self, choice: Choice) -> "TrainedMethod":
        place = choice.checkpoint or released(choice.name) or ""
        folder = Path(place).resolve()  # followed once: a link may change
        try:
            stat = (folder / FILE).stat()
        except OSError as error:
            raise CheckpointError(f"{folder}: expected a checkpoint with {FILE}: {error.strerror}") from error
        version = folder, stat.st_mtime_ns, stat.st_size
        if choice in self._trained and self._trained[choice][0] == version:
            return self._trained[choice][1]
        from mlrtma_dist.parallel.meeting import device_of  # here: they need torch, whose import takes seconds
        from mlrtma_dist.weights.trained import load_trained

        trained = load_trained(folder, place_of(place))
        if trained.name != choice.name:
            raise InputError(f"{folder}: expected weights of method {choice.name}, got those of {trained.name}")
        trained.method.network.to(device_of(self._device, 0))
        self._trained[choice] = version, trained
        log.info("%s: weights of %s", choice.name, folder)
        return trained


@dataclass(frozen=True)
class Attempt:
    """The analysis of a slot.

    Attributes:
        choice: the method that made it; method: ready for use.
        networks: its weights, and those of a method about whose analysis it drew members; none where it has none.
        analysis: what it gave; answer: evaluated at other points.
        passed_over: the methods before it in the list, and why they did not, a sentence each.
    """

    choice: Choice
    method: Method
    networks: "tuple[TrainedMethod, ...]"
    answer: Answer
    analysis: Analysis
    passed_over: tuple[str, ...]


@dataclass
class Fallbacks:
    """A list of methods at work on one slot after the other.

    Attributes:
        choices: in the order of preference; weights: of them.
        analyse: from case, answer and name to the analysis on the grid.
    """

    choices: Sequence[Choice]
    weights: Weights
    analyse: Callable[[Case, Answer, str], Analysis] = field(default=analyse)

    def make(
        self,
        case: Case,
        contents: Contents,
        cost: Callable[[str], float | None],
        left: Callable[[], float],
    ) -> Attempt:
        """Analyse a case by the first method that can; where only too slow ones remain, by the fastest of these.

        Args:
            case: judged reports and first guess; contents: of the cases.
            cost: seconds that a method takes; None: unknown, it is tried.
            left: seconds until the product is to be published.

        Raises:
            InputError: no method of the list can; says why of each.
        """
        passed: list[str] = []
        slow: list[tuple[float, Choice]] = []
        for choice in self.choices:
            reason = _unsuited(choice, case)
            expected, remaining = cost(choice.name), left()
            if not reason and expected is not None and expected > remaining:
                slow.append((expected, choice))
                reason = f"it takes {expected:.1f} s, and {max(remaining, 0.0):.1f} s are left until the deadline"
            attempt = reason or self._try(choice, case, contents, tuple(passed))
            if isinstance(attempt, Attempt):
                return attempt
            passed.append(f"{choice.name}: {attempt}")
        for _, choice in sorted(slow, key=lambda each: each[0]):
            attempt = self._try(choice, case, contents, (*passed, f"{choice.name} is the fastest that can work"))
            if isinstance(attempt, Attempt):
                return attempt
        raise InputError(f"no method can work: {'; '.join(passed)}")

    def _try(self, choice: Choice, case: Case, contents: Contents, passed: tuple[str, ...]) -> Attempt | str:
        """The analysis of one method, or why there is none."""
        try:
            method, networks = self.weights.method(choice, contents)
            answer = method.analyse(case)
            analysis = self.analyse(case, answer, choice.name)
        except InputError as error:
            return str(error)
        except Exception as error:  # whatever fails in one method, the slot is published by another
            log.exception("%s fails", choice.name)
            return f"it fails: {type(error).__name__}: {error}"
        broken = [name for name, values in analysis.values.items() if not np.isfinite(values).all()]
        if broken:
            return f"its analysis of {', '.join(broken)} has values that are not finite"
        return Attempt(choice, method, networks, answer, analysis, passed)


def _unsuited(choice: Choice, case: Case) -> str:
    """Why a method cannot work on a case, as far as that is known before; "" where it can."""
    used = int(np.count_nonzero(case.used))
    if used < choice.least_reports:
        return f"{used} values are used, least_reports is {choice.least_reports}"
    if choice.needs_background and not getattr(case.first_guess, "variables", ()):  # those that a file has
        return "there is no background"
    return ""
