"""Lanes: what starts ranks or a cluster is marked slow, so that ``pytest -m "not slow"`` is answered in minutes."""

import ast
import pathlib

TESTS = pathlib.Path(__file__).parents[1]
STARTERS = {"launch", "start_ranks", "mlrtma"}  # functions of tests/parallel/launch.py that start processes
CLUSTERS = {"cluster", "slurm_here"}  # fixtures of tests/hpc/conftest.py


def is_slow(node: ast.AST) -> bool:
    return "pytest.mark.slow" in ast.unparse(node)


def starts(function: ast.FunctionDef, starters: set[str]) -> bool:
    """Whether a function calls one that starts ranks, or requests a fixture that does."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return bool((names | {argument.arg for argument in function.args.args}) & starters)


def fast_tests_that_start_processes(source: str) -> list[str]:
    """Tests of a file that start ranks or a cluster, themselves or by a fixture, and are not marked slow."""
    tree = ast.parse(source)
    if any(isinstance(n, ast.Assign) and n.targets[0].id == "pytestmark" and is_slow(n) for n in tree.body if named(n)):
        return []
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "launch"]
    starters = CLUSTERS | {
        alias.asname or alias.name for node in imports for alias in node.names if alias.name in STARTERS
    }
    while more := {f.name for f in functions if starts(f, starters)} - starters:
        starters |= more
    return [f.name for f in functions if f.name.startswith("test_") and f.name in starters and not decorated(f)]


def named(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


def decorated(function: ast.FunctionDef) -> bool:
    return any(is_slow(decorator) for decorator in function.decorator_list)


def test_what_starts_ranks_or_a_cluster_is_marked_slow():
    fast = {
        str(path.relative_to(TESTS)): names
        for path in sorted(TESTS.rglob("test_*.py"))
        if path != pathlib.Path(__file__)
        and (names := fast_tests_that_start_processes(path.read_text(encoding="utf-8")))
    }
    assert not fast


def test_a_test_that_starts_ranks_by_a_fixture_is_met():
    source = """
from launch import launch

@pytest.fixture
def outputs():
    return launch("kernel", 4)

def test_of_four_ranks(outputs):
    assert outputs

@pytest.mark.slow
def test_that_is_marked(outputs):
    assert outputs

def test_of_none():
    assert True
"""
    assert fast_tests_that_start_processes(source) == ["test_of_four_ranks"]
    assert fast_tests_that_start_processes("pytestmark = pytest.mark.slow\n" + source) == []
