"""The demonstration: a simulated world analysed and verified, then a real hour where the data are there.

    mlrtma demo --output output

The simulated world is written to files first; from there on it is the same ``verify`` and ``analyse`` as any other run.
The world is analysed by the method that is nearest to its truth, which is known here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs import analyse, verify
from jobs.command_line import parse
from jobs.demo_truth import error_ratios
from mlrtma_dist import clock
from mlrtma_dist.config import data_root
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.simulation.simulated_hour import simulate_hour
from mlrtma_dist.verification.report_words import Wording, compare_methods
from mlrtma_dist.verification.results import Results
from mlrtma_dist.verification.scores import Score

REAL_HOUR = "prepbufr/rap.20220824.t06z.adpsfc.prepbufr"
TIME = "2022-08-24T06:00"
EQUAL = 0.005  # share by which mean errors may differ that count as equal: the order at withheld stations decides
ANALYSED = ("t2m", "d2m", "u10", "v10", "wind_speed")  # of the real hour; the map of the wind shows its speed


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
    file = root / REAL_HOUR if root else None
    if run.real and file and file.is_file():
        lines += _real(run, file)
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
    results = _verified(verify.Run(cases, str(folder / "verification"), variables=run.variables))
    ratios = error_ratios(cases, world, [standing.method for standing in results.standings], run.variables)
    method = next(name for name, ratio in ratios.items() if ratio <= (1.0 + EQUAL) * min(ratios.values()))
    (analysis,), (product,) = analyse.make(analyse.Run(cases, str(folder), method=method, variables=run.variables))
    truth = world.truth.values["t2m"]
    fields = world.background.values["t2m"], analysis.values["t2m"]
    before, after = (float(np.sqrt(np.mean((field - truth) ** 2))) for field in fields)
    return [
        f"A simulated hour on {static.domain.title}",
        *_paths(product, folder / "verification"),
        f"  analysed by --method {method}, the nearest to the simulated truth; the variables' mean error at all grid",
        f"  points over the background's: {', '.join(f'{Wording().method(n)} {r:.2f}' for n, r in ratios.items())}",
        *(f"  At withheld stations: {line}" for line in compare_methods(results.standings, Wording())),
        _sentence(results.stations, method),
        f"  against the simulated truth at all grid points: background {before:.2f} K, analysis {after:.2f} K",
    ]


def _real(run: Run, file: Path) -> list[str]:
    folder = Path(run.output) / "conus"
    cases = CasesSection("conus", Reports((str(file),)))
    _, (product,) = analyse.make(analyse.Run(cases, str(folder), variables=ANALYSED))
    verification = verify.Run(cases, str(folder / "verification"), variables=("t2m",), method=("threedvar",))
    results = _verified(verification)
    return [
        "",
        "A real hour: CONUS, 2022-08-24 06 UTC, no background (the first guess is a regression on the reports)",
        *_paths(product, folder / "verification"),
        _sentence(results.stations, "threedvar"),
    ]


def _paths(product: Path, verification: Path) -> list[str]:
    picture = product.parent / "maps" / f"{product.stem}_t2m_analysis.png"
    return [f"  analysis  {product}", f"  map       {picture}", f"  report    {verification / 'report.html'}"]


def _verified(run: verify.Run) -> Results:
    """The results of a verification by this process alone."""
    results = verify.make(run)
    assert results is not None, "a process alone is rank 0, which has the results"
    return results


def _sentence(scores: list[Score], method: str) -> str:
    """Background and analysis error of temperature at withheld stations, in one line."""
    rows = {s.method: s for s in scores if s.variable == "t2m" and s.region == "all"}
    before, after = rows["first_guess"], rows[method]
    return (
        f"  2 m temperature at {after.n} withheld stations: first guess rmse {before.rmse:.2f} K, "
        f"analysis rmse {after.rmse:.2f} K ({after.lower:.2f} to {after.upper:.2f})"
    )
