"""Ensemble forecasts of trained emulators beside a single one and damped persistence: CRPS, error and spread by lead.

    python benchmarks/lam_members.py output/lam/era5_uk_diffusion/checkpoints/best \
        output/lam/era5_uk_one_pass/checkpoints/best --single output/lam/era5_uk/checkpoints/best \
        --training output/lam/era5_uk.h5 --until 2019-03-22T00:00 --scored output/lam/era5_uk_unseen.h5 --every 6

Cells, boundaries and, with ``--every 1``, starts are those of `benchmarks/lam_scores.py`: the true rim, or none. Of an
ensemble: its fair CRPS, the rmse of its mean without what M members vary about the mean of all, and its spread, the
root of the mean variance, over that rmse. Rivals:

    damped, Gaussian     damped persistence (by the hour of the day where five days or more were trained on) with a
                         Gaussian of the rms of its own errors, both fitted on the hours that were trained on
    emulator             one forecast by `lam`; the CRPS of one value is its mean absolute error
    emulator, Gaussian   the same with a Gaussian of the rms of its own errors from ``--until`` on in the training
                         store, the hours that chose its checkpoint

In brackets: the CRPS over that of the first rival, and a 95 % interval by drawing days of starts.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from lam_scores import DAY, FEWEST_DAYS, Damped, Series, starts_of

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.lam import LamMethod, nothing_known
from mlrtma_dist.methods.lam_network import rim_mask
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.samples.store import Store
from mlrtma_dist.verification.bootstrap import LEAST_CLUSTERS, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian
from mlrtma_dist.weights.trained import load_trained

RIMS = {"true rim": True, "no boundary": False}


@dataclass(frozen=True)
class Score:
    """Of every start, mean over the cells that count, shape (start, variable) each.

    Attributes:
        crps: SI; square: of the error of the mean, as of all members; variance: of the members, NaN of a single value.
    """

    crps: np.ndarray
    square: np.ndarray
    variance: np.ndarray

    @classmethod
    def of_members(cls, members: np.ndarray, truth: np.ndarray) -> "Score":
        """Of members (start, member, variable, cell) of a truth (start, variable, cell)."""
        count, members = members.shape[1], members.astype(np.float64)
        square = np.square(members.mean(1) - truth)
        if count == 1:
            return cls(np.sqrt(square).mean(2), square.mean(2), np.full(truth.shape[:2], np.nan))
        crps = np.stack([_crps(*each) for each in zip(members, truth, strict=True)])
        variance = members.var(1, ddof=1)
        return cls(crps, (square - variance / count).mean(2), variance.mean(2))

    @classmethod
    def of_gaussian(cls, mean: np.ndarray, deviation: np.ndarray, truth: np.ndarray) -> "Score":
        """Of Gaussians of a mean (start, variable, cell), and a deviation of each variable."""
        wide = np.broadcast_to(deviation[:, None], mean.shape)
        crps = crps_gaussian(mean.ravel(), wide.ravel(), truth.ravel()).reshape(mean.shape).mean(2)
        return cls(crps, np.square(mean - truth).mean(2), np.square(wide).mean(2))


def _crps(members: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean fair CRPS of each variable of members (member, variable, cell), shape (variable,)."""
    scores = crps_ensemble(members.reshape(len(members), -1), truth.ravel(), fair=True)
    return scores.reshape(truth.shape).mean(1)


class Forecasts:
    """Forecasts from all starts of a series by any rival, at some leads.

    Attributes:
        states: the true states of the cells that count, shape (time, variable, cell).
        starts: numbers of their times.
    """

    def __init__(self, store: Store, series: Series, steps: Sequence[int], method: LamMethod, every: int = 1):
        self.store, self.series, self.steps, self.step = store, series, tuple(steps), method.step
        shape = store.domain.shape
        self.inside = rim_mask(shape, Box.whole(shape), method.settings.rim)[0, 0].numpy() == 0
        self.states = series.values[:, :, self.inside].astype(np.float64)
        self.starts = starts_of(series, method.step, max(steps))[::every]

    @property
    def time(self) -> np.ndarray:
        """Of the starts."""
        return self.series.time[self.starts]

    def truth(self, step: int) -> np.ndarray:
        """What each start's forecast is held against, shape (start, variable, cell)."""
        return self.states[np.searchsorted(self.series.time, self.time + step * self.step)]

    def members(self, method: LamMethod, true_rim: bool) -> dict[int, np.ndarray]:
        """Step -> members of all starts, shape (start, member, variable, cell)."""
        box, forecasts = Box.whole(self.store.domain.shape), {step: [] for step in self.steps}
        for number in np.searchsorted(self.store.time, self.time):
            case = self.store.case_of_tile(int(number), box, reports=False)
            boundary = (lambda time, case=case: case.before(case.time - time)) if true_rim else nothing_known
            for step, state in enumerate(method.members(case, max(self.steps), boundary), 1):
                if step in forecasts:
                    fields = np.stack([state[name] for name in method.variables], 1)
                    forecasts[step].append(fields[..., self.inside])
        return {step: np.array(each) for step, each in forecasts.items()}

    def scores(self, forecast: Callable[[int], Score]) -> dict[int, Score]:
        """Of every step."""
        return {step: forecast(step) for step in self.steps}


