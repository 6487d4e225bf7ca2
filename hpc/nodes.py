"""The nodes of this job that no longer answer, which Slurm itself takes note of only after minutes (SlurmdTimeout).

The ranks of a job lose a node within a second and fail; their job would be over before Slurm queues it again.
"""

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

SECONDS = 60.0  # in which an idle step starts on any node that answers
AT_ONCE = 16


def silent() -> list[str]:
    """Nodes of this job on which no step starts any more; none outside of Slurm, or where steps start nowhere."""
    own, listed = os.environ.get("SLURMD_NODENAME"), os.environ.get("SLURM_JOB_NODELIST")
    if not own or not listed or listed == own:
        return []
    nodes = _output("scontrol", "show", "hostnames", listed).split()
    if not _answers(own):  # on which this process runs: there is another reason
        return []
    others = [node for node in nodes if node != own]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [node for node, answers in zip(others, pool.map(_answers, others), strict=True) if not answers]


def _answers(node: str) -> bool:
    # --overlap: beside a step that is about to end; --mem=0: whatever memory the job has; no more than that it starts.
    place = ("--overlap", "--mem=0", "--nodes=1", "--ntasks=1", "--cpus-per-task=1", f"--nodelist={node}")
    line = ("srun", *place, "--mpi=none", "--input=none", "--quiet", "bash", "-c", 'echo "$SLURMD_NODENAME"')
    return _output(*line).strip() == node


def _output(*command: str) -> str:
    """The standard output of a command; "" where it cannot be run, or has no end within `SECONDS`."""
    try:
        return _run(command).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _run(command: Sequence[str]) -> subprocess.CompletedProcess:
    # The job's own --ntasks and --distribution would apply to this step, too.
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_NTASKS", "SLURM_TASKS", "SLURM_DIST"))}
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=variables)
