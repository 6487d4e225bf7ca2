"""End jobs, elements of an array, or all jobs of a campaign that wait or run.

    mlrtma cancel 12 13_4
    mlrtma cancel campaigns/july.yaml      what comes later first, so that nothing starts meanwhile

What a job has written stays; a training has its last checkpoint, and `mlrtma resume` goes on from there.
"""

import argparse

from hpc import slurm, status
from jobs.command_line import Parser
from jobs.job_names import MEANING, add_campaign_options, campaign_of, check
from jobs.submit import in_our_words
from mlrtma_dist.config import ConfigError


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    parser = Parser(prog="mlrtma cancel", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="JOB|CAMPAIGN", help=f"{MEANING}; or a campaign's file")
    add_campaign_options(parser)
    values = parser.parse_args(arguments)
    with in_our_words():
        campaign = campaign_of(values)
        if campaign is None:
            numbers = list(check(values.names))
        else:
            steps = [job for job in status.campaign(*campaign) if job.state in status.ALIVE]
            numbers = [job.job for job in reversed(steps)]
        for number in numbers:
            if not number[0].isdecimal():
                raise ConfigError(f"job {number} runs on this machine, without Slurm: end the command that started it")
            slurm.cancel(number)
            print(f"job {number}: cancelled", flush=True)
    if not numbers:
        print("no step of the campaign waits or runs")
    return 0
