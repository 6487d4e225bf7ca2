"""The demonstration: a simulated world analysed and verified, then a real hour where the data are there.

    mlrtma demo --output output

The simulated world is written to files first; from there on it is the same ``verify`` and ``analyse`` as any other run.
The world is analysed by the method that is nearest to its truth, which is known here. The real hour is analysed by
3D-Var and by the vision transformer, with the weights that come with it, and both are verified at withheld stations.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs import analyse, verify
from jobs.command_line import parse
from jobs.demo_real import FILE, paths, real_hour, sentence, trained_methods, verified
from jobs.demo_truth import error_ratios
from mlrtma_dist import clock
from mlrtma_dist.config import data_root
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.simulation.simulated_hour import simulate_hour
from mlrtma_dist.verification.report_words import Wording, compare_methods

TIME = "2022-08-24T06:00"
EQUAL = 0.005  # share by which mean errors may differ that count as equal: the order at withheld stations decides


@dataclass(frozen=True)
class Run:
    """One demonstration.

    Attributes:
        output: folder to write to.
        domain: on which the world is simulated, by name or YAML file.
        stations: number of stations of the simulated world.
        seed: of the simulated world.
        variables: of the simulated world to analyse; empty: all.
        real: whether the real hour is analysed, too, where its file is found.
    """

    output: str = "output"
    domain: str = "toy"
    stations: int = 300
    seed: int = 1
    variables: tuple[str, ...] = ()
    real: bool = True

    def __post_init__(self):
        if self.variables and "t2m" not in self.variables:
            raise ValueError(f"variables: expected t2m among them (it is reported), got {', '.join(self.variables)}")


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "demo", __doc__, arguments)
    if run is None:
        return
    lines = _simulated(run)
    root = data_root()
    file = root / FILE if root else None
    if run.real and file and file.is_file():
        lines += real_hour(Path(run.output), file)
    print("\n".join(lines))


def _simulated(run: Run) -> list[str]:
    folder = Path(run.output) / "demo"
    static, time = load_static(load_domain(run.domain)), clock.parse_time(TIME)
    world = simulate_hour(static, time, stations=run.stations, seed=run.seed)
    observations, background = folder / "observations.csv", folder / "background.nc"
    write_csv(observations, world.observations)
    write_state(background, world.background)
    reports = Reports((str(observations),), background=(str(background),), time=(TIME,))
    cases = CasesSection(run.domain, reports)
    suitable = {Need.FIRST_GUESS, Need.SETTINGS}
    names = (
        *(name for name, entry in METHODS.items() if suitable.issuperset(entry.needs) and not entry.costly),
        *trained_methods(),
    )
    results = verified(verify.Run(cases, str(folder / "verification"), variables=run.variables, method=names))
    ratios = error_ratios(cases, world, [standing.method for standing in results.standings], run.variables)
    method = next(name for name, ratio in ratios.items() if ratio <= (1.0 + EQUAL) * min(ratios.values()))
    (analysis,), (product,) = analyse.make(analyse.Run(cases, str(folder), method=method, variables=run.variables))
    truth = world.truth.values["t2m"]
    fields = world.background.values["t2m"], analysis.values["t2m"]
    before, after = (float(np.sqrt(np.mean((field - truth) ** 2))) for field in fields)
    return [
        f"A simulated hour on {static.domain.title}",
        *paths(product),
        f"  report    {folder / 'verification' / 'report.html'}",
        f"  analysed by --method {method}, the nearest to the simulated truth; the variables' mean error at all grid",
        f"  points over the background's: {', '.join(f'{Wording().method(n)} {r:.2f}' for n, r in ratios.items())}",
        *(f"  At withheld stations: {line}" for line in compare_methods(results.standings, Wording())),
        sentence(results.stations, method),
        f"  against the simulated truth at all grid points: background {before:.2f} K, analysis {after:.2f} K",
    ]
