"""The parts of `gpu_acceptance.py`, one per process:  python benchmarks/gpu_parts.py PART --device D --output FOLDER.

Prints rows of the table as JSON lines while it works; no benchmark itself.
"""

import argparse
import importlib
import sys
from pathlib import Path

import gpu_machine

# Function of every part, by the file that holds it; imported when it runs, as packages may be absent.
FILES = {
    "gpu_training": {"equality": "equality", "train": "train", "ranks": "ranks", "analyse": "analyse"},
    "gpu_speed": {"utilisation": "utilisation", "compile": "compiled", "reading": "reading"},
}
PLACES = {part: (file, function) for file, functions in FILES.items() for part, function in functions.items()}


def main() -> int:
    """Run one part; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("machine", *PLACES))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--method", required=True)
    options = parser.parse_args()
    try:
        if options.part == "machine":
            gpu_machine.machine(options.device)
            return 0
        file, function = PLACES[options.part]
        getattr(importlib.import_module(file), function)(options.method, options.device, options.output)
    except (ValueError, OSError, RuntimeError) as error:  # of the user, a file, a kernel or a library: in one line
        print(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
