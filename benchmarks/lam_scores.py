"""Forecasts of a trained emulator beside persistence and damped persistence, by lead, with intervals.

    python benchmarks/lam_scores.py output/lam/era5_uk/checkpoints/best --training output/lam/era5_uk.h5 \
        --scored output/lam/era5_uk_unseen.h5 --hours 1 3 6 12 24

A forecast begins at every time of the scored store that has a state a step before it and one at every lead after it.
Errors are those of the cells that are no part of the rim, of all rivals alike. Rivals, fitted on the times that were
trained on:

    persistence       x(t + L) = x(t)
    damped            x(t + L) = c + a (x(t) - c)               c the mean of each point, a fitted by variable and lead
    damped, by hour   x(t + L) = c(t + L) + a (x(t) - c(t))     c the mean of each point and hour of the day

The last one is left out where fewer than five days were trained on, and on a plane, which has no sun. The emulator is
run twice: with the true states in the rim, as the coming boundary of a larger model would be if it were perfect, and
without any, as the rivals are. In brackets: its rmse over that of the best rival, and a 95 % interval by drawing blocks
of starts, where there are five blocks or more.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.lam import LamMethod, nothing_known
from mlrtma_dist.methods.lam_network import rim_mask
from mlrtma_dist.samples.store import Store
from mlrtma_dist.verification.bootstrap import LEAST_CLUSTERS, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.weights.trained import load_trained

RIMS = {"emulator, true rim": True, "emulator, no boundary": False}
DAY = np.timedelta64(86400, "s")
FEWEST_DAYS = 5  # of training for a mean of each hour of the day


@dataclass(frozen=True)
class Series:
    """The true states of a store: time (n,), and values (n, variable, y, x), SI."""

    time: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, store: Store, variables: Sequence[str], since=None, until=None) -> "Series":
        """The states of a store from one time to before another one, in the order of the variables."""
        box, keep = Box.whole(store.domain.shape), np.ones(len(store.time), bool)
        keep &= store.time >= np.datetime64(since) if since else True
        keep &= store.time < np.datetime64(until) if until else True
        truths = [store.case_of_tile(int(number), box, reports=False).truth for number in np.flatnonzero(keep)]
        return cls(store.time[keep], np.array([[truth[name] for name in variables] for truth in truths]))

    def pairs(self, lag: np.timedelta64) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the times that another one follows after a lag, and of those."""
        later = np.flatnonzero(np.isin(self.time, self.time + lag))
        return np.searchsorted(self.time, self.time[later] - lag), later


class Damped:
    """Damped persistence, fitted on a series; ``by_hour``: about the mean of each hour of the day."""

    def __init__(self, training: Series, by_hour: bool = False):
        self.training, self.by_hour = training, by_hour
        hours = self._hours(training.time)
        self._means = {hour: training.values[hours == hour].mean(0) for hour in np.unique(hours)}

    def _hours(self, time: np.ndarray) -> np.ndarray:
        """What of a time its mean depends on: the second of the day, or nothing."""
        since_midnight = (time - time.astype("datetime64[D]")).astype(np.int64)
        return since_midnight if self.by_hour else np.zeros_like(since_midnight)

    def _mean(self, time: np.ndarray) -> np.ndarray:
        return np.stack([self._means[hour] for hour in self._hours(time)])

    def __call__(self, states: np.ndarray, time: np.ndarray, lag: np.timedelta64) -> np.ndarray:
        """The forecasts from states (n, variable, y, x) of times (n,)."""
        earlier, later = self.training.pairs(lag)
        departures = self.training.values - self._mean(self.training.time)
        shared = (departures[earlier] * departures[later]).sum((0, 2, 3)) / np.square(departures[earlier]).sum(
            (0, 2, 3)
        )
        return self._mean(time + lag) + shared[:, None, None] * (states - self._mean(time))


def emulated(method: LamMethod, store: Store, numbers: np.ndarray, steps: int, true_rim: bool) -> Iterator[np.ndarray]:
    """The forecast from each start, shape (step, variable, y, x), SI."""
    box = Box.whole(store.domain.shape)
    for number in numbers:
        case = store.case_of_tile(int(number), box, reports=False)
        boundary = (lambda time, case=case: case.before(case.time - time)) if true_rim else nothing_known
        yield np.array([[state[name] for name in method.variables] for state in method.forecast(case, steps, boundary)])


def starts_of(scored: Series, step: np.timedelta64, steps: int) -> np.ndarray:
    """Numbers of the times with a state a step before and at every step after them."""
    lags = [step * count for count in range(-1, steps + 1)]
    return np.flatnonzero(np.all([np.isin(scored.time + lag, scored.time) for lag in lags], axis=0))


