"""Claim: labels by optimal interpolation in time, off line, are better than those of the reports of the hour alone.

    python benchmarks/labels_in_time.py [--set plains] [--every 6] [--minutes 150]

Labels of hours whose reports are all there, with a tenth of the stations withheld from everything, by which they are
verified: 3D-Var of the hour (half an hour around it), ``oi_time`` of the reports before it and within half an hour
after it, as on line, and ``oi_time`` of reports before and after (`in_time_minutes` of an archive). Then the ratio of
mean square errors to that of 3D-Var, with the interval of 95 % by resampled hours. All hours train.
"""

import argparse
import time

import numpy as np
from gridding_scores import Scores, built, ratios, table
from time_windows import MINUTE, Hours

from mlrtma_dist.methods.settings import load_settings

NAMES = ("t2m", "d2m", "u10", "v10", "psfc")
BASE = "3D-Var of the hour"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="plains", choices=["plains", "national"])
    parser.add_argument("--every", type=int, default=6, help="hours between verified hours")
    parser.add_argument("--minutes", type=float, default=150.0, help="half width of the window")
    options = parser.parse_args()
    hours = Hours.of(options.set, load_settings("classical").only(NAMES))
    full = hours.full()
    numbers = full[len(full) // 2 if options.set == "plains" else 0 :][:: options.every]
    labels = {
        BASE: ("threedvar", {"minutes": 30.0}),
        "oi_time, before": ("oi_time", {"minutes": options.minutes, "latest": 30 * MINUTE}),
        "oi_time, before and after": ("oi_time", {"minutes": options.minutes}),
    }
    scores: dict[str, Scores] = {name: Scores() for name in labels}
    print(f"{len(numbers)} hours, {hours.time[numbers[0]]} to {hours.time[numbers[-1]]}", flush=True)
    for number in map(int, numbers):
        truth = hours.case(number)
        unseen = np.isin(truth.observations.station, hours.whole.verifying)
        for label, (method, window) in labels.items():
            case, began = hours.case(number, stations=True, **window), time.process_time()
            answer = built(method, hours.settings).analyse(case)
            scores[label].seconds.append(time.process_time() - began)
            scores[label].add(answer.at, truth, NAMES, {"withheld": unseen}, number)
    print("\n".join([*table(scores), "", *ratios(scores, BASE)]))


if __name__ == "__main__":
    main()
