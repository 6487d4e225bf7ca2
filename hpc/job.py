"""The life of one job, as its batch script runs it: journal, ranks, journal again, and back into the queue if it asks.

    python -m hpc.job --verb train --config FILE COMMAND [ARGUMENT ...]

Exit codes of COMMAND: 0 done; 75 (EX_TEMPFAIL of sysexits.h, "try again") checkpointed, run me again; others failed.
Under Slurm 75 becomes ``scontrol requeue``; elsewhere it is handed on, and whoever started the job runs it again. A job
that lost one of its nodes is queued again, too: its ranks fail before Slurm takes note.

A 0 is not believed where Slurm ends the job or its step (time limit, scancel, preemption, a node that fails): srun ends
with 0, too, when it gave up waiting for ranks that were killed.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from hpc import journal, nodes, process, progress, record, slurm
from hpc.machine import ROOT

DONE, AGAIN = 0, 75
RESTARTS = 100
FALLEN = re.compile(rb"rank \d+ on \S+ (was ended by signal|ended with exit code) \d+$")  # printed by launch.sh
MESSAGE = re.compile(rb"mlrtma \w+: .+$")  # the last words of a verb that ends with an error
CUT_OFF = re.compile(rb"\*\*\* ((?:JOB|STEP) \S+ ON \S+ CANCELLED .+) \*\*\*|srun: error: (Timed out waiting for .+)")
WITHOUT_CAUSE = re.compile(r"STEP \S+ ON \S+ CANCELLED AT \S+")
# Printed by srun before any rank has started, where slurmctld does not answer.
UNREACHED = re.compile(rb"srun: error: Unable to (confirm allocation|create step) .*Unable to contact slurm controller")
# Printed by scontrol where slurmctld does not answer, which is no refusal; the first by Slurm 22.05 while it is down.
NO_ANSWER = (
    "Unexpected message received",
    "Unable to contact slurm controller",
    "timed out",
    "Zero Bytes",
    "gave no answer",
    "standby mode",  # the backup controller, until it takes over
    "Communication connection failure",
    "Message send failure",
    "Message receive failure",
)
# Of a step that ends while its job runs: by scancel, or as PMIx lost a rank and Slurm killed the shell that names it.
UNNAMED = "by hand, or because a rank fell and Slurm left no time to name it"
PAUSE = 5.0  # s before a controller that did not answer is asked again, after srun or scontrol has tried for a while
PATIENCE = 3600.0  # s that a job which is to be queued again waits for the controller: an update takes minutes


@dataclass
class Ending:
    """How the ranks of a job ended.

    Attributes:
        code: exit code of what started them.
        fallen: the first rank that fell, in the words of launch.sh; "" if none.
        message: the error of the first rank that wrote one; "" if none.
        cut_off: that Slurm ended them, in the words of srun and slurmstepd; "" if it did not.
        terminated: whether this job received SIGTERM.
        unreached: whether no rank has started, as Slurm's controller did not answer.
    """

    code: int = 0
    fallen: str = ""
    message: str = ""
    cut_off: str = ""
    terminated: bool = False
    unreached: bool = False


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
        **({"process": process.identity(os.getpid())} if job == f"local-{os.getpid()}" else {}),
    )
    ending = _supervise(command, own := {progress.VARIABLE: str(progress.path_of(job).absolute())})
    while ending.unreached and not ending.terminated:  # the controller restarts: this job has its nodes, and waits
        journal.warn("hpc.job: Slurm's controller does not answer: the ranks start when it does")
        time.sleep(PAUSE)
        ending = _supervise(command, own)
    return _close(book, job, ending, _slurms_view(job))


def _slurms_view(job: str) -> slurm.Status:
    """What Slurm says of this job while its batch script still runs: RUNNING unless Slurm is ending it."""
    try:
        return slurm.state(job) if "SLURM_JOB_ID" in os.environ else slurm.Status()
    except slurm.SlurmError:  # no squeue on this node
        return slurm.Status()


def _close(book: Path, job: str, ending: Ending, status: slurm.Status) -> int:
    """Write down what became of the job, queue it again if its ranks ask for that, and return its exit code."""
    # Slurm queued it again, as its node failed or it was preempted: it waits, or completes and counts one more start.
    if status.state in slurm.WAITING or status.restarts > restarts():
        journal.append(book, job=job, event="again", exit_code=ending.code, reason=status.words)
        return AGAIN
    by_slurm = "" if status.state in (slurm.UNKNOWN, *slurm.RUNNING) else status.words
    if ending.code == AGAIN and not (ending.terminated or by_slurm):
        return _again(book, job)
    if ending.code == DONE and not (by_slurm or ending.cut_off):
        record.write(job)
        journal.append(book, job=job, event="done", exit_code=DONE)
        return DONE
    if not (ending.terminated or by_slurm) and (lost := nodes.silent()):
        return _again(book, job, f"no answer from {', '.join(lost)}")
    by_signal = "SIGTERM: cancelled, preempted or out of time" if ending.terminated else ""
    message = "" if " by signal " in ending.fallen else ending.message  # of ranks that lost the one that was killed
    # SIGTERM or the job's state is a cause already, and where Slurm has another it says so (" DUE TO ...").
    unnamed = status.state in slurm.RUNNING and not ending.terminated and WITHOUT_CAUSE.fullmatch(ending.cut_off)
    cut_off = f"{ending.cut_off}, {UNNAMED}" if unnamed else ending.cut_off
    reasons = filter(None, [by_signal, by_slurm, ending.fallen or cut_off, message])
    reason = "; ".join(reasons) or f"exit code {ending.code}"
    journal.append(book, job=job, event="failed", exit_code=ending.code, reason=reason)
    return ending.code or 1


def _supervise(command: list[str], own: dict[str, str]) -> Ending:
    # Slurm would hand nothing on to the ranks where the job was submitted with SBATCH_EXPORT=NONE.
    variables = {**os.environ, **own, "SLURM_EXPORT_ENV": "ALL"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=variables)
    assert process.stderr is not None, "it is a pipe"
    messages, ending = process.stderr, Ending()

    def forward(number, frame):
        ending.terminated |= number == signal.SIGTERM
        process.send_signal(number)

    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, forward)

    def copy():
        for line in messages:
            with contextlib.suppress(OSError):  # a log that takes nothing more must not stop the ranks
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()
            if match := FALLEN.search(line.rstrip()):
                ending.fallen = ending.fallen or match.group().decode()
            ending.unreached |= UNREACHED.search(line) is not None
            if match := MESSAGE.match(line.rstrip()):
                ending.message = ending.message or match.group().decode(errors="replace")
            if match := CUT_OFF.search(line):
                ending.cut_off = ending.cut_off or (match[1] or match[2]).decode()

    reader = threading.Thread(target=copy)
    reader.start()
    code = process.wait()
    reader.join()
    ending.code = code_of_ranks(code if code >= 0 else 128 - code, ending.fallen)
    return ending


def code_of_ranks(code: int, fallen: str) -> int:
    """The exit code of a job's ranks, which end together when one hangs: 75 though the one that hangs had to be killed.

    Args:
        code: of what started them, the highest of theirs; fallen: the first rank that fell, in launch.sh's words.
    """
    return AGAIN if code > 128 and fallen.endswith(f" exit code {AGAIN}") else code


def _again(book: Path, job: str, reason: str = "") -> int:
    limit = int(os.environ.get("MLRTMA_RESTARTS") or RESTARTS)
    if restarts() >= limit:
        journal.append(
            book,
            job=job,
            event="failed",
            exit_code=AGAIN,
            reason=f"{reason or 'asked to be run again'} after {limit} restarts, the most that MLRTMA_RESTARTS allows",
        )
        return 1
    # Written first: the requeue ends this process, too.
    journal.append(book, job=job, event="again", exit_code=AGAIN, **({"reason": reason} if reason else {}))
    if "SLURM_JOB_ID" in os.environ:
        try:
            _requeue(os.environ["SLURM_JOB_ID"])
        except slurm.SlurmError as error:
            journal.append(book, job=job, event="failed", exit_code=AGAIN, reason=str(error))
            journal.warn(f"hpc.job: {error}")
    return AGAIN


def _requeue(job: str) -> None:
    """Queue this job again; a controller that does not answer is asked again for ``PATIENCE`` s.

    It holds its nodes meanwhile, as nobody ends it. Where only the reply was lost this process is ended as it waits.

    Raises:
        slurm.SlurmError: refused, or no answer for so long.
    """
    end, warned = time.monotonic() + PATIENCE, False
    while True:
        try:
            return slurm.requeue(job)
        except slurm.SlurmError as error:
            if not any(words in str(error) for words in NO_ANSWER):
                raise
            if time.monotonic() > end:
                raise slurm.SlurmError(
                    f"{error}; Slurm's controller gave no answer for {PATIENCE:g} s, so the job is not queued again:"
                    " mlrtma resume JOB goes on from what it has written"
                ) from error
            if not warned:
                journal.warn("hpc.job: Slurm's controller does not answer: this job is queued again when it does")
            warned = True
            time.sleep(PAUSE)


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
