"""Does everything work on this machine's GPU, and how fast? One command of at most eight minutes, the table last.

    python benchmarks/gpu_acceptance.py                            # all parts, each method trained on simulated cases
    python benchmarks/gpu_acceptance.py --packages packages.tar.xz  # installed packages brought in one file
    python benchmarks/gpu_acceptance.py --device cpu               # small, without a GPU: does the script itself work?
    python benchmarks/gpu_acceptance.py --train configs/training/unet_exercise1.yaml --minutes 5    # goes on to train

It needs Python, a CUDA build of torch, and the packages that it names first; no network, MPI, compiler or real data.
Every part is a process of its own (`gpu_parts.py`) with a time limit: one that fails or hangs costs its own figures
only, and one whose packages are absent is named and left out. Figures are printed as they are found, and written to
OUTPUT/results.json and OUTPUT/table.md after every part. Exit code 1: a part failed or was left out, or a figure misses
its claim.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS_FILE = Path(__file__).with_name("gpu_parts.py")
LIBRARIES = ("torch", "numpy", "scipy", "yaml", "pyproj", "eccodes", "netCDF4", "h5py", "threadpoolctl", "safetensors")
WHEELS = {"yaml": "PyYAML"}  # where the wheel's name is not the module's
OLDEST = (3, 11)
METHODS = ("unet", "vit")  # that a configuration of this project trains on cases without files
GRACE = 10.0  # s that a part may take to end when it is told to
ENDING = 60.0  # s that a training may take for its last checkpoint
PROBE = """
import importlib, json, sys
versions = {}
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        versions[name] = [True, str(getattr(module, "__version__", "?"))]
    except Exception as error:
        versions[name] = [False, f"{type(error).__name__}: {error}"]
