"""A reanalysis on a real Slurm: an array over its days, an element of it ended, and the rest sent again."""

import time
from pathlib import Path

import pytest

from hpc import slurm
from mlrtma_dist.io.file_digest import sha256_of

pytestmark = pytest.mark.slow


def products(output):
    return {path.name: sha256_of(path) for path in sorted(Path(output).rglob("*.nc"))}


def test_an_array_that_loses_an_element_is_sent_again_for_the_rest_with_the_products_of_one_run(
    slurm_here, mlrtma, small_reanalysis
):
    for output in ("one", "many"):
        Path(f"{output}.yaml").write_text(f"{small_reanalysis}output: {output} '$(touch pwned)'\n")
    assert mlrtma("reanalysis", "one.yaml").returncode == 0
    sent = mlrtma("submit", "reanalysis", "many.yaml", "--machine", "slurm_test", "--set", "attempts=2")
    assert sent.returncode == 0 and "--array=0-1 " in sent.stdout, sent.stdout + sent.stderr
    job = sent.stdout.splitlines()[-1].split()[1].rstrip(":")
    slurm_here.call("scancel", f"{job}_1")
    end = time.monotonic() + 90
    while not slurm.state(job).ended and time.monotonic() < end:
        time.sleep(0.5)
    done = products("many '$(touch pwned)'")
    assert len(done) in range(4, 8), done  # all of the first day; of the second what was published before its end
    again = mlrtma(
        "submit", "reanalysis", "many.yaml", "--machine", "slurm_test", "--set", "attempts=2", "--wait", timeout=180
    )
    assert again.returncode == 0 and "--array=1 " in again.stdout, again.stdout + again.stderr
    assert products("many '$(touch pwned)'") == products("one '$(touch pwned)'") and len(done) < 8
    nothing = mlrtma("submit", "reanalysis", "many.yaml", "--machine", "slurm_test", "--set", "attempts=2")
    assert nothing.returncode == 0 and "no part of the work remains" in nothing.stderr
    assert not Path("pwned").exists()
