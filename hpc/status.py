"""What became of jobs, how far they are, and what to do next.

Slurm and the outputs decide; the journal's word counts only where neither can tell, and `Job.source` says whose word it
is. A job of which Slurm does not answer is unknown, which is no failure; a job that Slurm no longer lists is lost only
if its outputs are not there either.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hpc import journal, process, progress, record, slurm
from hpc.campaign import arguments_of, key_of
from hpc.chain import Step
from hpc.evidence import Evidence, Note, gather, number_of
from hpc.machine import Machine
from hpc.order import MARK
from hpc.outputs import Work, work_of
from hpc.progress import Progress
from hpc.queue import Row

WORDS = {"COMPLETED": "done", "TIMEOUT": "out of time", "NODE_FAIL": "node failed", "OUT_OF_MEMORY": "out of memory"}
WAITS = {  # Slurm's reason -> what it means
    "Dependency": "it starts when the jobs before it have succeeded",
    "JobHeldUser": "scontrol release {}",
    "JobHeldAdmin": "the site holds it: ask there",
}
MORE = {"out of time": " --time LONGER", "out of memory": " --nodes MORE"}
LATER = "ask again later; this is no failure"
STALE = 900.0  # seconds without progress that are told
ALIVE = ("waiting", "running")


@dataclass(frozen=True)
class Job:
    """What is known of a job, or of one element of an array.

    Attributes:
        job: number; "" for a step of a campaign that was not submitted.
        verb, config: what it runs; "" where nobody has written it down.
        state: waiting, running, done, failed, out of time, cancelled ... (Slurm's word), unknown or lost.
        source: who says so: slurm, outputs, process, journal; "": nobody.
        has_output: the output of its step is there, or all its tasks are done, by whichever job.
        twin: number of another job of its step that waits or runs; "": there is none.
        reason: why it waits or failed.
        progress: how far it is; None: it does not say.
        limit_left: until its time limit, s.
        log: its log; of an array a pattern of its elements' logs; "": there is none.
        action: what to do next; "" where there is nothing to do.
        step: of a campaign.
    """

    job: str
    verb: str = ""
    config: str = ""
    state: str = "unknown"
    source: str = ""
    has_output: bool = False
    twin: str = ""
    reason: str = ""
    progress: Progress | None = None
    limit_left: int | None = None
    log: str = ""
    action: str = ""
    step: str = ""


def jobs(numbers: Iterable[str] = (), days: float = 7.0) -> list[Job]:
    """The state of jobs.

    Args:
        numbers: of jobs, or of elements of arrays as 12_3; an array's elements follow it; none: all of this folder.
        days: jobs of which nothing was noted for so long are left out, unless they are named or in the queue.
    """
    numbers = list(numbers)
    evidence, ordered = gather(numbers or None, days)
    if not numbers:
        return [job_of(evidence, number) for number in ordered]
    parts: list[Job] = []
    for number in numbers:
        parts.append(job_of(evidence, number))
        elements = {row.job for row in evidence.rows.get(number, ())} | set(_note(evidence, number).last) - {number}
        if "_" not in number:
            parts += [job_of(evidence, each) for each in sorted(elements - {number}, key=_order)]
    return parts


def campaign(machine: Machine, steps: Iterable[Step]) -> list[Job]:
    """The state of a campaign's steps on a machine, each by its newest job."""
    keys = {step: key_of(machine, step) for step in steps}
    noted = {str(line["key"]): str(line["job"]) for line in journal.read(journal.path()) if line.get("key")}
    evidence, _ = gather({noted[key] for key in keys.values() if key in noted})
    numbers = {row.comment.removeprefix(MARK): row.number for row in evidence.by_age()}
    silent = evidence.silent if machine.scheduler == "slurm" else ""
    parts = []
    for step, key in keys.items():
        if candidates := [number for number in (numbers.get(key), noted.get(key)) if number]:
            number = max(candidates, key=_order)  # the newest
            job = replace(job_of(evidence, number), step=step.name, verb=step.verb, config=step.config)
            by_another = job.has_output and job.state not in ALIVE
            parts.append(replace(job, state="done", source="outputs", reason="", action="") if by_another else job)
            continue
        work = work_of(step.verb, step.config, arguments_of(machine, step))
        has_output = not work.left if work else record.is_done(key)
        state, action = ("unknown", LATER) if silent else ("not submitted", "mlrtma submit campaign")
        job = Job("", step.verb, step.config, state, reason=silent, action=action, step=step.name)
        by_outputs = replace(job, state="done", source="outputs", has_output=True, reason="", action="")
        parts.append(by_outputs if has_output else job)
    return parts


def job_of(evidence: Evidence, job: str) -> Job:
    """The state of one job, or of one element, from what there is about it."""
    note = _note(evidence, job)
    rows = [row for row in evidence.rows.get(number_of(job), ()) if job in (row.job, row.number)]
    key = _key(note.submitted, rows)
    work = _work(evidence, note.submitted, job, any(not row.status.ended for row in rows))
    has_output = not work.left if work else bool(key) and record.is_done(key)
    state, source, reason = _state(evidence, job, rows, has_output, work.words if work else "")
    if work and work.what == "tasks":
        now = time.time()
        counted: Progress | None = Progress("tasks", work.total - work.left, work.total, 0.0, note.begun or now, now)
    else:
        counted = progress.read(job) or progress.of_array(job, note.submitted.get("elements", 0))
    twin = evidence.live.get(f"{MARK}{key}", "") if key else ""
    limits = [row.seconds_left for row in rows if row.seconds_left is not None and row.status.state in slurm.RUNNING]
    about = note.submitted or next(iter(note.last.values()), {})
    whole = Job(
        job=job,
        verb=about.get("verb") or key.rpartition("-")[0],
        config=about.get("config", ""),
        state=state,
        source=source,
        has_output=has_output,
        twin=twin if twin != number_of(job) else "",
        reason=reason,
        progress=counted,
        limit_left=min(limits, default=None),
        log=evidence.log(job),
    )
    return replace(whole, action=_action(whole, bool(note.submitted.get("again"))))


def _state(evidence: Evidence, job: str, rows: list[Row], has_output: bool, remains: str) -> tuple[str, str, str]:
    """State, whose word that is, and the reason; ``remains``: of the work of an array, in words."""
    account = evidence.accounted.get(job)
    if rows or account:
        status = slurm.worst(row.status for row in rows) if rows else account
        assert status is not None, "one of them is there"
        if not status.ended:
            waits = status.state in slurm.WAITING
            begins = f"expected to start at {rows[0].begun}" if waits and len(rows) == 1 and rows[0].begun else ""
            again = _note(evidence, job).again(job)
            words = ", ".join(filter(None, (status.reason, begins, f"queued again: {again}" if again else "")))
            return "waiting" if waits else "running", "slurm", _counts(rows) or words
        if status.done and remains:  # the controller forgets elements that ended long ago
            return "failed", "outputs", remains
        ending = _note(evidence, job).ending(job).get("reason", "")
        reasons = dict.fromkeys(("" if status.done else _counts(rows), status.reason, "" if status.done else ending))
        return _word(status), "slurm", "; ".join(filter(None, reasons))
    if has_output:
        return "done", "outputs", ""
    if not job.startswith("local-") and evidence.silent:
        return "unknown", "", evidence.silent
    if ending := _note(evidence, job).ending(job):
        if ending["event"] == "done" and remains:
            return "failed", "outputs", remains
        return str(ending["event"]), "journal", str(ending.get("reason", ""))
    if job.startswith("local-"):
        noted = _note(evidence, job).process
        runs = process.lives(int(job.split("-")[1]), noted)
        if runs is None:
            return "unknown", "", f"it was started on {noted[0]}: ask there"
        if runs:
            return "running", "process", ""
    return "lost", "", "Slurm does not list it, its output is not there, and the journal has no end of it"


def _word(status: slurm.Status) -> str:
    if status.reason == "DependencyNeverSatisfied":
        return "cancelled"
    return WORDS.get(status.state, status.state.lower().replace("_", " "))


def _counts(rows: list[Row]) -> str:
    """Of an array how many elements are in which state, and why the first of them waits."""
    if len(rows) < 2:
        return ""
    words = [
        _word(r.status) if r.status.ended else "waiting" if r.status.state in slurm.WAITING else "running" for r in rows
    ]
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))


