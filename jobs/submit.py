"""Queue a job on a machine: print the exact command, its cost and the size of what it writes, then submit.

    mlrtma submit analyse configs/inference/toy.yaml --machine local
    mlrtma submit train configs/training/unet_exercise1.yaml --machine my_cluster.yaml --nodes 2 --set schedule.steps=5
    mlrtma submit worklist tasks.tsv --machine my_cluster.yaml      the tasks that remain, as an array
    mlrtma submit campaign campaign.yaml --machine my_cluster.yaml  jobs that wait for jobs; again: the missing ones
    mlrtma submit campaign campaign.yaml --machine my_cluster.yaml --export ecflow suite.def    for a workflow engine

Exit code 0: queued (on the machine "local": done); that of the job, where one fails here, or of its dry run, where that
refuses it; 1 where --wait sees one fail.
"""

import argparse
import contextlib
import sys
from pathlib import Path

from hpc import ecflow, slurm
from hpc.campaign import alone, submit_campaign, submit_step
from hpc.chain import ChainError, Step, load_campaign
from hpc.machine import WISHES, Machine, MachineError, load_machine
from hpc.order import OrderError
from hpc.period import PeriodError
from hpc.slurm import SlurmError
from hpc.submit import wait
from hpc.worklist import WorklistError
from jobs.command_line import Parser
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError
from mlrtma_dist.io.lock import locked

SUBMITTING = "output/submitting"  # the folder whose lock whoever submits a campaign holds


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    parser = Parser(prog="mlrtma submit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", help="analyse, verify, train, ... ; or worklist, campaign")
    parser.add_argument("config", help="the verb's configuration file")
    parser.add_argument("--machine", required=True, help="a profile of configs/machines, or a YAML file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the configuration"
    )
    parser.add_argument("--resume", action="store_true", help="train: go on from the newest whole checkpoint")
    parser.add_argument("--dry-run", action="store_true", help="print, check the configuration, submit nothing")
    parser.add_argument("--nodes", type=int, help="instead of the profile's")
    parser.add_argument("--tasks-per-node", type=int, help="ranks of each node, instead of the profile's")
    parser.add_argument("--time", help="limit, hours:minutes:seconds, instead of the profile's")
    parser.add_argument("--at-once", type=int, help="elements of an array that run at the same time")
    parser.add_argument("--workers", type=int, help="worklist: tasks that share a node")
    parser.add_argument("--task-time", help="worklist: limit of each task, hours:minutes:seconds")
    parser.add_argument("--after", nargs="+", default=[], metavar="JOB", help="start after these jobs have succeeded")
    parser.add_argument("--step", help="campaign: this step alone, whatever it comes after")
    parser.add_argument(
        "--export",
        nargs=2,
        metavar=("ecflow", "FILE"),
        help="campaign: write it for that workflow engine, submit nothing",
    )
    parser.add_argument("--until", metavar="TIME", help="campaign: the end of its period, UTC, such as 2026-11-20")
    parser.add_argument("--wait", action="store_true", help="wait until the jobs are over")
    values = parser.parse_args(arguments)
    try:
        with in_our_words():
            return _queue(values)
    except OrderError as error:
        print(f"mlrtma submit: {error}", file=sys.stderr)
        return error.code


@contextlib.contextmanager
def in_our_words():
    """Within the block, errors of `hpc` become those that the command knows, but for OrderError, which has a code."""
    try:
        yield
    except (MachineError, ChainError, PeriodError, WorklistError) as error:
        raise ConfigError(str(error)) from error
    except SlurmError as error:
        raise InputError(str(error)) from error


@contextlib.contextmanager
def _one_at_a_time(machine: Machine, dry_run: bool):
    """Within the block nobody else submits a campaign from this folder: both would find the queue without it."""
    if dry_run or machine.scheduler == "none":  # which runs the jobs to their end
        yield
        return
    with locked(SUBMITTING, slurm.runs):
        yield


def _export(values: argparse.Namespace, machine: Machine, steps: tuple[Step, ...]) -> int:
    """Check the steps of a campaign as a dry run does, and write them for a workflow engine."""
    engine, path = values.export
    if engine != "ecflow":
        raise ConfigError(f"--export: expected ecflow FILE, got {engine} {path}")
    submit_campaign(machine, steps, (), dry_run=True)
    period = ("--until", values.until) if values.until else ()
    submits = (sys.executable, "-m", "jobs.command", "submit", "campaign", values.config, *period)
    submits += ("--machine", values.machine)
    folder = ecflow.write(Path(path), steps, lambda step: (*submits, f"--step={step.name}", "--wait"))
    print(f"{path}\n{folder}")
    return 0


def _queue(values: argparse.Namespace) -> int:
    wishes = {key: getattr(values, key) for key in WISHES if getattr(values, key) is not None}
    more = ("--resume",) if values.resume else ()
    if values.verb != "campaign" and (values.step or values.export):
        raise ConfigError("--step, --export: only a campaign has steps")
    if values.verb == "campaign":
        if values.set or values.after or wishes:
            raise ConfigError(
                "a campaign names set, after and resources of its steps itself; other resources are the profile's:"
                " leave these options out"
            )
        machine = load_machine(values.machine)
        steps = load_campaign(values.config, values.until)
        if values.export:
            return _export(values, machine, steps)
        with _one_at_a_time(machine, values.dry_run):
            steps = alone(machine, steps, values.step) if values.step else steps
            orders = submit_campaign(machine, steps, more, values.dry_run, values.machine)
    elif values.until is not None:
        raise ConfigError("--until: only campaigns have a period")
    else:
        machine = load_machine(values.machine, {"jobs": {values.verb: wishes}} if wishes else None)
        step = Step(values.verb, values.verb, values.config, tuple(values.set), ())
        after = tuple(values.after)
        orders = submit_step(machine, step, more, after, values.dry_run, values.machine)
    if values.dry_run or machine.scheduler == "none" or not values.wait:
        return 0
    return 0 if all(status.done for status in wait(orders, machine.poll_seconds).values()) else 1
