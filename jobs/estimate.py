"""Estimate background error covariances from observation files, one hour a file, by leave-one-out prediction.

    mlrtma estimate --domain conus --observations 2021*.prepbufr --output output/covariances.yaml
    mlrtma estimate configs/estimation/classical.yaml        # what configs/methods/classical.yaml assumes

Starts from ``configs/methods/<settings>.yaml`` and writes a file of the same form. Use hours, and stations, that no
score will be reported for. A wind's two components have one covariance.
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
from mlrtma_dist.inference.problem import Problem, pose
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.estimate import Departures, estimate
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.methods.wind import WIND
from mlrtma_dist.observations.readers import PRECEDENCE

log = logging.getLogger(__name__)

OPTIONS = {
    "--domain": ("domain", "a shipped domain or a YAML file"),
    "--observations": ("observations...", "observation files, one hour each"),
    "--stations": ("stations...", "lists of stations: METAR text names no positions, SAO not all"),
    "--output": ("output", "YAML file to write"),
}


@dataclass(frozen=True)
class Run:
    """One estimation.

    Attributes:
        domain, observations, settings, window_minutes, mapping, stations, precedence: as in ``jobs.analyse.Run``.
        output: the file to write.
        variables: to estimate, the others stay as the settings have them; empty: all.
        times: analysis times in UTC, one a file; empty: of each file the full hour nearest to its reports.
        steps: of gradient descent.
        reports: of an hour that take part; the cost grows with its cube.
    """

    domain: str
    observations: tuple[str, ...]
    output: str
    times: tuple[str, ...] = ()
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    window_minutes: float = 30.0
    mapping: str | None = None
    stations: tuple[str, ...] = ()
    precedence: tuple[str, ...] = PRECEDENCE
    steps: int = 40
    reports: int = 700

    def __post_init__(self):
        if self.times and len(self.times) != len(self.observations):
            raise ValueError(f"times: expected one a file, {len(self.observations)}, or none, got {len(self.times)}")
        for time in self.times:
            clock.parse_time(time)


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "estimate", __doc__, arguments, OPTIONS)
    if run is None:
        return
    settings = load_settings(run.settings, run.variables)
    problems = _pose(run, settings)
    found = {}
    for name, start in settings.variables.items():
        if name == WIND[1] and WIND[0] in found:
            found[name] = found[WIND[0]]
            continue
        together = WIND if set(WIND) <= set(settings.variables) and name in WIND else (name,)
        hours = [hour for p in problems for one in together if len((hour := _departures(p, one)).value) > 10]
        if not hours:
            raise InputError(f"{name}: no file holds more than 10 usable reports; leave it out: --set variables=[...]")
        found[name], score = estimate(start, hours, steps=run.steps, most_reports=run.reports)
        log.info("%s: %d hours, score %.4f", " and ".join(together), len(hours), score)
    everything = load_settings(run.settings)
    write_text(run.output, config.to_yaml(replace(everything, variables={**everything.variables, **found})))
    print(Path(run.output))


def _pose(run: Run, settings: Classical) -> list[Problem]:
    """Each file's hour: reports judged, first guess made."""
    static, window = load_static(load_region(run.domain)), np.timedelta64(round(run.window_minutes * 60), "s")
    problems = []
    for file, time in zip(run.observations, run.times or [None] * len(run.observations), strict=True):
        observations = read_all((file,), run.mapping, stations=run.stations, precedence=run.precedence, time=time)
        hour = clock.parse_time(time) if time else clock.nearest_hour(observations.time)
        problems.append(pose(static, observations, settings, time=hour, window=window))
    return problems


def _departures(problem: Problem, name: str) -> Departures:
    """Of the reports of a variable that the analysis would use."""
    rows = problem.used & (problem.observations.variable == name)
    return Departures(problem.points[rows], problem.departure[rows])
