"""Style: the house rules that a machine can check, over every file of the tree."""

import ast
import functools
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import tree

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = ("mlrtma_dist", "hpc", "jobs")
SOURCES = sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EVERY = [*SOURCES, *TESTS, *sorted((ROOT / "benchmarks").rglob("*.py")), ROOT / "setup.py"]

LONGEST_FILE, LONGEST_FUNCTION, LONGEST_JOB = 300, 60, 150  # lines
ENDS_A_RANK = ("mlrtma_dist/parallel/communicator.py", "os._exit")  # one that fails or hangs while others wait for it
LONGEST_README = 900  # words
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "tools", "stuff"}
PARTICIPLES = {"found", "known", "made", "given", "said", "held", "apart", "wanted", "shown", "judged"}

# Who may import what directly: module -> the folders and files that may, relative to the root.
DOORS = {
    "h5py": ("mlrtma_dist/io/", "jobs/check.py"),  # check reports the version of HDF5 that was loaded
    "netCDF4": ("mlrtma_dist/io/",),
    "eccodes": ("mlrtma_dist/io/",),
    "mpi4py": ("mlrtma_dist/parallel/", "jobs/check.py"),  # check reports the MPI library that was loaded
    "torch.distributed": ("mlrtma_dist/parallel/",),
    "deepspeed": ("mlrtma_dist/training/engine.py", "mlrtma_dist/training/engine_check.py"),
    "yaml": ("mlrtma_dist/yaml_text.py", "hpc/"),
}
CLOSED = {"mlrtma_dist/verification/": ("torch",), "hpc/": ("torch", "numpy", "mlrtma_dist", "jobs")}


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree_of(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports_of(path: pathlib.Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function, with what is taken from it."""
    modules = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def imports(path: pathlib.Path, module: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in imports_of(path))


def functions_of(tree: ast.Module):
    return [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


def public_definitions(tree: ast.Module):
    """Public functions and classes of a module, and the public methods of those classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (n for n in node.body if isinstance(n, kinds[:2]) and not n.name.startswith("_"))


def test_imports_go_down_the_staircase():
    program = pathlib.Path(sys.executable).with_name("lint-imports")
    assert program.is_file(), f"import-linter is missing: expected {program}"
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "0 broken" in done.stdout, done.stdout + done.stderr


def test_ruff_finds_nothing_to_say():
    program = shutil.which("ruff", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("ruff")
    assert program, "ruff is missing: pip install ruff"
    done = subprocess.run(
        [program, "check", "--no-cache", "--output-format", "concise", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_no_file_is_longer_than_300_lines(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{lines} lines"


def test_no_function_is_longer_than_60_lines():
    long = {
        f"{name_of(path)}:{f.lineno} {f.name}": f.end_lineno - f.lineno + 1
        for path in EVERY
        for f in functions_of(tree_of(path))
        if f.end_lineno - f.lineno + 1 > LONGEST_FUNCTION
    }
    assert not long


def test_every_job_is_readable_at_a_glance():
    long = {name_of(p): n for p in (ROOT / "jobs").glob("*.py") if (n := len(p.read_text().splitlines())) > LONGEST_JOB}
    assert not long


def test_every_module_and_everything_public_is_documented():
    bare = []
    for path in SOURCES:
        tree = tree_of(path)
        if tree.body and not ast.get_docstring(tree):
            bare.append(name_of(path))
        for node in public_definitions(tree):
            body = node.body[0] if isinstance(node, ast.FunctionDef) else None
            if not ast.get_docstring(node) and not (isinstance(body, ast.Expr) and body.value is ...):
                bare.append(f"{name_of(path)}:{node.lineno} {node.name}")
    assert not bare


def test_every_test_asserts_something_and_is_named_by_a_sentence():
    silent, short = [], []
    for path in TESTS:
        tree = tree_of(path)
        checks = {f.name for f in functions_of(tree) if not f.name.startswith("test_") and asserts(f, set())}
        for test in (f for f in functions_of(tree) if f.name.startswith("test_")):
            if not asserts(test, checks):
                silent.append(f"{name_of(path)}:{test.lineno} {test.name}")
            if test.name.count("_") < 4:  # test_ and four words
                short.append(f"{name_of(path)}:{test.lineno} {test.name}")
    assert not silent
    assert not short


def asserts(function, checks: set[str]) -> bool:
    """Whether a function asserts, expects an error, or calls a function of its file that does."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called.startswith("assert_") or called in ("raises", "warns", "fail") or called in checks:
                return True
    return False


@pytest.mark.parametrize("module", DOORS)
def test_each_library_comes_in_by_its_door(module):
    strangers = [name_of(p) for p in SOURCES if imports(p, module) and not name_of(p).startswith(DOORS[module])]
    assert not strangers, f"{module} is imported outside {', '.join(DOORS[module])}"


def test_rooms_that_do_without_a_library_do():
    wrong = [
        f"{name_of(p)}: {module}"
        for p in SOURCES
        for room, modules in CLOSED.items()
        for module in modules
        if name_of(p).startswith(room) and imports(p, module)
    ]
    assert not wrong


def test_methods_and_mathematics_know_no_ranks():
    rooms = tuple(
        f"mlrtma_dist/{room}/" for room in ("methods", "nn", "diffusion", "physics", "linalg", "verification")
    )
    wrong = [
        f"{name_of(p)}: {module}"
        for p in SOURCES
        for module in ("torch.distributed", "mpi4py", "deepspeed")
        if name_of(p).startswith(rooms) and imports(p, module)
    ]
    assert not wrong


def test_no_file_has_a_name_that_says_nothing():
    assert not [name_of(p) for p in EVERY if p.stem in VAGUE or re.search(r"(^new_|_v\d+$|_old$)", p.stem)]


def names_defined(tree: ast.Module):
    """Every name that a file defines, with its line: variables, arguments, attributes, functions and classes."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.alias(asname=str(name)):
                yield name, node.lineno


DEFINITIONS = """
def a(b, *c, d=0, **e):
    for f in (g := b):
        [h for h in f]
    with b as i:
        b.j = 0
class K:
    l: int
import b as m
try: ...
except b as n: ...
match b:
    case o: ...
"""


def test_the_check_of_names_sees_every_kind_of_definition():
    assert sorted(name for name, _ in names_defined(ast.parse(DEFINITIONS))) == sorted("abcdefghijKlmno")


def test_values_are_named_for_what_they_hold():
    wrong = [
        f"{name_of(path)}:{line} {name}"
        for path in EVERY
        for name, line in names_defined(tree_of(path))
        if name in PARTICIPLES
    ]
    assert not wrong, "name each for what it holds, e.g. dew_points instead of found"


def test_nothing_is_left_to_do():
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
    assert not [name_of(p) for p in EVERY if marks.search(p.read_text(encoding="utf-8"))]


def test_nothing_prints_or_exits_below_the_jobs():
    wrong = []
    for path in (p for p in SOURCES if name_of(p).startswith("mlrtma_dist/")):
        for node in (n for n in ast.walk(tree_of(path)) if isinstance(n, ast.Call)):
            called = ast.unparse(node.func)
            if called in ("print", "exit", "quit", "sys.exit", "os._exit") and (name_of(path), called) != ENDS_A_RANK:
                wrong.append(f"{name_of(path)}:{node.lineno} {called}")
        bare = [n.lineno for n in ast.walk(tree_of(path)) if isinstance(n, ast.ExceptHandler) and n.type is None]
        wrong += [f"{name_of(path)}:{line} bare except" for line in bare]
    assert not wrong


def test_every_folder_of_configs_holds_a_configuration():
    folders = [p for p in (ROOT / "configs").iterdir() if p.is_dir()]
    assert folders and not [name_of(p) for p in folders if not list(p.glob("*.yaml"))]


def test_the_page_of_the_tree_is_up_to_date():
    assert tree.PAGE.read_text(encoding="utf-8") == tree.tree(), "renew it: python tests/style/tree.py"


def test_the_readme_has_at_most_900_words():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= LONGEST_README