@dataclass(frozen=True)
class Scores:
    """Squared errors of every forecast, and how they are told.

    Attributes:
        squares: (rival or run, step) -> (start, variable), the mean over the cells that count.
        rivals, runs: their names; blocks: number of the block of each start, shape (start,).
    """

    squares: dict[tuple[str, int], np.ndarray]
    rivals: tuple[str, ...]
    runs: tuple[str, ...]
    blocks: np.ndarray

    def rows(self, variable: int, steps: Sequence[int]) -> Iterator[str]:
        """The lines of a variable's table."""
        for name in (*self.rivals, *self.runs):
            yield f"| {name} |" + "".join(f" {self._cell(name, step, variable)} |" for step in steps)

    def _cell(self, name: str, step: int, variable: int) -> str:
        """The rmse and, of the emulator, its ratio to that of the best rival with an interval."""
        own = self.squares[name, step][:, variable]
        text = f"{np.sqrt(own.mean()):.3g}"
        if name in self.rivals:
            return text
        best = min((self.squares[rival, step][:, variable] for rival in self.rivals), key=np.mean)
        text += f" ({np.sqrt(own.mean() / best.mean()):.2f}"
        count = self.blocks.max() + 1
        if count < LEAST_CLUSTERS:
            return f"{text})"
        sums = np.stack([np.bincount(self.blocks, weights=each) for each in (own, best)], 1)
        low, high = interval(np.sqrt(ratio_of_sums(resampled_sums(sums, seed=1), 0, 1)), count)
        return f"{text}, {low:.2f} to {high:.2f})"


def scores_of(method: LamMethod, store: Store, training: Series, scored: Series, steps: Sequence[int], block) -> Scores:
    """Forecasts by all rivals and both runs of the emulator from every start; ``block``: time of starts together."""
    starts, shape = starts_of(scored, method.step, max(steps)), store.domain.shape
    states, time = scored.values[starts], scored.time[starts]
    inside = rim_mask(shape, Box.whole(shape), method.settings.rim)[0, 0].numpy() == 0
    rivals = {"persistence": lambda states, time, lag: states, "damped": Damped(training)}
    if not store.domain.is_plane and training.time[-1] - training.time[0] >= FEWEST_DAYS * DAY:
        rivals["damped, by hour"] = Damped(training, by_hour=True)
    numbers, squares = np.searchsorted(store.time, time), {}

    def score(name: str, step: int, values: np.ndarray) -> None:
        later = np.searchsorted(scored.time, time + step * method.step)  # there may be other times between
        error = (values - scored.values[later])[:, :, inside]
        squares[name, step] = np.square(error, dtype=np.float64).mean(2)

    for name, is_true in RIMS.items():
        forecasts = np.array(list(emulated(method, store, numbers, max(steps), is_true)))
        for step in steps:
            score(name, step, forecasts[:, step - 1])
    for name, rival in rivals.items():
        for step in steps:
            score(name, step, rival(states, time, step * method.step))
    blocks = np.unique((time - time[0]) // block, return_inverse=True)[1]
    print(f"{len(starts)} starts from {time[0]} to {time[-1]}, {blocks.max() + 1} blocks, {inside.sum()} cells\n")
    return Scores(squares, tuple(rivals), tuple(RIMS), blocks)


def steps_of(minutes: Sequence[float], step: float) -> list[int]:
    """Numbers of an emulator's steps, each ``step`` minutes, of leads in minutes; ValueError unless they are whole."""
    steps = [each / step for each in minutes]
    if wrong := [each for each, own in zip(minutes, steps, strict=True) if own < 1 or own != int(own)]:
        raise ValueError(
            f"--minutes, --hours: expected leads of whole steps of {step:g} minutes, got {wrong[0]:g} minutes"
        )
    return [int(own) for own in steps]


def main() -> None:
    """Print one table per variable."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--training", required=True, help="store of the hours that were trained on")
    parser.add_argument("--until", help="time before which its hours were trained on")
    parser.add_argument("--scored", required=True, help="store of hours that were not")
    parser.add_argument("--since", help="time from which on its hours were not")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--hours", type=float, nargs="+", default=[1.0, 3.0, 6.0])
    group.add_argument("--minutes", type=int, nargs="+", help="leads, instead of hours")
    parser.add_argument("--block", type=int, default=24, help="hours of starts that are drawn together")
    options = parser.parse_args()
    method, store = load_trained(options.checkpoint).method, Store(options.scored)
    training = Series.of(Store(options.training), method.variables, None, options.until)
    scored = Series.of(store, method.variables, options.since)
    minutes = options.minutes or [60.0 * hours for hours in options.hours]
    leads = [f"+{each} min" if options.minutes else f"+{each / 60:g} h" for each in minutes]
    try:
        steps = steps_of(minutes, method.settings.step_minutes)
    except ValueError as error:
        parser.error(str(error))
    if not len(starts_of(scored, method.step, max(steps))):
        parser.error(
            f"--scored: no {max(steps) + 2} states in a row, as the longest lead needs: name shorter --minutes"
        )
    scores = scores_of(method, store, training, scored, steps, np.timedelta64(3600 * options.block, "s"))
    for number, name in enumerate(method.variables):
        print(f"| {name}, {store.contents.unit_of[name]} | {' | '.join(leads)} |")
        print("|---|" + "---|" * len(steps))
        print("\n".join(scores.rows(number, steps)), end="\n\n")


if __name__ == "__main__":
    main()
