"""Slurm's answers: its commands are replaced by programs that answer as they do."""

import os
import sys
from pathlib import Path

from hpc import journal

UNLISTED = "slurm_load_jobs error: Invalid job id specified"
SILENT = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
DISABLED = "Slurm accounting storage is disabled"
# Its line goes to the file sbatch.json; the numbers are 101, 102, ..., up to MOST.
SBATCH = """\
import json, os, sys
file = open("sbatch.json", "a+")
file.seek(0)
number = 101 + len(file.readlines())
if number > int(os.environ.get("MOST", 999)): sys.exit("sbatch: error: QOSMaxSubmitJobPerUserLimit")
print(json.dumps(sys.argv[1:]), file=file)
print(number)
"""


class Answers:
    """A folder of programs in the place of Slurm's; ``calls`` lists the command lines that asked them."""

    def __init__(self, folder: Path):
        self.folder, self._log = folder, folder / "calls"
        folder.mkdir()
        self._command("sbatch", sys.executable, SBATCH)
        self._command("scancel", "/bin/sh", f'echo "scancel $*" >> "{self._log}"')
        self()

    def __call__(self, **texts: str) -> None:
        """Set what squeue, scontrol and sacct print; a text with "error" or "disabled" in it goes to standard error."""
        for name in ("squeue", "scontrol", "sacct"):
            text = texts.get(name, DISABLED if name == "sacct" else UNLISTED)
            failed = "error" in text or "disabled" in text
            note = f'echo "{name} $*" >> "{self._log}"\n'
            answer = f"cat <<'TEXT'{' >&2' if failed else ''}\n{text}\nTEXT\nexit {int(failed)}"
            self._command(name, "/bin/sh", note + answer)

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def _command(self, name: str, program: str, text: str) -> None:
        path = self.folder / name
        path.write_text(f"#!{program}\n{text}\n")
        path.chmod(0o755)


def row(job, word, reason="None", left="4:00", comment="", folder=None):
    """A row of squeue as `hpc.queue` asks for it."""
    number = job.partition("_")[0]
    return "|".join([job, number, word, reason, "n1", "2026-11-27T16:00:00", left, comment, folder or os.getcwd()])


def comment_of(job):
    """By which the queue shows that a job is its step's."""
    return f"mlrtma {journal.read(journal.path(), job)[0]['key']}"
