"""Queue orders, or run them here to their end, and write in the journal what the jobs cannot write themselves."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from hpc import journal, slurm
from hpc.job import AGAIN
from hpc.machine import ROOT
from hpc.order import LOGS, Order, OrderError, environment, sbatch_line
from hpc.worklist import Task, write


class JobFailed(OrderError):
    """A job that ran here ended badly; ``code`` is its exit code."""


def submit(order: Order) -> str:
    """Queue the job, or run it here to its end where the machine has no scheduler; returns its number.

    Raises:
        SlurmError: refused. JobFailed: a job that ran here failed.
    """
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
        commit=journal.commit(ROOT),
        node_hours=round(order.node_hours, 3),
    )


def _run_here(order: Order) -> str:
    command = ["bash", str(order.script), order.config, *order.arguments]
    present = journal.read(journal.path())
    job = f"local-{os.getpid()}-{sum(entry.get('event') == 'submitted' for entry in present)}"
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


def array(order: Order, tasks: tuple[Task, ...], folder: Path) -> Order:
    """The order of an array over a worklist's remaining tasks.

    They are written to a list of their own, so that the elements' lines stay what they are while tasks get done.

    Args:
        order: of the verb "worklist".
        tasks: those that remain.
        folder: for the new list.

    Raises:
        OrderError: nothing remains.
    """
    if not tasks:
        raise OrderError(f"{order.config}: every task is done; nothing to submit")
    elements = min(len(tasks), order.machine.array_limit)
    number = 1 + len(list(folder.glob(f"{Path(order.config).stem}-*.tsv")))
    path = folder / f"{Path(order.config).stem}-{number:03d}.tsv"
    write(path, tasks)
    return replace(order, config=str(path), arguments=(), elements=elements)


def wait(orders: dict[str, Order], poll_seconds: float) -> dict[str, slurm.Status]:
    """Wait for queued jobs; what the jobs could not write down themselves (a node died) is added to the journal.

    Args:
        orders: by the job's number.
        poll_seconds: between two questions to the controller.
    """
    book = journal.path()

    def finished(job: str) -> bool:
        return (journal.ending(book, job) or {}).get("event") == "done"

    def changed(job: str, status: slurm.Status) -> None:
        print(f"job {job}: {status.state}{f' ({status.reason})' if status.reason else ''}", file=sys.stderr, flush=True)

    last = slurm.wait(orders, finished=finished, poll_seconds=poll_seconds, changed=changed)
    for job, status in last.items():
        if status.done or orders[job].elements or journal.ending(book, job):
            continue
        journal.append(
            book,
            job=job,
            event="failed" if status.ended else "lost",
            exit_code=status.exit_code,
            reason=f"Slurm: {status.state} {status.reason}".strip(),
            nodes=status.nodes,
        )
    return last
