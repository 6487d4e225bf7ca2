"""The classical analysis needs no torch: its modules are imported where the extras' packages cannot be imported."""

import os
import subprocess
import sys
import textwrap

import pytest

EXTRAS = ("torch", "deepspeed", "tensorboard", "mpi4py", "rasterio")  # top packages of the extras
# Rooms whose every module is of the base, and the verbs that work without a network.
ROOMS = ("grid", "linalg", "io", "observations", "fields", "verification")
VERBS = ("command", "analyse", "cycle", "verify", "demo", "check", "submit")
BLOCK = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def run_without_extras(program: str) -> subprocess.CompletedProcess:
    """Runs a program in a Python that has none of the packages of the extras."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + textwrap.dedent(program)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_rooms_and_verbs_of_the_classical_analysis_are_imported_without_the_extras():
    finished = run_without_extras(
        f"""
        import importlib, pkgutil, traceback
        import mlrtma_dist
        rooms = [importlib.import_module(f"mlrtma_dist.{{room}}") for room in {ROOMS!r}]
        names = [m.name for room in rooms for m in pkgutil.iter_modules(room.__path__, room.__name__ + ".")]
        for name in [*names, *(f"jobs.{{verb}}" for verb in {VERBS!r})]:
            try:
                importlib.import_module(name)
            except ImportError:
                print(name, traceback.format_exc(), file=sys.stderr)
                sys.exit(1)
        """
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.slow
@pytest.mark.parametrize("method", ["oi", "threedvar"])
def test_the_toy_domain_is_analysed_without_the_extras(method, toy, tmp_path):
    arguments = ["analyse", "--domain", "toy", "--method", method, "--set", "variables=[t2m]", "--time", str(toy.time)]
    arguments += ["--background", str(toy.background), "--observations", str(toy.observations)]
    finished = run_without_extras(
        f"""
        from jobs.command import main
        sys.exit(main({[*arguments, "--output", str(tmp_path)]!r}))
        """
    )
    assert finished.returncode == 0, finished.stderr
    assert list(tmp_path.rglob("*.nc"))


def test_a_verb_that_needs_an_extra_names_the_extra():
    finished = run_without_extras(
        """
        from jobs.command import main
        sys.exit(main(["train", "configs/training/unet_exercise1.yaml"]))
        """
    )
    assert finished.returncode == 3
    assert "mlrtma train: it needs torch, which is not installed: pip install 'mlrtma[learn]'" in finished.stderr
