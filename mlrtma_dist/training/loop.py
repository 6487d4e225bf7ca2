"""The loop: steps, validation, checkpoints, until the plan is done or the job is asked to stop."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.training import order
from mlrtma_dist.training.average import Average
from mlrtma_dist.training.engine import Engine
from mlrtma_dist.training.schedule import Schedule
from mlrtma_dist.training.stop_signal import AGAIN, StopSignal
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.manifest import CheckpointError, Run, State

FAILED = 1  # exit code where a run hangs before it saved anything: it would do so again and again


@dataclass(frozen=True)
class Plan:
    """What to train on, and where to write.

    Attributes:
        schedule: steps, batches, rates.
        training, validation: indices of cases; validation may be empty.
        data_ranks, data_rank: of the mesh's data axis.
        folder: for checkpoints, the same on all ranks.
        run: for the Manifest.
    """

    schedule: Schedule
    training: np.ndarray
    validation: np.ndarray
    data_ranks: int
    data_rank: int
    folder: Path
    run: Run


@dataclass(frozen=True)
class Ending:
    """How training ended: steps done, whether it was asked to stop before the last, the best score and its step."""

    step: int
    stopped: bool
    best_score: float | None
    best_step: int | None


Report = Callable[[dict], None]
Score = Callable[[Engine], float]


class Samples(Protocol):
    """The samples to train on, on this rank's tile."""

    @property
    def time(self) -> np.ndarray:
        """UTC of every case, datetime64[s], shape (n,)."""
        ...

    def stream(self, batches: Iterable[Sequence[int]]) -> Generator[Sample, None, None]:
        """Read batches of cases, by their indices, in this order; may read ahead."""
        ...


