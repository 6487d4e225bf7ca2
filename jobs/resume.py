"""Submit again what a job was that failed, was cancelled, ran out of time or was lost.

    mlrtma resume 12                       with the resources that it had
    mlrtma resume 12 --time 24:00:00       and a longer limit; any option of `mlrtma submit`

A training goes on from its newest whole checkpoint, a worklist with the tasks that remain. What still waits or runs,
and what Slurm does not answer for, is refused: it would run twice.
"""

import argparse

from hpc import journal, status
from hpc.evidence import gather, notes_of, number_of
from hpc.status import Job
from jobs import submit
from jobs.command_line import Parser
from jobs.job_names import check
from mlrtma_dist.errors import InputError


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    parser = Parser(prog="mlrtma resume", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", help="number of a job; of an array without its element")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="options of mlrtma submit, instead of those it had")
    values = parser.parse_args(arguments)
    (job,) = check([values.job])
    number = number_of(job)
    with submit.in_our_words():
        notes = notes_of(journal.read(journal.path()))
        submitted = notes[number].submitted if number in notes else {}
        evidence, _ = gather([number, *submitted.get("after", ())])
        _refuse(status.job_of(evidence, number))
        if not submitted.get("again"):
            raise InputError(
                f"job {number}: the journal has no line of its submission by `mlrtma submit`. Submit it again as it was"
                " submitted, a training with --resume."
            )
        after = [_again(status.job_of(evidence, before), number) for before in submitted.get("after", ())]
    options = ["--resume"] if submitted["verb"] == "train" else []
    if before := list(filter(None, after)):
        options += ["--after", *before]
    return submit.main([*submitted["again"][1:], *options, *values.options])


def _refuse(job: Job) -> None:
    """Raise InputError for what would run twice, or is done."""
    if job.state in status.ALIVE:
        way_out = f"mlrtma cancel {job.job} ends it" if job.source == "slurm" else "end the command that started it"
        raise InputError(f"job {job.job} is {job.state}: {way_out}")
    if job.twin:
        raise InputError(f"job {job.job} is {job.state}, and job {job.twin}, which does the same, waits or runs")
    if job.state == "unknown":
        raise InputError(f"job {job.job}: it may still run, as Slurm does not answer: {job.reason}. Ask again later.")
    if job.state == "done":
        raise InputError(f"job {job.job} is done. To repeat it remove its output and submit it again.")


def _again(before: Job, number: str) -> str:
    """The job to wait for instead of one that a job came after; "" where nothing is to be waited for."""
    if before.state in status.ALIVE:
        return before.job
    if before.twin or before.has_output or before.state == "done":
        return before.twin
    raise InputError(f"job {number} comes after job {before.job}, which is {before.state}: resume that one first")
