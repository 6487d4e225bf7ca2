"""Backgrounds of a cycle: the analysis of an earlier slot as it is, or carried to the slot by a network's forecast.

analyses of T - k s and T - (k + 1) s --(k steps of s minutes)--> fields of T --> forecast_from_<time>.nc
"""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.cycle_clock import minutes
from mlrtma_dist.inference.cycle_publications import Publications
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.observations.own_influence import influence_path
from mlrtma_dist.samples.states import StateCases, States

if TYPE_CHECKING:  # it imports torch
    from mlrtma_dist.methods.lam import LamMethod

log = logging.getLogger(__name__)
OLDEST = minutes(60)  # the oldest analysis that is a background as it is: older ones are worse than none
FARTHEST = minutes(180)  # as far ahead a network carries one
PREFIX = "forecast_from_"  # of the one file that is kept: a product names it


@dataclass
class Backgrounds:
    """The backgrounds of one domain's slots.

    Attributes:
        publications: the analyses; every: time between two slots.
        static: the domain and its terrain.
        device: of the network, "auto", "cpu" or "cuda".
        checkpoint: folder of a network that forecasts, read at the first slot that needs it; "": an earlier analysis
            as it is.
    """

    publications: Publications
    every: np.timedelta64
    static: Static
    checkpoint: str = ""
    device: str = "auto"
    _method: "LamMethod | None" = field(default=None, repr=False)

    def of(self, time: np.datetime64) -> str:
        """A gridded file that is the background of a slot; "": there is none."""
        if self.checkpoint:
            try:
                carried = self._forecast(time)
            except InputError as error:
                log.warning("%s: no forecast, the previous analysis is the background: %s", time, error)
                carried = ""
            except Exception:  # whatever fails in the network, the slot has another background
                log.exception("%s: the forecast fails, the previous analysis is the background", time)
                carried = ""
            if carried:
                return carried
        newest = (time - number * self.every for number in range(1, int(OLDEST // self.every) + 1))
        return next((str(self.publications.path(each)) for each in newest if self.publications.exists(each)), "")

    def _forecast(self, time: np.datetime64) -> str:
        """A file of the forecast of a slot from the newest two analyses a step apart; "": there are none.

        Raises:
            InputError: weights or analyses that cannot be used, or a forecast that is not finite.
            OSError: the file cannot be written.
        """
        method = self._ready()
        if method.step > FARTHEST or method.step % self.every:
            raise InputError(
                f"forecast: {self.checkpoint}: expected a step that is a multiple of the {self.every} between slots and"
                f" at most {FARTHEST}, got {method.step}: name another network, or set every_minutes of the archive"
            )
        for ahead in range(1, int(FARTHEST // method.step) + 1):
            times = [time - (ahead + 1) * method.step, time - ahead * method.step]
            if all(map(self.publications.exists, times)):
                break
        else:
            return ""
        files = tuple(str(self.publications.path(each)) for each in times)
        section = States(files, tuple(map(str, times)), variables=method.variables)
        case = StateCases(section, self.static, files).case(1, Box.whole(self.static.domain.shape))
        *_, last = method.forecast(case, ahead)
        start = clock.compact(times[-1])
        broken = [name for name, values in last.items() if not np.isfinite(values).all()]
        if broken:
            raise InputError(f"the forecast from {start} of {', '.join(broken)} has values that are not finite")
        state = State(self.static.domain, time, last, self.static.terrain, f"forecast from the analysis of {start}")
        path = write_state(self.publications.folder / f"{PREFIX}{start}.nc", state)
        kept, of_start = {path}, influence_path(self.publications.path(times[-1]))
        if of_start.is_file():  # a forecast of an hour or two still has most of what stations have put into its start
            write_text(influence_path(path), of_start.read_text(encoding="utf-8", errors="replace"))
            kept.add(influence_path(path))
        for older in set(path.parent.glob(f"{PREFIX}*")) - kept:
            older.unlink(missing_ok=True)
        return str(path)

    def _ready(self) -> "LamMethod":
        if self._method is None:
            from mlrtma_dist.parallel.meeting import device_of  # here: they need torch, whose import takes seconds
            from mlrtma_dist.weights.trained import load_forecast

            trained = load_forecast(self.checkpoint, "forecast", ("lam", "lam_diffusion", "lam_one_pass"))
            method = cast("LamMethod", trained.method)
            trained.settle(self.static.domain, "forecast")
            method.network.to(device_of(self.device, 0))
            self._method = method
        return self._method
