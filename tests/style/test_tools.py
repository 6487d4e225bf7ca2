"""Tools: types, format and the examples in docstrings, over every file of the tree."""

import doctest
import importlib
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = ("mlrtma_dist", "hpc", "jobs")
EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def run(program: str, *arguments) -> subprocess.CompletedProcess:
    """Runs a module of this environment at the root of the tree."""
    command = [sys.executable, "-m", program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_mypy_finds_no_wrong_type():
    finished = run("mypy", "--no-error-summary")
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_every_file_is_formatted_by_ruff():
    finished = run("ruff", "format", "--check", "--no-cache", ".")
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_of_a_docstring_give_what_they_show(module):
    outcome = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted
    assert not outcome.failed
