"""Run the tasks of a worklist that remain: several at a time, each on its share of the node and within a time limit.

python -m hpc.tasks run FILE [--element I --of N] [--workers K] [--seconds S]     of the lines I, I + N, ...
python -m hpc.tasks remaining FILE                                                prints them
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hpc import journal
from hpc.job import AGAIN
from hpc.worklist import Task, WorklistError, note_done, read, remaining

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
GRACE = 30.0  # seconds from SIGTERM to SIGKILL, for a task that ran out of time


def share(worker: int, workers: int, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of one worker's tasks: its share of the GPUs and cores that this job has of the node.

    Args:
        worker: number of the worker, from 0; workers: all that share the node. One alone has all.
        environment: of the job; MLRTMA_GPUS_PER_NODE and Slurm's variables say what there is.
    """
    own = dict(environment)
    if workers == 1:
        return own
    cores = int(environment.get("SLURM_CPUS_ON_NODE") or os.cpu_count() or 1)
    own["OMP_NUM_THREADS"] = str(max(1, cores // workers))
    gpus = int(environment.get("MLRTMA_GPUS_PER_NODE") or 0)
    if gpus:
        # Slurm names the GPUs that it lent to this job; elsewhere they are the first ones of the node.
        visible = (environment.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))).split(",")
        each = len(visible) // workers
        mine = visible[worker * each : (worker + 1) * each] if each else [visible[worker % len(visible)]]
        own["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
    return own


class Workers:
    """Workers that share the tasks of a list: whoever is free takes the next one."""

    def __init__(self, tasks: Iterable[Task], workers: int, seconds: float | None):
        """Take the tasks; ``seconds`` is the time limit of each, None: none."""
        self._tasks, self._workers, self._seconds = deque(remaining(tasks)), workers, seconds
        self._running: dict[str, subprocess.Popen] = {}
        self._stopped_by: int | None = None
        self._again = False
        self._failed: list[str] = []

    def run(self) -> int:
        """Run the tasks to their end; see `run`."""
        before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        try:
            with ThreadPoolExecutor(self._workers) as pool:
                list(pool.map(self._work, range(self._workers)))  # raises what a worker raised
        finally:
            for number, action in before.items():
                signal.signal(number, action)
        if self._again or (self._stopped_by and self._tasks):
            return AGAIN
        return 1 if self._failed else 0

    def _stop(self, number, frame) -> None:
        self._stopped_by = number
        for process in list(self._running.values()):
            process.send_signal(number)

    def _work(self, worker: int) -> None:
        environment = share(worker, self._workers, os.environ)
        while not (self._stopped_by or self._again):
            try:
                task = self._tasks.popleft()
            except IndexError:
                return
            if fault := self._fault_of(task, environment):
                self._failed.append(task.id)
                journal.warn(f"task {task.id} failed: {fault}: {task.command}")

    def _fault_of(self, task: Task, environment: dict[str, str]) -> str:
        """Run a task; why it failed, "" if it did not or is to be run again."""
        try:
            # A group of its own, so that what runs out of time is ended with all that it started.
            process = subprocess.Popen(shlex.split(task.command), env=environment, start_new_session=True)
        except (OSError, ValueError) as error:  # no such program, or quotes that do not close
            return f"cannot be started: {error}"
        self._running[task.id] = process
        if self._stopped_by:  # while it was being started
            process.send_signal(self._stopped_by)
        try:
            code = process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"it reached its limit of {self._seconds:g} s"
        finally:
            del self._running[task.id]
        if code == 0 and Path(task.output).is_file():
            try:
                note_done(task)
            except OSError as error:
                return f"done, but its record cannot be written: {error}"
            return ""
        if code == AGAIN or self._stopped_by:
            self._again = True
            return ""
        return f"exit code {code}" if code else f"exit code 0, but no {task.output}"


def _end(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(tasks: Iterable[Task], workers: int = 1, seconds: float | None = None) -> int:
    """Run the remaining tasks; one that fails does not keep the others from running.

    On SIGUSR1 (the time limit is near) and SIGTERM the running tasks get the signal, too, and no further one is begun.

    Args:
        workers: tasks that run at the same time, each with its `share` of the node.
        seconds: time limit of each task; None: none.

    Returns:
        0: all are done; 1: some failed; 75: stopped by a signal or by a task's own 75 before the end, run me again.
    """
    return Workers(tasks, workers, seconds).run()


def main(arguments: list[str] | None = None) -> int:
    """Run the module from a batch script or by hand; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hpc.tasks")
    parser.add_argument("action", choices=("run", "remaining"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--element", type=int, default=0, help="index of this element of the array")
    parser.add_argument("--of", type=int, default=1, help="number of elements")
    parser.add_argument("--workers", type=int, default=1, help="tasks that run at the same time")
    parser.add_argument("--seconds", type=float, help="time limit of each task")
    values = parser.parse_args(arguments)
    if not 0 <= values.element < values.of:
        parser.error(f"expected an element from 0 to {values.of - 1} of {values.of}, got {values.element}")
    if values.workers < 1:
        parser.error(f"--workers: expected 1 or more, got {values.workers}")
    try:
        mine = read(values.file)[values.element :: values.of]
    except WorklistError as error:
        print(f"hpc.tasks: {error}", file=sys.stderr)
        return 2
    if values.action == "run":
        return run(mine, values.workers, values.seconds)
    print("\n".join(task.line() for task in remaining(mine)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
