"""The life of one job, as its batch script runs it: journal, ranks, journal again, and back into the queue if it asks.

    python -m hpc.job --verb train --config FILE COMMAND [ARGUMENT ...]

Exit codes of COMMAND: 0 done; 75 (EX_TEMPFAIL of sysexits.h, "try again") checkpointed, run me again; others failed.
Under Slurm 75 becomes ``scontrol requeue``; elsewhere it is handed on, and whoever started the job runs it again.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from hpc import journal, slurm
from hpc.machine import ROOT

DONE, AGAIN = 0, 75
RESTARTS = 100
FALLEN = re.compile(rb"rank \d+ on \S+ (was ended by signal|ended with exit code) \d+$")  # said by launch.sh


def identity() -> str:
    """This job's number: Slurm's (array_element in an array), the submitter's, or one made of the process's."""
    array, element = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    number = f"{array}_{element}" if array else os.environ.get("SLURM_JOB_ID")
    return number or os.environ.get("MLRTMA_JOB") or f"local-{os.getpid()}"


def restarts() -> int:
    """How often this job was started before."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or os.environ.get("MLRTMA_RESTART_COUNT") or 0)


def run(command: list[str], *, verb: str, config: str) -> int:
    """Run a job to its end and write down what became of it; returns its exit code.

    Args:
        command: what starts the ranks.
        verb, config: for the journal.
    """
    book, job = journal.path(), identity()
    journal.append(
        book,
        job=job,
        event="started",
        verb=verb,
        config=config,
        commit=journal.commit(ROOT),
        restarts=restarts(),
        nodes=os.environ.get("SLURM_JOB_NODELIST") or os.uname().nodename,
    )
    code, fallen, stopped = _supervise(command)
    if code == AGAIN and not stopped:
        return _again(book, job)
    reason = "; ".join(filter(None, ["SIGTERM: cancelled, preempted or out of time" if stopped else "", fallen]))
    if code == DONE:
        journal.append(book, job=job, event="done", exit_code=code)
    else:
        journal.append(book, job=job, event="failed", exit_code=code, reason=reason or f"exit code {code}")
    return code


def _supervise(command: list[str]) -> tuple[int, str, bool]:
    """Exit code, the first rank that fell in launch.sh's words, and whether this job was told to stop."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None, "it is a pipe"
    messages = process.stderr
    received = []

    def forward(number, frame):
        received.append(number)
        process.send_signal(number)

    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, forward)
    fallen = []

    def copy():
        for line in messages:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
            if match := FALLEN.search(line.rstrip()):
                fallen.append(match.group().decode())

    reader = threading.Thread(target=copy)
    reader.start()
    code = process.wait()
    reader.join()
    first = (fallen or [""])[0]
    return code_of_ranks(code if code >= 0 else 128 - code, first), first, signal.SIGTERM in received


def code_of_ranks(code: int, fallen: str) -> int:
    """The exit code of a job's ranks, which end together when one hangs: 75 though the one that hangs had to be killed.

    Args:
        code: of what started them, the highest of theirs; fallen: the first rank that fell, in launch.sh's words.
    """
    return AGAIN if code > 128 and fallen.endswith(f" exit code {AGAIN}") else code


def _again(book: Path, job: str) -> int:
    limit = int(os.environ.get("MLRTMA_RESTARTS") or RESTARTS)
    if restarts() >= limit:
        journal.append(
            book,
            job=job,
            event="failed",
            exit_code=AGAIN,
            reason=f"asked to be run again after {limit} restarts, the most that MLRTMA_RESTARTS allows",
        )
        return 1
    # Written first: the requeue ends this process, too.
    journal.append(book, job=job, event="again", exit_code=AGAIN)
    if "SLURM_JOB_ID" in os.environ:
        try:
            slurm.requeue(os.environ["SLURM_JOB_ID"])
        except slurm.SlurmError as error:
            journal.append(book, job=job, event="failed", exit_code=AGAIN, reason=str(error))
            print(f"hpc.job: {error}", file=sys.stderr)
    return AGAIN


def main(arguments: list[str] | None = None) -> int:
    """Run the module from a batch script; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hpc.job", description=__doc__.splitlines()[0])
    parser.add_argument("--verb", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    values = parser.parse_args(arguments)
    if not values.command:
        parser.error("expected a command to run")
    return run(values.command, verb=values.verb, config=values.config)


if __name__ == "__main__":
    sys.exit(main())
