"""The console command: ``mlrtma <verb> [config.yaml] [options]`` runs a job on this machine.

Each verb is one file beside this one and is imported only when called, so that help is immediate.

Exit codes: 0 done; 1 a fault in this software (with its trace); 2 a wrong command line or configuration;
3 input that cannot be used (observations, background, terrain), or output that cannot be written; 4 written, but a
time rests on fewer reports than are required or on climatology alone, or was left out; 5 refused by a gate (gate);
75 asked to stop: run it again (train: with --resume, its checkpoint is saved); 130 interrupted.
"""

import contextlib
import importlib
import logging
import os
import sys
import threading

from mlrtma_dist.errors import InputError, UserError, exit_code, is_users

VERBS = {
    "analyse": "analyse times on domains: observations in, CF netCDF and maps out",
    "verify": "analyse with stations withheld in turn, and score the analyses at them",
    "reanalysis": "analyse an archive of many times on domains: products, manifests, a report of what is complete",
    "cycle": "analyse slot after slot as reports arrive, score and publish; meets deadlines, falls back, revises",
    "forecast": "forecast hours ahead from analyses by a trained network, step by step",
    "domain": "make terrain and land of a domain from any elevation file",
    "demo": "simulate a small world, analyse and verify it; then a real hour if the data are there",
    "estimate": "estimate background error covariances from observation files",
    "samples": "make the cases that a method learns from, one HDF5 store",
    "train": "train a network on a store of cases, on any number of ranks",
    "gate": "decide by stated rules whether trained weights may replace those in use",
    "release": "make of a checkpoint weights that are given to others, with their scores",
    "promote": "put a release to use at a site, or go back to the one before",
    "lineage": "what a product or weights were made of: weights, data, configurations, commits",
    "plan": "predict step time, memory and the fastest layout of ranks of a training on a machine",
    "submit": "queue a job on a machine: mlrtma submit <verb> <config> --machine NAME",
    "status": "what became of jobs, how far they are, and what to do next",
    "logs": "print the log of a job, and follow it",
    "cancel": "end jobs, or all jobs of a campaign",
    "resume": "submit again what a job was that failed, ran out of time or was lost",
    "prune": "remove what is left of jobs that are long over; never an output",
    "check": "versions of Python, torch, MPI, HDF5, GPU, and which MPI library is loaded",
}

EXTRAS = {  # package -> extra
    **dict.fromkeys(("torch", "deepspeed", "tensorboard", "safetensors"), "learn"),
    "mpi4py": "mpi",
    "rasterio": "terrain",
}
STOPPABLE = {  # verb -> how it answers SIGUSR1 and SIGTERM
    "train": "will stop after this step or the next, with a checkpoint",
    "reanalysis": "will stop when the slot that is being made is published",
    "cycle": "will stop when the slot that is being made is published",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        from mlrtma_dist import __version__

        print(f"mlrtma {__version__}")
        return 0
    verb = arguments[0]
    if verb in VERBS and {"-h", "--help"} & set(arguments[1:]):
        from jobs.verb_help import print_help

        print_help(verb)
        return 0
    if verb not in VERBS:
        import difflib

        close = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        print(f"mlrtma: unknown verb {verb!r}{hint}; the verbs are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    return _run(verb, arguments[1:])


def _run(verb: str, arguments: list[str]) -> int:
    from jobs.one_process import check_ranks
    from mlrtma_dist.io.atomic import device_errors
    from mlrtma_dist.training.stop_signal import StopSignal

    before, threading.excepthook = threading.excepthook, _report_thread
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        check_ranks(verb, "--dry-run" in arguments)
        with StopSignal.watched(STOPPABLE[verb]) if verb in STOPPABLE else contextlib.nullcontext():  # before imports
            code = importlib.import_module(f"jobs.{verb}").main(arguments) or 0
            with device_errors("standard output"):
                sys.stdout.flush()  # here, where a full disk can still be told
            return code
    except (UserError, OSError) as error:
        with contextlib.suppress(OSError):  # the log may lie on the disk that is full
            print(f"mlrtma {verb}: {error}", file=sys.stderr)
        _abandon_output()
        return exit_code(error)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        way_out = f"pip install 'mlrtma[{EXTRAS[package]}]'"
        print(f"mlrtma {verb}: it needs {package}, which is not installed: {way_out}", file=sys.stderr)
        return InputError.exit_code
    except KeyboardInterrupt:
        print(f"mlrtma {verb}: interrupted", file=sys.stderr)
        return 130
    finally:
        threading.excepthook = before


def _report_thread(failure) -> None:
    """Print a thread's failure, but not that of a full disk: TensorBoard raises it again in the main thread."""
    if not is_users(failure.exc_value):
        threading.__excepthook__(failure)


def _abandon_output() -> None:
    """Let nothing be written at the end where standard output takes nothing: it would change the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _help() -> str:
    lines = [f"  {verb:<{max(map(len, VERBS))}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(
        [
            "usage: mlrtma <verb> [config.yaml] [options]",
            "",
            "Verbs (each has --help):",
            *lines,
            "",
            "A run is a configuration file; --set key=value changes a key, --dry-run shows the resolved configuration.",
            "Exit codes: 0 done, 1 a fault of this software, 2 wrong command line or configuration,",
            "3 input that cannot be used, 4 written, but a time was left out or rests on too few reports or on",
            "climatology alone, 5 refused by a gate, 75 stopped when asked to: run it again (train: with --resume),",
            "130 interrupted.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