print(json.dumps(versions))
"""


@dataclass(frozen=True)
class Part:
    """A part of the acceptance.

    Attributes:
        needs: packages; ranks: processes; seconds: the most that it may take.
        of_method: whether it is run for every method; together: whether for all of them at once, as no figure that
            counts is a time.
    """

    name: str
    needs: tuple[str, ...] = LIBRARIES
    ranks: int = 1
    seconds: float = 90.0
    of_method: bool = True
    together: bool = False


PARTS = (
    Part("machine", ("torch",), of_method=False),
    Part("equality", together=True),
    Part("train", (*LIBRARIES, "deepspeed"), seconds=150.0),
    Part("ranks", (*LIBRARIES, "deepspeed"), ranks=2, together=True),
    Part("analyse"),
    Part("utilisation"),
    Part("reading"),
    Part("compile", seconds=180.0),  # last: a compiler may take all the time that is left
)


@dataclass
class Results:
    """Rows of the table, each [part, figure, value, claim, verdict], and where they are written."""

    folder: Path
    rows: list[list[str]] = field(default_factory=list)

    def add(self, part: str, figure: str, value: str, claim: str = "", verdict: str = "") -> None:
        """Print a row and keep it."""
        self.rows.append([part, figure, value, claim, verdict])
        print("  ".join(filter(None, (f"{part}:", figure, value and f"= {value}", claim, verdict))), flush=True)

    def table(self) -> str:
        """All rows as a table in Markdown."""
        lines = ["| part | figure | value | claim | |", "|---|---|---|---|---|"]
        return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in self.rows)])

    def write(self) -> None:
        """Write what there is so far."""
        (self.folder / "results.json").write_text(json.dumps(self.rows, indent=1), encoding="utf-8")
        (self.folder / "table.md").write_text(self.table() + "\n", encoding="utf-8")

    @property
    def failed(self) -> bool:
        """Whether a part failed or was left out, or a figure misses its claim."""
        return any(row[4] in ("fails", "misses", "absent") for row in self.rows)


def environment(packages: Path | None, folder: str) -> dict[str, str]:
    """Of every part: this checkout first, then the packages that were brought along, unpacked into a folder."""
    paths = [str(ROOT)]
    if packages:
        with tarfile.open(packages) as archive:
            archive.extractall(folder, filter="data")
        paths.append(folder)
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MLRTMA_TIMEOUT_SECONDS": "60"}


def probe(variables: dict[str, str], results: Results) -> dict[str, bool]:
    """Which packages can be imported; every absent one is named with its wheel."""
    names = tuple(dict.fromkeys(name for part in PARTS for name in part.needs))
    if sys.version_info < OLDEST:
        text = f"{sys.version.split()[0]}, expected {OLDEST[0]}.{OLDEST[1]} or newer"
        results.add("packages", "Python", text, verdict="absent")
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *names], env=variables, capture_output=True, text=True, timeout=120
        )
        versions = json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        results.add("packages", "import", f"{type(error).__name__}: {error}", verdict="fails")
        return dict.fromkeys(names, False)
    for name, (is_there, text) in versions.items():
        if not is_there:
            results.add("packages", name, f"absent ({text}); the wheel is {WHEELS.get(name, name)}", verdict="absent")
    there = ", ".join(f"{name} {text}" for name, (is_there, text) in versions.items() if is_there)
    results.add("packages", f"Python {sys.version.split()[0]}", there or "none of those needed")
    return {name: is_there for name, (is_there, _) in versions.items()}


def family(process: int) -> list[int]:
    """A process and all that it started, in whatever groups."""
    children: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has just ended
            children += map(int, file.read_text().split())
    return [process, *(each for child in children for each in family(child))]


def kill(process: int) -> None:
    """Kill a process and all that it started, which would keep its output open."""
    for each in family(process):
        with contextlib.suppress(OSError):
            os.killpg(os.getpgid(each), signal.SIGKILL)


def run_part(
    part: Part, options, variables: dict[str, str], results: Results, seconds: float, method: str = METHODS[0]
) -> None:
    """Run a part for a method in processes of its own; its rows are added as they come, other lines go to a log."""
    start = [sys.executable]
    if part.ranks > 1:
        start += ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]  # no name is looked up
        start += ["--nproc-per-node", str(part.ranks)]
    command = [*start, str(PARTS_FILE), part.name, "--device", options.device, "--output", str(options.output)]
    log = options.output / f"{part.name}_{method}.log"
    last, begin = "", time.monotonic()
    with log.open("w", encoding="utf-8") as log_file:
        process = subprocess.Popen(
            [*command, "--method", method],
            env={**variables, "PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        # torchrun ends its ranks, which are no longer in its group, when it is told to; ranks that hang it leaves.
        timers = [threading.Timer(seconds, os.killpg, (process.pid, signal.SIGTERM))]
        timers.append(threading.Timer(seconds + GRACE, kill, (process.pid,)))
        for timer in timers:
            timer.start()
        for line in process.stdout or ():
            if line.startswith('{"row"'):
                results.add(part.name, *json.loads(line)["row"])
            else:
                log_file.write(line)
                log_file.flush()
                last = line.strip() or last
        code, late = process.wait(), not timers[0].is_alive()
        for timer in timers:
            timer.cancel()
    if code:
        why = f"no end within {seconds:.0f} s" if late else f"exit code {code}"
        results.add(part.name, "ended", f"{why}: {last[:300]} (see {log})", verdict="fails")
    else:
        whole = "from start to end" if not part.of_method else f"{method}, from start to end"
        results.add(part.name, whole, f"{time.monotonic() - begin:.1f} s")


def run_at_once(part: Part, options, variables, results: Results, seconds: float, methods) -> None:
    """Run a part for several methods, each in a process of its own: DeepSpeed keeps the groups of a former training."""
    arguments = (part, options, variables, results, seconds)
    threads = [threading.Thread(target=run_part, args=(*arguments, method)) for method in methods]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_parts(options, variables: dict[str, str], results: Results) -> None:
    """All parts whose packages are there, within the time that is left."""
    end = time.monotonic() + options.seconds
    there = probe(variables, results)
    for part in PARTS:
        if options.parts and part.name not in options.parts:
            continue
        absent = [name for name in part.needs if not there[name]]
        methods = (options.method or METHODS)[: None if part.of_method else 1]
        for at_once in [methods] if part.together else [[method] for method in methods]:
            left = end - time.monotonic()
            if absent:
                results.add(part.name, "not run", f"it needs {', '.join(absent)}", verdict="absent")
                break
            if left < 10.0:
                results.add(part.name, "not run", f"the {options.seconds:.0f} s are over", verdict="fails")
                break
            run_at_once(part, options, variables, results, min(part.seconds, left), at_once)
        results.write()


def train(options, variables: dict[str, str], results: Results) -> None:
    """Train for some minutes; the checkpoint stays below OUTPUT/train, also that of a training that is not done."""
    output = options.output / "train"
    resume = ["--resume"] if (output / "checkpoints").is_dir() else []
    sets = [part for change in options.set for part in ("--set", change)]
    command = [sys.executable, "-m", "jobs.command", "train", options.train, "--output", str(output), *sets, *resume]
    process = subprocess.Popen(command, env={**variables, "MLRTMA_TIMEOUT_SECONDS": "600"}, cwd=ROOT)
    timers = [
        threading.Timer(60 * options.minutes, process.send_signal, (signal.SIGUSR1,)),
        threading.Timer(60 * options.minutes + ENDING, process.kill),
    ]
    for timer in timers:
        timer.start()
    code = process.wait()
    for timer in timers:
        timer.cancel()
    newest = max((path.name for path in (output / "checkpoints").glob("step_*")), default="")
    verdict = "ok" if code in (0, 75) and newest else "fails"
    results.add("training", options.train, f"{output / 'checkpoints' / newest}, exit code {code}", verdict=verdict)
    results.write()


def main() -> int:
    """Run all parts; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="cpu: small")
    parser.add_argument("--method", nargs="+", default=[], help="by default all learned ones with simulated cases")
    parser.add_argument("--parts", nargs="+", choices=[part.name for part in PARTS], help="these only")
    parser.add_argument("--output", type=Path, default=Path("output/gpu_acceptance"))
    parser.add_argument("--packages", type=Path, help=".tar.xz of a folder made by pip install --target")
    parser.add_argument("--seconds", type=float, default=480.0, help="for all parts together")
    parser.add_argument("--train", metavar="CONFIG", help="train by this configuration afterwards")
    parser.add_argument("--minutes", type=float, default=5.0, help="of that training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of that training")
    options = parser.parse_args()
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    results = Results(options.output)
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        variables = environment(options.packages, folder)
        run_parts(options, variables, results)
        if options.train:
            train(options, variables, results)
    print(f"\n{results.table()}")
    return int(results.failed)


if __name__ == "__main__":
    sys.exit(main())
