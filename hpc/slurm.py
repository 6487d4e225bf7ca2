"""Slurm: the only file that calls sbatch, squeue, scontrol, sacct and scancel, but for `nodes`.

The controller is asked for all jobs at once, once a minute at most: sites bar users whose scripts poll faster.
Where there is no accounting (sacct refuses), squeue and scontrol still list a job for MinJobAge (300 s by default)
after its end. A state that none of them reports is UNKNOWN, which is not a failure.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

UNKNOWN = "UNKNOWN"
ENDED = frozenset(
    ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
    + ("BOOT_FAIL", "DEADLINE", "PREEMPTED", "REVOKED", "LAUNCH_FAILED")
)
WAITING = frozenset(("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"))  # no process of it lives
RUNNING = frozenset(("RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "CONFIGURING"))
POLL_SECONDS = 60.0
# A controller that restarts is silent for minutes; a job that nobody knows for so many polls will not come back.
PATIENCE = 10
NO_SUCH_JOB = "Invalid job id"


class SlurmError(ValueError):
    """Slurm refused, or is not there; the message has its own words."""


@dataclass(frozen=True)
class Status:
    """What Slurm says of a job.

    Attributes:
        state: Slurm's word (PENDING, RUNNING, COMPLETED, FAILED, TIMEOUT, NODE_FAIL, ...) or UNKNOWN.
        reason: why it waits or failed, in Slurm's word; "" if none.
        exit_code: of the batch script; None before the end or where nobody knows.
        signal: that ended the batch script; 0: none.
        restarts: how often it was requeued.
        nodes: in Slurm's short form, e.g. "n[1-4]".
    """

    state: str = UNKNOWN
    reason: str = ""
    exit_code: int | None = None
    signal: int = 0
    restarts: int = 0
    nodes: str = ""

    @property
    def ended(self) -> bool:
        """Slurm says that the job is over; a job whose dependency failed never runs and is over, too."""
        return self.state in ENDED or self.reason == "DependencyNeverSatisfied"

    @property
    def done(self) -> bool:
        """The job is over and its exit code was 0."""
        return self.state == "COMPLETED"

    @property
    def words(self) -> str:
        """State and reason, for people."""
        return f"Slurm: {self.state} {self.reason}".strip()


def _call(*command: str, check: bool = True, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess:
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env={**os.environ, **(variables or {})}
        )
    except FileNotFoundError as error:
        raise SlurmError(
            f"{command[0]} is not on this machine's PATH: log in to the cluster, or use --machine local"
        ) from error
    except subprocess.TimeoutExpired:
        answer = subprocess.CompletedProcess(command, 1, "", f"{command[0]} gave no answer within 120 s")
    if check and answer.returncode:
        raise SlurmError(f"{' '.join(command)} failed with {answer.returncode}: {_one_line(answer.stderr)}")
    return answer


def _one_line(text: str) -> str:
    """The lines of a command's error as one, each once, without the command's name before each."""
    lines = (re.sub(r"^\w+: (error|fatal): ", "", line.strip()) for line in text.splitlines())
    return "; ".join(dict.fromkeys(filter(None, lines)))


def is_here() -> bool:
    """Whether this machine has Slurm's commands."""
    return shutil.which("squeue") is not None


def submit(line: Sequence[str], variables: Mapping[str, str]) -> str:
    """Queue a job; returns its number.

    Args:
        line: from "sbatch" to the script's last argument, with --parsable, as `hpc.order` makes it.
        variables: environment variables that Slurm hands on to the job.

    Raises:
        SlurmError: refused, with sbatch's words.
    """
    answer = _call(*line, variables=variables)
    return answer.stdout.strip().splitlines()[-1].split(";")[0]  # --parsable prints "number" or "number;cluster"


def states(jobs: Iterable[str]) -> dict[str, Status]:
    """The status of several jobs: one squeue for those in the queue, scontrol or sacct for those that left it."""
    jobs = list(dict.fromkeys(jobs))
    queued = _queued(jobs) if jobs else {}
    by_job = {job: queued.get(job) or Status() for job in jobs}
    for job, status in by_job.items():
        if status.ended or status.state in (UNKNOWN, "COMPLETING"):
            by_job[job] = _shown(job) or status
    forgotten = [job for job, status in by_job.items() if status.state == UNKNOWN]
    return {**by_job, **accounted(forgotten)}


def state(job: str) -> Status:
    """The status of one job; UNKNOWN where neither squeue, scontrol nor sacct know of it."""
    return states([job])[job]


def runs(job: str) -> bool | None:
    """Whether processes of a job may still live; None: there is no Slurm, or its controller does not answer."""
    try:
        status = state(job)
        if status.state == UNKNOWN:
            answer = _call("scontrol", "show", "job", job, check=False)
            return False if NO_SUCH_JOB in answer.stderr else None
    except SlurmError:
        return None
    return not status.ended and status.state not in WAITING


def own_jobs() -> dict[str, str]:
    """Jobs with a comment that wait or run, whoever submitted them: comment -> number, the newest of one comment.

    Raises:
        SlurmError: the controller does not answer, so it is not known which jobs there are.
    """
    live = [(comment, job) for job, word, reason, comment in rows("%F|%T|%r|%k") if not Status(word, reason).ended]
    return dict(sorted(live, key=lambda row: int(row[1])))


