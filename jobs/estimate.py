"""Estimate background error covariances from observation files, one hour a file, by leave-one-out prediction.

    mlrtma estimate --domain conus --observations 2021*.prepbufr --output output/covariances.yaml

Starts from ``configs/methods/<settings>.yaml`` and writes a file of the same form. Use hours, and stations, that no
score will be reported for.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jobs.command_line import parse
from jobs.inputs import load_region, load_settings, read_all
from mlrtma_dist import clock, config
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.inference.problem import pose
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.estimate import Departures, estimate
from mlrtma_dist.observations.readers import PRECEDENCE

log = logging.getLogger(__name__)

OPTIONS = {
    "--domain": ("domain", "a shipped domain or a YAML file"),
    "--observations": ("observations...", "observation files, one hour each"),
    "--stations": ("stations...", "lists of stations, for METAR text, which names no positions"),
    "--output": ("output", "YAML file to write"),
}


@dataclass(frozen=True)
class Run:
    """One estimation.

    Attributes:
        domain, observations, settings, variables, window_minutes, mapping, stations, precedence: as in
            ``jobs.analyse.Run``.
        output: the file to write.
        steps: of gradient descent.
        reports: of an hour that take part; the cost grows with its cube.
    """

    domain: str
    observations: tuple[str, ...]
    output: str
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    window_minutes: float = 30.0
    mapping: str | None = None
    stations: tuple[str, ...] = ()
    precedence: tuple[str, ...] = PRECEDENCE
    steps: int = 40
    reports: int = 700


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "estimate", __doc__, arguments, OPTIONS)
    if run is None:
        return
    settings = load_settings(run.settings, run.variables)
    static = load_static(load_region(run.domain))
    problems = []
    for file in run.observations:
        observations = read_all((file,), run.mapping, stations=run.stations, precedence=run.precedence)
        window = np.timedelta64(round(run.window_minutes * 60), "s")
        problems.append(pose(static, observations, settings, time=clock.nearest_hour(observations.time), window=window))
    found = {}
    for name, start in settings.variables.items():
        rows = [p.used & (p.observations.variable == name) for p in problems]
        hours = [Departures(p.points[r], p.departure[r]) for p, r in zip(problems, rows, strict=True) if r.sum() > 10]
        if not hours:
            raise InputError(f"{name}: no file holds more than 10 usable reports; leave it out: --set variables=[...]")
        found[name], score = estimate(start, hours, steps=run.steps, most_reports=run.reports)
        log.info("%s: %d hours, score %.4f", name, len(hours), score)
    write_text(run.output, config.to_yaml(replace(settings, variables=found)))
    print(Path(run.output))
