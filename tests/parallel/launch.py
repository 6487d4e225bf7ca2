"""Starts ranks from plain pytest: a kernel is a script that rank 0 of a job ends by printing one line of JSON."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
KERNELS = HERE / "kernels"
START = "import sys; from jobs.command import main; sys.exit(main())"  # the command itself


@dataclass(frozen=True)
class Ended:
    """How a job ended: exit status, and what its ranks wrote."""

    status: int
    out: str
    err: str


def rank_environment() -> dict[str, str]:
    """This process's environment with what ranks of the tests need: their modules, one thread, leave to be root."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), str(HERE), os.environ.get("PYTHONPATH")])),
        "OMP_NUM_THREADS": "1",
        # Keep freed memory: handing it back and asking again costs a sixth of a step at these sizes.
        "MALLOC_MMAP_THRESHOLD_": "1000000000",
        "MALLOC_TRIM_THRESHOLD_": "2000000000",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }


def start_ranks(kernel: str, ranks: int, *arguments, timeout: float = 300.0, environment: dict | None = None) -> Ended:
    """Run ``kernels/<kernel>.py`` on ``ranks`` ranks with one thread each; 0 ranks means without mpiexec.

    Raises:
        subprocess.TimeoutExpired: the ranks hang; they have been killed.
    """
    command = [sys.executable, str(KERNELS / f"{kernel}.py"), *map(str, arguments)]
    if ranks:
        mpiexec = Path(sys.executable).parent / "mpiexec"
        launcher = str(mpiexec) if mpiexec.exists() else "mpiexec"
        command = [launcher, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *command]
    settings = rank_environment() | (environment or {})
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=settings)
    return Ended(done.returncode, done.stdout, done.stderr)


def launch(kernel: str, ranks: int, *arguments, timeout: float = 300.0, environment: dict | None = None):
    """Run a kernel that must succeed; the JSON that it printed last."""
    ended = start_ranks(kernel, ranks, *arguments, timeout=timeout, environment=environment)
    assert ended.status == 0, f"{kernel} on {ranks} ranks ended with {ended.status}:\n{ended.out}\n{ended.err}"
    return json.loads(ended.out.strip().splitlines()[-1])


def process_of(rank: int, output: Path) -> int:
    """The process of a rank of the training that writes to ``output``."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is another user's
            continue
        ours = os.path.realpath(folder / "exe") == os.path.realpath(sys.executable)
        if ours and f"output={output}".encode() in command and f"PMIX_RANK={rank}".encode() in environment:
            return int(folder.name)
    raise ProcessLookupError(f"no process of rank {rank} writes to {output}")


def kill_in_training(options: list[str], output: Path, after: int, *, folder: Path | None = None) -> None:
    """Train on two ranks until metrics have ``after`` rows, then kill rank 1 with signal 9, which must end the job.

    Args:
        options: of the command, beside its output; output: of the training, of which metrics.csv is read.
        folder: in which the command runs; None: this one.
    """
    mpiexec = Path(sys.executable).with_name("mpiexec")
    start = [str(mpiexec) if mpiexec.exists() else "mpiexec", "--oversubscribe", "--bind-to", "none", "-n", "2"]
    command = [*start, sys.executable, "-c", START, *options, "--set", f"output={output}"]
    nowhere = subprocess.DEVNULL
    job = subprocess.Popen(command, env=rank_environment(), stderr=nowhere, stdout=nowhere, cwd=folder)
    metrics = output / "metrics.csv"
    try:
        while (len(metrics.read_text().splitlines()) if metrics.exists() else 0) <= after and job.poll() is None:
            time.sleep(0.01)
        os.kill(process_of(1, output), signal.SIGKILL)
        assert job.wait(timeout=60) != 0
    finally:
        job.kill()


def mlrtma(folder: Path, verb: str, config: str, *more: str, ranks: int = 1) -> str:
    """Run a verb in a folder; what it wrote to standard output."""
    command = [sys.executable, "-c", START, verb, str(ROOT / "configs" / config), *more]
    if ranks > 1:
        mpiexec = Path(sys.executable).parent / "mpiexec"
        launcher = str(mpiexec) if mpiexec.exists() else "mpiexec"
        command = [launcher, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *command]
    root = (
        "OMPI_ALLOW_RUN_AS_ROOT",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
        "PRTE_ALLOW_RUN_AS_ROOT",
        "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM",
    )
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | dict.fromkeys(root, "1")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800, env=settings)
    assert done.returncode == 0, done.stderr
    return done.stdout