class TrainingLoop:
    """An engine on its way through a plan."""

    def __init__(self, engine: Engine, data: Samples, plan: Plan, score: Score | None = None):
        """Prepare; ``score`` gives the number to be made small, None: the mean loss over the validation cases."""
        self.engine, self.data, self.plan = engine, data, plan
        self.parts = plan.schedule.parts(plan.data_ranks)
        self.average = self._new_average() if plan.schedule.average_decay else None
        engine.heartbeat.ending = ("it has saved no checkpoint yet", FAILED)
        self.state = State(0, plan.schedule.seed, engine.optimizer, {}, ())
        self._read: list[Sample] = []  # of the next step, one step ahead: see `Engine.step`
        if score is None and len(plan.validation):
            score = self._validation_loss
        self.score = score

    def _new_average(self) -> Average:
        schedule = self.plan.schedule
        return Average(self.engine.masters(), schedule.average_decay, schedule.average_from_start)

    def resume(self, saved: checkpoint.Checkpoint) -> None:
        """Go on from a checkpoint, of any number of ranks. Collective.

        Raises:
            CheckpointError: it is of another network, optimizer or seed.
        """
        state = saved.manifest.state
        saved.check_network(self.engine.shapes())
        for name, ours in (("optimizer", self.engine.optimizer), ("seed", self.plan.schedule.seed)):
            if getattr(state, name) != ours:
                raise CheckpointError(
                    f"{saved.folder}: expected {name} {ours!r}, it was trained with {getattr(state, name)!r}."
                    " Resume with its configuration, or begin in another output folder."
                )
        average = self.average if "average" in saved.parts else None
        self.engine.restore(saved.read, state.moments, state.counters, None if average is None else average.tensors)
        if average is not None:
            average.updates = state.average_updates or 0
        elif self.average is not None:
            self.average = self._new_average()
        self.state = state
        words = f"the newest checkpoint is {saved.folder}, from which this run went on and after which it saved none"
        self.engine.heartbeat.ending = (words, FAILED)

    def run(self, stop: StopSignal, report: Report = lambda row: None) -> Ending:
        """Train to the end of the schedule. Collective.

        Args:
            stop: asked in every step; the answer is a checkpoint and an end.
            report: called on every rank with the metrics of every step.

        Raises:
            LossError: a loss that is no number.
        """
        schedule, first, begin = self.plan.schedule, self.state.step, time.monotonic()
        plan, steps = self.plan, range(first, schedule.steps)
        batches = order.batches_from(plan.training, steps, schedule.batch, schedule.seed, self.parts, plan.data_rank)
        stopped, self._read = False, []
        with closing(self.engine.ahead(self.data.stream(batches))) as stream:
            for step in steps:
                last = step + 1 == schedule.steps
                row, stopped = self._step(stream, step, last, stop)
                better = False
                if self.score is not None and (last or _due(step, schedule.validate_every)):
                    row["validation"], better = self._validate(self.score)
                report({**row, "seconds": time.monotonic() - begin})
                if better or stopped or last or _due(step, schedule.checkpoint_every):
                    self._save()
                if stopped:
                    break
        done = self.state.step
        return Ending(done, stopped and done < schedule.steps, self.state.best_score, self.state.best_step)

    def _step(self, stream, step: int, last: bool, stop: StopSignal) -> tuple[dict, bool]:
        """One step: its metrics, and whether any rank was asked to stop before its end."""
        begin, schedule = time.monotonic(), self.plan.schedule
        samples = self._read or self._next(stream)
        self._read = [] if last else self._next(stream)
        torch.manual_seed(schedule.seed * 1_000_003 + step)  # so that noise needs no state of its own in a checkpoint
        rate, stops = schedule.rate(step), stop.received is not None
        progress = self.engine.step(samples, rate, step, following=self._read, stop=stops)
        if self.average is not None:
            self.average.update(self.engine.masters())
        self.state = replace(self.state, step=step + 1)
        speed = schedule.batch / (time.monotonic() - begin)
        row = {
            "step": step,
            "loss": progress.loss,
            "learning_rate": rate,
            "gradient_norm": progress.gradient_norm,
            "samples_per_second": speed,
        }
        return row, progress.stop

    def _next(self, stream) -> list[Sample]:
        """The samples of a step, one per micro-batch."""
        return [next(stream) for _ in self.parts]

    def _validate(self, score: Score) -> tuple[float, bool]:
        """The score of the averaged weights, and whether it is the best so far."""
        with nullcontext() if self.average is None else self.average.in_place_of(self.engine.masters()):
            self.engine.refresh()
            value = float(score(self.engine))
        self.engine.refresh()
        better = self.state.best_score is None or value < self.state.best_score
        if better:
            self.state = replace(self.state, best_score=value, best_step=self.state.step)
        return value, better

    def _validation_loss(self, engine: Engine) -> float:
        plan = self.plan
        batches = list(order.rounds(plan.validation, max(self.parts), plan.data_ranks, plan.data_rank))
        with closing(self.engine.ahead(self.data.stream([indices for indices, _ in batches]))) as stream:
            return engine.loss(_counted(sample, count) for sample, (_, count) in zip(stream, batches, strict=True))

    def _save(self) -> None:
        tensors = None if self.average is None else self.average.tensors
        engine, folder = self.engine, self.plan.folder
        shards = list(engine.export(tensors))
        state = replace(
            self.state,
            counters=engine.counters(),
            moments=engine.moments(),
            average_updates=None if self.average is None else self.average.updates,
        )
        checkpoint.save(folder, self.plan.run, state, engine.shapes(), shards, engine.everyone)
        newest = folder / checkpoint.name_of(state.step)
        engine.heartbeat.ending = (f"the newest checkpoint is {newest}; --resume goes on from it", AGAIN)
        if engine.everyone.rank == 0:
            if state.best_step == state.step:
                checkpoint.mark_best(folder, state.step)
            checkpoint.prune(folder, self.plan.schedule.keep)
        engine.heartbeat.beat()


def _due(step: int, every: int) -> bool:
    return every > 0 and (step + 1) % every == 0


def _counted(sample: Sample, count: int) -> Sample:
    """The sample with weight 0 for all but its first ``count`` cases."""
    if count == len(sample.time):
        return sample
    mask = torch.ones_like(sample.target[:, :1]) if sample.mask is None else sample.mask.clone()
    mask[count:] = 0.0
    return replace(sample, mask=mask)