def _action(job: Job, can_resume: bool) -> str:
    """What to do about a job; ``can_resume``: the journal has how it was submitted."""
    number = number_of(job.job)
    if job.state == "running":
        return _remark(job)
    if job.state == "waiting":
        return WAITS.get(job.reason.partition(",")[0], "").format(number)
    if job.state == "done":
        return ""
    if job.state == "unknown":
        return LATER
    if job.twin:
        return f"nothing: job {job.twin} does it again"
    if job.has_output:
        return "nothing: its output is there"
    if not can_resume:
        return "submit it again as it was submitted, a training with --resume"
    if job.reason.startswith("DependencyNeverSatisfied"):
        return "a job before it failed: resume that one, then this one; or submit the campaign again"
    return f"mlrtma resume {number}{MORE.get(job.state, '')}"


def _remark(job: Job) -> str:
    """What is to be looked at in a job that runs."""
    counted = job.progress
    if counted is None:
        return ""
    if time.time() - counted.time > STALE:
        return f"no progress since {time.strftime('%H:%M:%S', time.localtime(counted.time))}: mlrtma logs {job.job}"
    if job.limit_left is not None and (counted.seconds_left or 0.0) > job.limit_left:
        return "at this rate its time limit comes first"
    return ""


def _note(evidence: Evidence, job: str) -> Note:
    return evidence.notes.get(number_of(job)) or Note()


def _key(submitted: dict, rows: list[Row]) -> str:
    comments = (row.comment.removeprefix(MARK) for row in rows if row.comment.startswith(MARK))
    return submitted.get("key") or next(comments, "")


def _work(evidence: Evidence, submitted: dict, job: str, runs: bool) -> Work | None:
    """What remains of a job's work; a verb that divides its own is not asked while the job ``runs``."""
    verb, config = submitted.get("verb", ""), submitted.get("config", "")
    if not verb or (runs and verb != "worklist"):
        return None
    arguments, elements = submitted.get("arguments", ()), submitted.get("elements", 0)
    return work_of(verb, config, arguments, job, elements, evidence.answers)


def _order(job: str) -> tuple[int, str]:
    return len(job), job
