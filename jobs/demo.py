"""The demonstration: a simulated world analysed and verified, then a real hour where the data are there.

    mlrtma demo --output output

The simulated world is written to files first; from there on it is the same ``verify`` and ``analyse`` as any other run.
The world is analysed by the method that is nearest to its truth, which is known here. The real hour is analysed by
3D-Var and by the vision transformer, with the weights that come with it, and both are verified at withheld stations.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from jobs import analyse, verify
from jobs.command_line import parse
from jobs.demo_truth import error_ratios
from mlrtma_dist import clock
from mlrtma_dist.config import data_root
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.methods.registry import METHODS, Need
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.simulation.simulated_hour import simulate_hour
from mlrtma_dist.verification.report_words import Wording, compare_methods
from mlrtma_dist.verification.results import Results
from mlrtma_dist.verification.scores import Score
from mlrtma_dist.weights.release import released

REAL_HOUR = "prepbufr/rap.20220824.t06z.adpsfc.prepbufr"
TIME = "2022-08-24T06:00"
EQUAL = 0.005  # share by which mean errors may differ that count as equal: the order at withheld stations decides
ANALYSED = ("t2m", "d2m", "u10", "v10", "wind_speed")  # of the real hour; the map of the wind shows its speed
CLASSICAL, TRAINED = "threedvar", "vit"  # of the real hour


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
    suitable = {Need.FIRST_GUESS, Need.SETTINGS}
    names = (*(name for name, entry in METHODS.items() if suitable.issuperset(entry.needs)), *_trained())
    results = _verified(verify.Run(cases, str(folder / "verification"), variables=run.variables, method=names))
    ratios = error_ratios(cases, world, [standing.method for standing in results.standings], run.variables)
    method = next(name for name, ratio in ratios.items() if ratio <= (1.0 + EQUAL) * min(ratios.values()))
    (analysis,), (product,) = analyse.make(analyse.Run(cases, str(folder), method=method, variables=run.variables))
    truth = world.truth.values["t2m"]
    fields = world.background.values["t2m"], analysis.values["t2m"]
    before, after = (float(np.sqrt(np.mean((field - truth) ** 2))) for field in fields)
    return [
        f"A simulated hour on {static.domain.title}",
        *_paths(product),
        f"  report    {folder / 'verification' / 'report.html'}",
        f"  analysed by --method {method}, the nearest to the simulated truth; the variables' mean error at all grid",
        f"  points over the background's: {', '.join(f'{Wording().method(n)} {r:.2f}' for n, r in ratios.items())}",
        *(f"  At withheld stations: {line}" for line in compare_methods(results.standings, Wording())),
        _sentence(results.stations, method),
        f"  against the simulated truth at all grid points: background {before:.2f} K, analysis {after:.2f} K",
    ]


def _real(run: Run, file: Path) -> list[str]:
    folder, methods = Path(run.output) / "conus", (CLASSICAL, *_trained())
    cases = CasesSection("conus", Reports((str(file),)))
    products = []
    for method in methods:
        analysis = analyse.Run(cases, str(folder / method), method=method, variables=ANALYSED)
        products += analyse.make(analysis)[1]
    results = _verified(verify.Run(cases, str(folder / "verification"), variables=("t2m",), method=methods))
    lines = [
        "",
        "A real hour: CONUS, 2022-08-24 06 UTC, no background (the first guess is a regression on the reports)",
    ]
    for method, product in zip(methods, products, strict=True):
        lines += [f"  by --method {method}", *_paths(product), _sentence(results.stations, method)]
    if len(products) > 1:
        beside = folder / "conus_t2m_by_both.png"
        _put_below([_picture(product) for product in products], beside)
        lines.append(f"  both maps {beside}")
    return [*lines, f"  report    {folder / 'verification' / 'report.html'}"]


def _trained() -> tuple[str, ...]:
    """The trained method, where its weights and torch are there."""
    return (TRAINED,) if released(TRAINED) and importlib.util.find_spec("torch") else ()


def _paths(product: Path) -> list[str]:
    return [f"  analysis  {product}", f"  map       {_picture(product)}"]


def _picture(product: Path) -> Path:
    return product.parent / "maps" / f"{product.stem}_t2m_analysis.png"


def _put_below(pictures: list[Path], path: Path) -> None:
    """One picture of several of one width, one below the other."""
    images = [Image.open(picture).convert("RGB") for picture in pictures]
    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    with written_atomically(path) as file:
        whole.save(file, format="PNG")


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
