"""A day's reanalysis on a real Slurm, under a full disk and kills at random moments: the products of one run."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cluster import until

from hpc import journal, slurm, status
from jobs import reanalysis
from jobs.reanalysis_slots import slots_of
from mlrtma_dist import config
from mlrtma_dist.inference.slot_manifest import Day
from mlrtma_dist.io.file_digest import sha256_of
from mlrtma_dist.io.json_lines import read_lines

pytestmark = pytest.mark.slow

OUTPUT = "many '$(touch pwned)'"
SMALL, LARGE = "1m", "64m"  # of the disk: a fraction of the products, and all of them
DAMAGED = "T2000Z"


@pytest.fixture
def disk(tmp_path):
    """A small disk at the place of the output; call it with its new size."""
    folder = tmp_path / OUTPUT
    folder.mkdir()

    def mount(size):
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)

    mount(f"size={SMALL}")
    yield lambda size: mount(f"remount,size={size}")
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def products(output):
    return {path.name: sha256_of(path) for path in sorted(Path(output).rglob("*.nc"))}


def seen(element):
    """What `mlrtma status` says of an array, or of one element."""
    return status.jobs([element])[0]


def kill_worker(slurm_here, element):
    """Kill the process of an element that analyses."""
    for process in slurm_here.processes("-m\0jobs.command\0reanalysis", f"SLURM_ARRAY_TASK_ID={element}"):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def submit(mlrtma):
    """Submit the reanalysis; the number of its array."""
    done = mlrtma("submit", "reanalysis", "many.yaml", "--machine", "slurm_test", timeout=300)
    assert done.returncode == 0 and "--array=0-1 " in done.stdout, done.stdout + done.stderr
    return done.stdout.splitlines()[-1].split()[1].rstrip(":")


def products_of(element):
    """The products of an element, which has one of the two days."""
    return list(Path(OUTPUT).glob(f"*/2022/08/{24 + element}/*.nc"))


def works(element, job, chance):
    """Wait until an element has published what it had not before, and a moment longer."""
    before = len(products_of(element))
    assert until(lambda: len(products_of(element)) > before)
    time.sleep(chance.uniform(0.0, 1.0))
    assert not slurm.state(f"{job}_{element}").ended


def starts(element):
    """How often an element has begun, in the journal."""
    return [entry["event"] for entry in journal.read(journal.path(), element)].count("started")


def strike(slurm_here, job, chance):
    """Kill the worker of one element, then the node of the other one, and cancel that when it works again."""
    first, second = chance.sample((0, 1), 2)
    works(first, job, chance)
    kill_worker(slurm_here, first)
    works(second, job, chance)
    node = slurm_here.call("squeue", "--noheader", "--format=%N", f"--jobs={job}_{second}").strip()
    slurm_here.kill_node(node)
    slurm_here.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    slurm_here.boot_node(node)
    assert until(lambda: slurm.state(f"{job}_{first}").ended)
    assert "was ended by signal 9" in seen(f"{job}_{first}").reason
    assert until(lambda: starts(f"{job}_{second}") == 2)  # on whichever node
    works(second, job, chance)
    slurm_here.call("scancel", f"{job}_{second}")
    assert until(lambda: slurm.state(job).ended)
    assert seen(f"{job}_{second}").state == "cancelled"


def test_a_day_under_a_full_disk_and_random_kills_has_the_products_of_one_run(
    slurm_here, mlrtma, day_reanalysis, disk, seed
):
    for output in ("one", OUTPUT):
        Path(f"{output[:4]}.yaml").write_text(f"{day_reanalysis}output: {output}\nattempts: 1\n")
    job = submit(mlrtma)
    assert reanalysis.work(config.load(reanalysis.Run, Path("one.yaml"))) == 4  # one file is damaged
    whole = products("one")
    assert len(whole) == 190

    assert until(lambda: slurm.state(job).ended)  # the disk is full
    for element in (0, 1):
        assert seen(f"{job}_{element}").state == "failed"
        assert "No space left on device" in seen(f"{job}_{element}").reason
    assert 0 < len(products(OUTPUT)) < 100 and not list(Path(OUTPUT).rglob("*.partial"))
    assert products(OUTPUT).items() <= whole.items()

    disk(LARGE)
    job = submit(mlrtma)
    strike(slurm_here, job, random.Random(seed))
    assert seen(job).action == f"mlrtma resume {job}" and products(OUTPUT).items() < whole.items()
    again = mlrtma("resume", job, "--wait", timeout=600)
    assert again.returncode in (0, 1), again.stdout + again.stderr  # 1 if this run set the damaged slots aside
    assert products(OUTPUT) == whole and not Path("pwned").exists()
    assert not list(Path(OUTPUT).rglob("*.partial"))  # what killed processes left was removed by those after them

    run = config.load(reanalysis.Run, Path("many.yaml"))
    days = [Day(Path(OUTPUT), name, day) for name in ("north", "south") for day in slots_of(run).days]
    lines = [line for day in days for line in read_lines(day.manifest)]
    assert sorted(f"{line['id']}.nc" for line in lines if "sha256" in line) == sorted(whole)  # each once
    aside = [line["id"] for line in lines if "aside" in line]
    assert sorted(aside) == [f"{name}_20220824{DAMAGED}" for name in ("north", "south")]
    nothing = mlrtma("submit", "reanalysis", "many.yaml", "--machine", "slurm_test", timeout=300)
    assert nothing.returncode == 0 and "no part of the work remains" in nothing.stderr
    newest = status.jobs()[-1]
    assert (newest.progress.done, newest.progress.total) == (192, 192)
    assert newest.action in ("", "nothing: its output is there")
