"""Train a method's network on the cases of a store, on any number of ranks, of which some may share a sample.

    mlrtma train configs/training/unet_exercise1.yaml
    mpiexec -n 4 mlrtma train configs/training/unet_exercise1.yaml --set mesh={data: 1, y: 2, x: 2}
    mlrtma train configs/training/vit_transfer.yaml --from output/release --set transfer.mode=adapters

Writes output/metrics.csv, output/checkpoints/ (best -> the one with the lowest validation score) and the resolved
configuration. SIGUSR1 and SIGTERM end it after the step with a checkpoint and exit code 75: run it again with --resume.
"""

import sys
from contextlib import ExitStack
from pathlib import Path

from hpc import slurm
from jobs.command_line import parse
from jobs.samples import ensure
from jobs.train_begin import begin, check_output, folder_of, origin_of
from jobs.train_inherit import inherit
from jobs.train_run import Run
from jobs.train_samples import divide, statistics_of
from jobs.train_size import describe
from mlrtma_dist import clock, config
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.io.lock import locked
from mlrtma_dist.methods.registry import untrained
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.dataset import Dataset, check_equal
from mlrtma_dist.samples.store import Store
from mlrtma_dist.training.stop_signal import AGAIN, StopSignal
from mlrtma_dist.weights import checkpoint


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code: 75 if it was asked to stop before the last step."""
    resumes, dry = "--resume" in arguments, "--dry-run" in arguments
    run = parse(Run, "train", __doc__, [a for a in arguments if a not in ("--resume", "--dry-run")])
    if dry:
        check_output(run, resumes)
        method = build(run)
        inherit(run, method, None)
        sys.stdout.write(config.to_yaml(run) + describe(run, method))
        return 0
    return AGAIN if make(run, resumes).stopped else 0


def build(run: Run):
    """The method, with its first weights."""
    return untrained(run.method, run.settings, "train")


def make(run: Run, resumes: bool = False):
    """Train; returns the `training.loop.Ending`."""
    method = build(run)
    check_output(run, resumes)
    since = clock.parse_time(run.validation_from) if run.validation_from else None
    ensure(run.samples[0], run.make_samples)
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal.watched())  # before DeepSpeed is imported, which takes seconds
        ranks = stack.enter_context(Ranks.start(run.mesh, device=run.device, always_group=True))
        if ranks.rank == 0:
            stack.enter_context(locked(run.output, slurm.runs))
        stores = tuple(map(Store, (*run.samples, *run.validation_samples)))
        return _train(run, method, stores, since, ranks, stop, resumes)


def _train(run: Run, method, stores: tuple[Store, ...], since, ranks: Ranks, stop, resumes: bool):
    from jobs.train_report import reporting  # not for a dry run: seconds of imports
    from mlrtma_dist.training.engine import Engine
    from mlrtma_dist.training.loop import Plan, TrainingLoop

    contents, everyone, folder = stores[0].contents, ranks.everyone(), folder_of(run)
    method.settle(contents.domain)
    method.check(contents)
    check_equal(stores)
    saved = begin(run, resumes, everyone)  # before what takes minutes on many ranks
    inherited = inherit(run, method, saved)
    tile = ranks.tile_of(contents.domain, method.alignment)
    data_rank, data_ranks = ranks.coordinates[0], ranks.mesh.data
    data = Dataset(stores, tile, method, run.variants, len(run.validation_samples), since, run.schedule.seed)
    training, validation = divide(data, since, run.gap_hours)
    method.statistics = statistics = statistics_of(run, method, stores, tile, ranks, since)
    origin = origin_of(run, statistics, inherited, stores)
    plan = Plan(run.schedule, training, validation, data_ranks, data_rank, folder, origin)
    engine = Engine(method, ranks, ranks.neighbourhood(tile), run.engine, run.schedule.parts(data_ranks))
    work = TrainingLoop(engine, data, plan)
    if saved is not None:
        work.resume(saved)
    if ranks.rank == 0:
        write_text(Path(run.output) / "config.yaml", config.to_yaml(run))
    with reporting(Path(run.output), work.state.step, run.schedule.steps, ranks.rank == 0) as report:
        ending = work.run(stop, report)
    if ranks.rank == 0:
        print(folder / checkpoint.name_of(ending.step))
    return ending
