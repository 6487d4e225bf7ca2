"""A benchmark as a module: the scripts of ``benchmarks/`` import each other by name, as they are run from there."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


def benchmark_module(name: str) -> ModuleType:
    """The module of a script, with what it imports."""
    sys.path.insert(0, BENCHMARKS)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(BENCHMARKS)
