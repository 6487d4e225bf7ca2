"""Start the ranks of a benchmark by MPI and read what its rank 0 printed; not a benchmark itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

# Freed memory handed back and asked for again costs a sixth of a training step.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "2000000000", "OMP_NUM_THREADS": "1"}


def start_ranks(file: str, ranks: int, *arguments: object) -> dict[str, float]:
    """Run a file on ranks of one thread; returns the JSON object in the last line that rank 0 printed.

    Args:
        file: the benchmark; arguments: of its command line.

    Raises:
        subprocess.CalledProcessError: a rank failed.
    """
    mpiexec = Path(sys.executable).parent / "mpiexec"
    launcher = str(mpiexec) if mpiexec.exists() else "mpiexec"
    command = [launcher, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), sys.executable, file]
    command += [str(argument) for argument in arguments]
    done = subprocess.run(command, env={**ENVIRONMENT, **os.environ}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])
