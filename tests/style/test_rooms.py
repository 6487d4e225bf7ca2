"""Rooms: what lies outside the packages stands on the library alone."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))


def imported_modules(path: pathlib.Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return modules


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_no_benchmark_imports_the_jobs(path):
    # The benchmarks are no package, so import-linter does not see them.
    assert not [name for name in imported_modules(path) if name.split(".")[0] == "jobs"]


def test_the_shared_fixtures_import_no_jobs():
    assert "jobs" not in {name.split(".")[0] for name in imported_modules(ROOT / "tests" / "conftest.py")}
