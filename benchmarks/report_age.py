"""Claim: reports of earlier hours serve stations that have no newer one; an analysis of old reports alone loses much.

    python benchmarks/report_age.py [--methods vit threedvar]

Four times of the national METAR of 2026-08-22 on CONUS, every report. A tenth of the stations (by the hash of their
names) is withheld, and verifies with its reports within half an hour. Of the others the report nearest the time counts,
out of those of an interval of ages. A line for each interval: number of stations that are given, and for each
variable the rmse of every method and the deviation that it expects. The weights that ship were trained on hours of
this day; ages beyond an hour they have not seen.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from data_denial import VERIFYING, cell

from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.parts import Analyst, Part
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.limited import Limited
from mlrtma_dist.samples.station_hours import Reports, StationHours
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match_fold
from mlrtma_dist.weights.trained import load_released

FILE = "metar_20260822/metar_20260822T03-18Z.csv.gz"
TIMES = ("2026-08-22T07:00", "2026-08-22T10:00", "2026-08-22T13:00", "2026-08-22T16:00")
HALF_HOUR = 30.0  # minutes
AGES = {  # minutes before the time, from and to
    "half an hour on both sides": (-30.0, 30.0),
    "up to one hour old": (-30.0, 60.0),
    "up to three hours old": (-30.0, 180.0),
    "up to three hours, none after the time": (0.0, 180.0),
    "half an hour to one and a half": (30.0, 90.0),
    "one and a half to two and a half": (90.0, 150.0),
    "two to three": (120.0, 180.0),
}
VARIABLES = ("t2m", "d2m", "wind_speed", "psfc", "sky_cover")


@dataclass(frozen=True)
class Aged(StationHours):
    """Hours of which only reports of some ages are there.

    Attributes:
        ages: minutes before the analysis time, from and to, of the stations that do not verify.
    """

    ages: tuple[float, float] = AGES["half an hour on both sides"]

    def reports(self, number: int) -> Observations:
        """The reports of a case as they were read, n rows."""
        whole = super().reports(number)
        age = (self.time[number] - whole.time).astype("timedelta64[s]").astype(np.float64) / 60.0
        verifying = folds(whole, count=VERIFYING, seed=0) == 0
        low, high = self.ages
        return whole[np.where(verifying, np.abs(age) <= HALF_HOUR, (age >= low) & (age <= high))]


def matches_of(names: tuple[str, ...]) -> tuple[dict[str, Matches], dict[str, int]]:
    """Ages in words -> matches at the withheld stations of all times; and the number of stations given, all times."""
    settings = load_settings("classical")
    file = config.expand("${MLRTMA_REAL_DATA}/" + FILE)
    files = Reports((file,), time=TIMES, mapping="metar_world_csv", window_minutes=180.0)
    tables, stations = {}, {}
    whole = StationHours.on("conus", files, assumptions(settings))
    trained = load_released(names, whole.contents.domain)
    methods = build(names, Means(settings.only(VARIABLES), trained=trained))
    for words, ages in AGES.items():
        cases = Aged(whole.static, files, whole.assumptions, ages=ages)
        analyst = Analyst(Limited.to(VARIABLES, cases), methods, Part(Box.whole(cases.contents.domain.shape)))
        parts = []
        for number in range(len(TIMES)):
            reports = cases.reports(number)
            verifying = folds(reports, count=VERIFYING, seed=0) == 0
            stations[words] = stations.get(words, 0) + len(np.unique(reports.station[~verifying]))
            parts.append(match_fold(analyst, number, verifying, 0, assumptions(settings)))
        joined = Matches.concatenate(parts)
        tables[words] = joined.select(joined.scored)
    return tables, stations


def table(of_ages: Mapping[str, Matches], stations: Mapping[str, int], names: tuple[str, ...]) -> list[str]:
    """Lines of Markdown: stations given, then rmse (expected) of every variable and method; a line per interval."""
    heads = [f"{variable} of {name}" for variable in VARIABLES for name in names]
    lines = [f"| reports | stations | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for words, whole in of_ages.items():
        cells = [cell(whole.select(method=name, variable=v)) for v in VARIABLES for name in names]
        lines.append(f"| {words} | {stations[words] // len(TIMES)} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["vit", "threedvar"])
    names = tuple(parser.parse_args().methods)
    print("\n".join(table(*matches_of(names), names)))


if __name__ == "__main__":
    main()
