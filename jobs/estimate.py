"""Estimate background error covariances from observation files, by leave-one-out prediction.

    mlrtma estimate --domain conus --observations 2021*.prepbufr --output output/covariances.yaml
    mlrtma estimate configs/estimation/classical.yaml        # what configs/methods/classical.yaml assumes

Starts from ``configs/methods/<settings>.yaml`` and writes a file of the same form. Use hours, and stations, that no
score will be reported for. A wind's two components have one covariance.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.command_line import parse
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.case import Case, Cases
from mlrtma_dist.methods.settings import VariableSettings, assumptions, load_settings
from mlrtma_dist.methods.wind import WIND
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.station_hours import StationHours

log = logging.getLogger(__name__)
FEWEST = 10  # usable reports that an hour must have more of


@dataclass(frozen=True)
class Run:
    """One estimation.

    Attributes:
        cases: hours of reports (``samples.sources.CasesSection``). Without times, every file is the full hour nearest
            to its reports; with as many times as files, it is the hour of its time.
        output: the YAML file to write.
        settings: file of ``configs/methods``, or of the user's own, with the values to begin from.
        variables: to estimate, the others stay as the settings have them; empty: all.
        steps: number of steps of gradient descent.
        most_reports: number of reports of an hour that take part; the cost grows with its cube.
    """

    cases: CasesSection
    output: str
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    steps: int = 40
    most_reports: int = 700


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "estimate", __doc__, arguments)
    if run is None:
        return
    settings = load_settings(run.settings, run.variables)
    own = run.cases  # no covariance is estimated of images and of labels beside reports
    own = replace(own, imagery=None, gridded=None if own.is_real else own.gridded)
    cases = open_cases(own, assumptions(settings))
    box = Box.whole(cases.contents.domain.shape)
    hours = [source.case(number, box) for source in _sources(cases) for number in range(len(source.time))]
    estimated: dict[str, VariableSettings] = {}
    for name, start in settings.variables.items():
        if name == WIND[1] and WIND[0] in estimated:
            estimated[name] = estimated[WIND[0]]
        else:
            together = WIND if set(WIND) <= set(settings.variables) and name in WIND else (name,)
            estimated[name] = _estimate(run, start, hours, together)
    everything = load_settings(run.settings)
    write_text(run.output, config.to_yaml(replace(everything, variables={**everything.variables, **estimated})))
    print(Path(run.output))


def _sources(cases: Cases) -> list[Cases]:
    """A source for every file, where each file is one hour; else the source itself."""
    if not isinstance(cases, StationHours):
        return [cases]
    files = cases.files
    times = tuple(map(str, files.times))
    if not files.observations or len(times) not in (0, len(files.observations)):
        return [cases]
    return [
        replace(cases, files=replace(files, observations=(file,), time=times[number : number + 1]))
        for number, file in enumerate(files.observations)
    ]


def _estimate(run: Run, start: VariableSettings, hours: list[Case], names: tuple[str, ...]) -> VariableSettings:
    """The settings of variables that share one covariance, from the departures of all hours."""
    from mlrtma_dist.methods.estimate import Departures, estimate  # here: it needs torch, whose import takes seconds

    departures = []
    for case in hours:
        for name in names:
            rows = case.used & (case.observations.variable == name)
            if rows.sum() > FEWEST:
                departures.append(Departures(case.points[rows], case.departure[rows]))
    if not departures:
        raise InputError(
            f"{names[0]}: no hour has more than {FEWEST} usable reports; leave it out: --set variables=[...]"
        )
    settings, score = estimate(start, departures, steps=run.steps, most_reports=run.most_reports)
    log.info("%s: %d hours, score %.4f", " and ".join(names), len(departures), score)
    return settings