def rows(columns: str, *filters: str) -> list[list[str]]:
    """The rows of Slurm's queue.

    Args:
        columns: of squeue's --format, with | between them; only the last one may hold that character itself.
        filters: further options of squeue.

    Raises:
        SlurmError: the controller does not answer.
    """
    answer = _call("squeue", "--noheader", f"--format={columns}", *filters, check=False)
    if answer.returncode and NO_SUCH_JOB not in answer.stderr:
        raise SlurmError(f"squeue failed with {answer.returncode}: {_one_line(answer.stderr)}")
    count = columns.count("|")
    return [line.strip().split("|", count) for line in answer.stdout.splitlines() if line.count("|") >= count]


def partitions() -> dict[str, dict[str, str]]:
    """What Slurm says of each partition: name -> MaxTime, MaxNodes, AllowAccounts, State ...; empty: no answer."""
    try:
        answer = _call("scontrol", "--oneliner", "show", "partition", check=False)
    except SlurmError:
        return {}
    facts = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in answer.stdout.splitlines()]
    return {each["PartitionName"]: each for each in facts if "PartitionName" in each}


def max_array_size() -> int | None:
    """The most elements of an array that this Slurm takes (MaxArraySize); None: there is no answer."""
    try:
        answer = _call("scontrol", "show", "config", check=False)
    except SlurmError:
        return None
    size = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer.stdout, re.MULTILINE)
    return int(size.group(1)) if size else None


def worst(statuses: Iterable[Status]) -> Status:
    """Of an array's elements one that runs, else one that waits, else one that failed, else one that is done."""
    return min(statuses, key=lambda status: (status.ended, status.ended and status.done, status.state in WAITING))


def _queued(jobs: list[str]) -> dict[str, Status]:
    try:
        listed = rows("%i|%F|%T|%r", "--states=all", f"--jobs={','.join(jobs)}")
    except SlurmError:
        if not is_here():
            raise
        return {}  # the controller does not answer
    queued: dict[str, Status] = {}
    for job in jobs:
        # The elements of an array have one row each ("12_3|12|..."); the whole is over when none is left.
        reasons = [(word, "" if text == "None" else text) for own, array, word, text in listed if job in (own, array)]
        if reasons:
            queued[job] = worst(Status(*reason) for reason in reasons)
    return queued


def _shown(job: str) -> Status | None:
    answer = _call("scontrol", "--oneliner", "show", "job", job, check=False)
    tasks = [_parse_shown(line) for line in answer.stdout.splitlines() if "JobState=" in line]
    return worst(tasks) if tasks else None


def _parse_shown(line: str) -> Status:
    """A line of ``scontrol --oneliner show job`` as a Status."""
    facts = dict(re.findall(r"(\w+)=(\S*)", line))
    code, signal = (int(number) for number in facts.get("ExitCode", "0:0").split(":"))
    status = Status(
        facts["JobState"],
        facts.get("Reason", "").replace("None", ""),
        None,
        signal,
        int(facts.get("Restarts", 0)),
        facts.get("NodeList", "").replace("(null)", ""),
    )
    return Status(**{**vars(status), "exit_code": code}) if status.ended else status


def accounted(jobs: Sequence[str]) -> dict[str, Status]:
    """What Slurm's accounting says of jobs, in one question; nothing of those that it does not know, or without it."""
    if not jobs:
        return {}
    columns = "--format=JobID,State,ExitCode,NodeList"
    options = ("--allocations", "--noheader", "--parsable2", columns, f"--jobs={','.join(jobs)}")
    try:
        answer = _call("sacct", *options, check=False)
    except SlurmError:  # not installed
        return {}
    rows = [line.split("|") for line in answer.stdout.splitlines() if line.count("|") == 3]
    statuses: dict[str, list[Status]] = {}
    for job, word, exit_code, nodes in rows if answer.returncode == 0 else []:
        code, signal = (int(number) for number in exit_code.split(":"))
        status = Status(word.split()[0], "", code, signal, 0, nodes)  # "CANCELLED by 1000"
        for name in {job, job.partition("_")[0]}:
            statuses.setdefault(name, []).append(status)
    return {job: worst(statuses[job]) for job in jobs if job in statuses}


def wait(
    jobs: Iterable[str],
    *,
    finished: Callable[[str], bool],
    poll_seconds: float = POLL_SECONDS,
    changed: Callable[[str, Status], None] = lambda job, status: None,
    patience: int = PATIENCE,
) -> dict[str, Status]:
    """Wait until every job is over.

    Args:
        jobs: numbers.
        finished: whether a job's outputs say that it is done; asked before a job that Slurm has forgotten is given up.
        poll_seconds: between two questions to the controller.
        changed: called with a job's status whenever it changes.
        patience: a job is given up when its state is unknown for so many polls in a row and its outputs are not there.

    Returns:
        The last status of each job; COMPLETED for a forgotten job whose outputs are there, UNKNOWN for one without.
    """
    last: dict[str, Status] = dict.fromkeys(jobs, Status())
    open_jobs, silent = list(last), dict.fromkeys(last, 0)
    while True:
        for job, status in states(open_jobs).items():
            silent[job] = silent[job] + 1 if status.state == UNKNOWN else 0
            if status.state == UNKNOWN and finished(job):
                status = Status("COMPLETED", "forgotten by Slurm, but its outputs are there", 0)
            if status != last[job]:
                last[job] = status
                changed(job, status)
            if status.ended or silent[job] >= patience:
                open_jobs.remove(job)
        if not open_jobs:
            return last
        time.sleep(poll_seconds)


def requeue(job: str) -> None:
    """Queue a running batch job again; Slurm ends its present run, the batch script included.

    Raises:
        SlurmError: refused, e.g. because the job was submitted with --no-requeue.
    """
    _call("scontrol", "requeue", job)


def cancel(job: str) -> None:
    """End a job.

    Raises:
        SlurmError: refused.
    """
    _call("scancel", job)
