"""Claim: images of clouds make sky cover and ceiling nearer to stations never seen, and a network does without them.

    mlrtma train configs/training/vit_weather_toy_imagery.yaml
    mlrtma train configs/training/vit_weather_toy_imagery.yaml --set settings.imagery={} \\
        --output output/weather_imagery_toy/vit_plain
    python benchmarks/imagery.py

Simulated weather of the training's world, on dates after all of its cases, every case with whole images. A quarter of
the stations is withheld. The network that was trained with images is given them, is not given them, and is compared
with the one that was trained without, which has had the same reports. CRPS by the limits of the variable, Brier scores
of events, at the withheld stations, and ratios to the last network's; of intervals in which whole stations and whole
dates are drawn anew the wider one counts.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlrtma_dist import config, names
from mlrtma_dist.fields.imagery import NO_IMAGERY
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.predictands import limits, values
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_at_limits
from mlrtma_dist.weights.trained import load_trained

SAMPLES = "weather_imagery_toy"
FOLDER = Path("output/weather_imagery_toy")
LATER = 100  # cases between the last that trains and the first that is scored: 29 days
EVENTS = {"sky_cover": (0.31, 0.6, 0.88), "ceiling": names.EVENTS["ceiling"]}  # sky: below SCT, BKN and OVC
SEED = 1  # of the division of the stations
TRAINED, MISSING, PLAIN = "with imagery", "imagery missing", "trained without"


@dataclass(frozen=True)
class Losses:
    """What is summed at every withheld report of one variable.

    Attributes:
        station: of every report; date: of every report, shape (n,).
        loss: arrangement -> CRPS and the Brier losses of the events, shape (n, 1 + events).
    """

    station: np.ndarray
    date: np.ndarray
    loss: dict[str, np.ndarray]


def unseen_cases(count: int):
    """Cases of the world of the training on later dates, each with whole images."""
    section = config.build(CasesSection, config.load_yaml(config.find("samples", SAMPLES))["cases"], SAMPLES)
    world = section.simulated_weather
    world = replace(world, imagery=replace(world.imagery, absent=0.0, swath=0.0))
    return open_cases(replace(section, first=section.count + LATER, count=count, simulated_weather=world))


def losses_of(answer, case: Case, name: str) -> np.ndarray:
    """CRPS and Brier losses of an answer at the withheld reports of a variable, shape (n, 1 + events)."""
    rows = case.withheld & (case.observations.variable == name)
    value, points = case.value[rows], case.points[rows]
    crps = crps_at_limits(answer.below(name, points, limits(name)), limits(name), values(name), value)
    events = np.asarray(names.to_analysis(name, np.array(EVENTS[name])))
    brier = (answer.below(name, points, events) - (value[:, None] < events)) ** 2
    return np.column_stack([crps, brier])


def score(methods: dict, cases) -> dict[str, Losses]:
    """The losses of every variable at the withheld stations of all cases."""
    whole, parts = Box.whole(cases.contents.domain.shape), {name: [] for name in EVENTS}
    for number in range(len(cases.time)):
        withheld = folds(cases.reports(number), count=4, seed=SEED) == 0
        case = cases.case(number, whole, withheld)
        inputs = {TRAINED: case, MISSING: replace(case, imagery=NO_IMAGERY), PLAIN: case}
        answers = {arrangement: methods[arrangement].analyse(each) for arrangement, each in inputs.items()}
        for name in EVENTS:
            station = case.observations.station[case.withheld & (case.observations.variable == name)]
            date = np.full(len(station), case.time.astype("datetime64[D]"))
            loss = {arrangement: losses_of(answer, case, name) for arrangement, answer in answers.items()}
            parts[name].append(Losses(station, date, loss))
    return {name: joined(each) for name, each in parts.items()}


def joined(parts: list[Losses]) -> Losses:
    """The reports of several cases one after the other."""
    station, date = (np.concatenate([getattr(part, column) for part in parts]) for column in ("station", "date"))
    return Losses(station, date, {name: np.concatenate([part.loss[name] for part in parts]) for name in parts[0].loss})


def ratio(own: Losses, arrangement: str, column: int) -> str:
    """A summed loss over that of the network trained without imagery, and the wider of both intervals."""
    both = own.loss[arrangement][:, column], own.loss[PLAIN][:, column]
    ends = []
    for labels in (own.station, own.date):
        number, size = cluster_numbers(labels)
        drawn = resampled_sums(cluster_sums(number, size, *both), seed=0)
        ends.append(interval(ratio_of_sums(drawn, 0, 1), size))
    low, high = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
    return f"{both[0].sum() / both[1].sum():.3f} ({low:.3f}-{high:.3f})"


def main() -> None:
    """Print a table; the ratio of the CRPS of both variables is last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", default=FOLDER / "vit/checkpoints/best", help="checkpoint trained with imagery")
    parser.add_argument("--plain", default=FOLDER / "vit_plain/checkpoints/best", help="the same without")
    parser.add_argument("--cases", type=int, default=80, help="number of cases")
    options = parser.parse_args()
    cases = unseen_cases(options.cases)
    trained, plain = (load_trained(folder).method for folder in (options.trained, options.plain))
    for method in (trained, plain):
        method.settle(cases.contents.domain)
    scores = score({TRAINED: trained, MISSING: trained, PLAIN: plain}, cases)
    print(f"| variable, score | reports | {PLAIN} | {TRAINED}: ratio | {MISSING}: ratio |")
    print("|---|---|---|---|---|")
    for name, own in scores.items():
        labels = ["CRPS", *(f"Brier, below {limit:g}" for limit in EVENTS[name])]
        for column, label in enumerate(labels):
            cells = [f"{own.loss[PLAIN][:, column].mean():.4f}"]
            cells += [ratio(own, arrangement, column) for arrangement in (TRAINED, MISSING)]
            print(f"| {name}, {label} | {len(own.station)} | {' | '.join(cells)} |")
    for arrangement in (TRAINED, MISSING):
        both = [own.loss[arrangement][:, 0].sum() / own.loss[PLAIN][:, 0].sum() for own in scores.values()]
        print(
            f"{arrangement}: CRPS over that of the network trained without, geometric mean {np.sqrt(np.prod(both)):.3f}"
        )


if __name__ == "__main__":
    main()
