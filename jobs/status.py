"""Say what became of jobs, how far they are, and what to do next.

    mlrtma status                              the jobs of this folder
    mlrtma status 12 13_4                      these; of an array its elements, too
    mlrtma status campaigns/july.yaml          the steps of a campaign
    mlrtma status --live                       again every minute, until nothing waits or runs
    mlrtma status --json                       for programs

Slurm and the outputs decide. The journal's word counts where neither can tell; a job of which Slurm does not answer is
unknown, which is no failure. Exit code 0, whatever became of the jobs.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict

from hpc import status
from hpc.slurm import POLL_SECONDS
from hpc.status import Job
from jobs.command_line import Parser
from jobs.job_names import MEANING, add_campaign_options, campaign_of, check
from jobs.submit import in_our_words

COLUMNS = ("job", "step", "state", "progress", "rate", "left", "log")


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    parser = Parser(prog="mlrtma status", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="JOB|CAMPAIGN", help=f"{MEANING}; or a campaign's file; none: all")
    add_campaign_options(parser)
    parser.add_argument("--days", type=float, default=7.0, help="how long jobs that are over are listed (default: 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per job, in a list")
    parser.add_argument("--live", action="store_true", help="print again every minute while jobs wait or run")
    values = parser.parse_args(arguments)
    with in_our_words():
        if values.live and not values.json:
            _watch(values)
            return 0
        jobs = _look(values)
        if values.json:
            print(json.dumps([_entry(job) for job in jobs], indent=1))
        else:
            _console().print(_page(jobs))
    return 0


def _look(values: argparse.Namespace) -> list[Job]:
    campaign = campaign_of(values)
    return status.campaign(*campaign) if campaign else status.jobs(check(values.names), values.days)


def _watch(values: argparse.Namespace) -> None:
    """Show the state every minute, as sites bar users whose programs ask Slurm more often."""
    from rich.live import Live

    with Live(console=_console(), auto_refresh=False) as display:
        while True:
            jobs = _look(values)
            display.update(_page(jobs), refresh=True)
            if not any(job.state in status.ALIVE or job.state == "unknown" for job in jobs):
                return
            time.sleep(POLL_SECONDS)


def _entry(job: Job) -> dict:
    """A job as a program reads it; times in seconds."""
    counted = job.progress
    rates = {"rate": counted.rate, "seconds_left": counted.seconds_left} if counted else {}
    return {**asdict(job), "progress": {**asdict(counted), **rates} if counted else None}


def _console():
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False, emoji=False)


def _page(jobs: list[Job]):
    """The table of jobs, and below it what is to be said and done of single ones."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if not jobs:
        return Text("no jobs here: nothing waits or runs, and nothing was noted of late")
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, no_wrap=column in ("job", "state"), overflow="fold")
    for job in jobs:
        table.add_row(*map(Text, _cells(job)))
    lines = [_sentence(job) for job in jobs if job.action or job.reason]
    return Group(table, *([Text(), *map(Text, lines)] if lines else []))


def _sentence(job: Job) -> str:
    """Why a job is in its state, whose word that is where it is the journal's, and what to do."""
    reason = f" ({job.reason})" if job.reason else ""
    source = ", says the journal" if job.source == "journal" else ""
    action = f". Next: {job.action}" if job.action else ""
    return f"{job.job or job.step}: {job.state}{reason}{source}{action}"


def _cells(job: Job) -> tuple[str, ...]:
    name = job.step or f"{job.verb} {job.config}".strip()
    counted = job.progress
    if counted is None:
        return job.job, name, job.state, "", "", _clock(job.limit_left, " to its limit"), job.log
    if counted.total == 1.0 and counted.what != "tasks":  # a share
        done, rate = f"{counted.what} {counted.done:.0%}", ""
    else:
        done = f"{counted.done:.0f} of {counted.total:.0f} {counted.what}"
        hourly = 3600.0 * (counted.rate or 0.0)
        rate = f"{hourly:,.0f}/h" if hourly >= 100.0 else f"{hourly:.3g}/h" if hourly else ""
    runs = job.state == "running"
    return job.job, name, job.state, done, rate * runs, _clock(counted.seconds_left) * runs, job.log


def _clock(seconds: float | None, words: str = "") -> str:
    """A time as hours and minutes; "" of none."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min{words}" if minutes >= 60 else f"{seconds / 60:.1f} min{words}"