def damped_scores(training: Series, scored: Forecasts, step_length: np.timedelta64) -> dict[int, Score]:
    """Scores of damped persistence with a Gaussian."""
    damped = Damped(training, by_hour=training.time[-1] - training.time[0] >= FEWEST_DAYS * DAY)

    def of_damped(step: int) -> Score:
        lag = step * step_length
        earlier, later = training.pairs(lag)
        own = damped(training.values[earlier], training.time[earlier], lag) - training.values[later]
        deviation = np.sqrt(np.square(own[:, :, scored.inside], dtype=np.float64).mean((0, 2)))
        mean = damped(scored.series.values[scored.starts], scored.time, lag)[:, :, scored.inside]
        return Score.of_gaussian(mean, deviation, scored.truth(step))

    return scored.scores(of_damped)


def single_scores(single: LamMethod, choosing: Forecasts, scored: Forecasts) -> dict[str, dict[int, Score]]:
    """Scores of the single emulator in both runs, each without and with a Gaussian."""
    scores = {}
    for name, is_true in RIMS.items():
        own, ahead = choosing.members(single, is_true), scored.members(single, is_true)

        def dressed(step: int, own=own, ahead=ahead) -> Score:
            error = own[step][:, 0] - choosing.truth(step)
            deviation = np.sqrt(np.square(error).mean((0, 2)))
            return Score.of_gaussian(ahead[step][:, 0].astype(np.float64), deviation, scored.truth(step))

        scores[f"emulator, {name}"] = scored.scores(
            lambda step, ahead=ahead: Score.of_members(ahead[step], scored.truth(step))
        )
        scores[f"emulator, Gaussian, {name}"] = scored.scores(dressed)
    return scores


def cells(score: Score, first: Score, variable: int, blocks: np.ndarray) -> str:
    """CRPS with its ratio to another one's, rmse, and spread over it."""
    own, other = score.crps[:, variable], first.crps[:, variable]
    text, count = f"{own.mean():.3g}", blocks.max() + 1
    if score is not first:
        text += f" ({own.mean() / other.mean():.2f}"
        if count >= LEAST_CLUSTERS:
            sums = np.stack([np.bincount(blocks, weights=each) for each in (own, other)], 1)
            low, high = interval(ratio_of_sums(resampled_sums(sums, seed=1), 0, 1), count)
            text += f", {low:.2f} to {high:.2f}"
        text += ")"
    rmse = np.sqrt(score.square[:, variable].mean())
    ratio = np.sqrt(score.variance[:, variable].mean()) / rmse
    return f"{text}; {rmse:.3g}" + (f"; {ratio:.2f}" if np.isfinite(ratio) else "")


def main() -> None:
    """Print one table per variable."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", help="of networks that draw members")
    parser.add_argument("--single", required=True, help="checkpoint of method lam")
    parser.add_argument("--training", required=True, help="store of the hours that were trained on, and that chose")
    parser.add_argument("--until", required=True, help="time before which its hours were trained on")
    parser.add_argument("--scored", required=True, help="store of hours that were not")
    parser.add_argument("--since", help="time from which on its hours were not")
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 3.0, 6.0, 12.0])
    parser.add_argument("--every", type=int, default=1, help="of the starts that are scored, every so many-th")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--levels", type=int, default=10, help="noise levels of a denoiser's sampler")
    parser.add_argument("--sampler", default="dpm")
    parser.add_argument("--ensembles-alone", action="store_true", help="beside damped persistence")
    options = parser.parse_args()
    single = load_trained(options.single).method
    store, own = Store(options.scored), Store(options.training)
    steps = [round(hours * 60 / single.settings.step_minutes) for hours in options.hours]
    training = Series.of(own, single.variables, None, options.until)
    scored = Forecasts(store, Series.of(store, single.variables, options.since), steps, single, options.every)
    scores = {"damped, Gaussian": damped_scores(training, scored, single.step)}
    if not options.ensembles_alone:
        choosing = Forecasts(own, Series.of(own, single.variables, options.until), steps, single)
        scores |= single_scores(single, choosing, scored)
    for folder in options.checkpoints:
        trained = load_trained(folder)
        drawing = replace(trained.method.drawing, members=options.members, at_once=options.members)
        trained.method.drawing = replace(drawing, levels=options.levels, sampler=options.sampler)
        for name, is_true in RIMS.items():
            drawn = scored.members(trained.method, is_true)
            scores[f"{trained.name}, {name}"] = scored.scores(
                lambda step, drawn=drawn: Score.of_members(drawn[step], scored.truth(step))
            )
    blocks = np.unique((scored.time - scored.time[0]) // DAY, return_inverse=True)[1]
    first = next(iter(scores.values()))
    print(f"{len(scored.starts)} starts from {scored.time[0]} to {scored.time[-1]}, {blocks.max() + 1} blocks,")
    print(f"{scored.inside.sum()} cells, {options.members} members: CRPS (over the first row's); rmse; spread / rmse\n")
    for number, name in enumerate(single.variables):
        unit = VARIABLES[name].unit if name in VARIABLES else "1"
        print(f"| {name}, {unit} |" + "".join(f" +{hours:g} h |" for hours in options.hours))
        print("|---|" + "---|" * len(steps))
        for rival, each in scores.items():
            row = (f" {cells(each[step], first[step], number, blocks)} |" for step in steps)
            print(f"| {rival} |" + "".join(row))
        print()


if __name__ == "__main__":
    main()
