"""Queue orders, or run them here to their end, and write in the journal what the jobs cannot write themselves."""

import contextlib
import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from hpc import journal, process, record, slurm
from hpc.division import array_limit
from hpc.job import AGAIN
from hpc.machine import ROOT, Machine, seconds_of
from hpc.order import LOGS, Order, OrderError, environment, sbatch_line
from hpc.outputs import work_of
from hpc.worklist import Task, read, remaining, write

_numbers = itertools.count()


class JobFailed(OrderError):
    """A job that ran here ended badly; ``code`` is its exit code."""


def submit(order: Order) -> str:
    """Queue the job, or run it here to its end where the machine has no scheduler; returns its number.

    Raises:
        SlurmError: refused. JobFailed: a job that ran here failed.
    """
    if order.key:
        record.clear(order.key)
    if order.machine.scheduler == "none":
        return _run_here(order)
    Path(LOGS).mkdir(parents=True, exist_ok=True)  # Slurm fails a job whose log cannot be opened
    job = slurm.submit(sbatch_line(order), environment(order))
    _note(order, job)
    return job


def _note(order: Order, job: str) -> None:
    journal.append(
        journal.path(),
        job=job,
        event="submitted",
        machine=order.machine.name,
        verb=order.verb,
        config=order.config,
        arguments=list(order.arguments),
        after=list(order.after),
        elements=order.elements,
        key=order.key,
        again=list(order.again),
        **({} if order.machine.scheduler == "slurm" else {"process": process.identity(os.getpid())}),
        commit=journal.commit(ROOT),
        node_hours=round(order.node_hours, 3),
    )


def _run_here(order: Order) -> str:
    command = ["bash", str(order.script), order.config, *order.arguments]
    job = f"local-{os.getpid()}-{next(_numbers)}"
    _note(order, job)
    for restart in range(order.machine.restarts + 2):  # the job itself refuses one more than it may
        variables = {**os.environ, **environment(order), "MLRTMA_JOB": job, "MLRTMA_RESTART_COUNT": str(restart)}
        code = subprocess.run(command, env=variables).returncode
        if code != AGAIN:
            break
    if code:
        raise JobFailed(
            f"{job}: {order.script.name} ended with exit code {code}; its messages and {journal.path()} say why", code
        )
    return job


def elements_of(machine: Machine, tasks: int, workers: int) -> int:
    """How many elements an array over so many tasks has on a machine."""
    if machine.scheduler == "none":
        return min(tasks, 1)
    return min(-(-tasks // workers), array_limit(machine))


def array(order: Order, tasks: tuple[Task, ...], folder: Path) -> Order:
    """The order of an array over a worklist's remaining tasks.

    They are written to a list of their own, so that the elements' lines stay what they are while tasks get done.

    Args:
        order: of the verb "worklist".
        tasks: those that remain, one at least.
        folder: for the new list.
    """
    wishes = order.resources
    path = _new_list(folder, Path(order.config).stem)
    write(path, tasks)
    arguments: tuple[str, ...] = ("--workers", str(wishes.workers)) if wishes.workers > 1 else ()
    if wishes.task_time:
        arguments += ("--seconds", str(seconds_of(wishes.task_time)))
    elements = elements_of(order.machine, len(tasks), wishes.workers)
    return replace(order, config=str(path), arguments=arguments, elements=elements)


def _new_list(folder: Path, stem: str) -> Path:
    """A file that no other array reads; it is made at once, so that nobody else takes the name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = folder / f"{stem}-{number:03d}.tsv"
        with contextlib.suppress(FileExistsError):
            path.open("x").close()
            return path
    raise AssertionError("the numbers have no end")


def wait(orders: dict[str, Order], poll_seconds: float) -> dict[str, slurm.Status]:
    """Wait for queued jobs; what Slurm says of them and the journal does not (a node died) is added to the journal.

    Args:
        orders: by the job's number.
        poll_seconds: between two questions to the controller.

    Returns:
        Slurm's last status of each job. A worklist of which tasks remain is FAILED: Slurm forgets elements that ended
        long ago. A job that Slurm has forgotten is COMPLETED if its record and output are there.
    """

    def finished(job: str) -> bool:
        order = orders[job]
        if order.array:
            return is_over(order)
        return not _open_tasks(order) if order.elements else bool(order.key) and record.is_done(order.key)

    def changed(job: str, status: slurm.Status) -> None:
        print(f"job {job}: {status.state}{f' ({status.reason})' if status.reason else ''}", file=sys.stderr, flush=True)

    last = slurm.wait(orders, finished=finished, poll_seconds=poll_seconds, changed=changed)
    for job, status in last.items():
        if orders[job].array:
            if status.done and not is_over(orders[job]):
                last[job] = replace(status, state="FAILED", reason="a part of the work remains")
        elif orders[job].elements:
            if status.done and (count := _open_tasks(orders[job])):
                last[job] = replace(status, state="FAILED", reason=f"{count} tasks remain")
        else:
            _correct(job, status)
    return last


def is_over(order: Order) -> bool:
    """Whether nothing remains of the work of an array whose verb divides it, by its outputs."""
    work = work_of(order.verb, order.config, order.arguments)
    return work is not None and not work.left


def _open_tasks(order: Order) -> int:
    return len(remaining(read(Path(order.config))))


def _correct(job: str, status: slurm.Status) -> None:
    """Add to the journal how a job ended, if its last line there says otherwise."""
    book = journal.path()
    event = "done" if status.done else "failed" if status.ended else "lost"
    if (journal.ending(book, job) or {}).get("event") != event:
        journal.append(book, job=job, event=event, exit_code=status.exit_code, reason=status.words, nodes=status.nodes)
