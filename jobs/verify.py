"""Verify methods: at stations that they never saw, and against fields that are known.

    mlrtma verify --domain conus --observations rap.t06z.adpsfc.prepbufr --output output/verify
    mlrtma verify --domain conus --observations FILE --method oi threedvar --blocks 300 --output output/blocked
    mlrtma verify configs/verification/weather.yaml        # simulated weather: both, in one report
    mpiexec -n 4 mlrtma verify configs/verification/exercise1.yaml        # the same scores, sooner

Every station is withheld once; where the truth is known every method's fields are compared with it. Writes report.html
and config.yaml; of stations scores.csv and matches.csv; of known fields fields.csv, case.png and errors.png.
"""

from dataclasses import dataclass
from pathlib import Path

from jobs.case_options import OPTIONS as INPUTS
from jobs.case_options import TrainingCasesSection
from jobs.command_line import parse
from jobs.inputs import Prepared, check_run, make_stores, prepare, start_ranks
from jobs.progress import progress, silent
from jobs.provenance import provenance
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.analyse import diagnose
from mlrtma_dist.inference.parts import Analyst, part_of
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.methods.settings import assumptions
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.verification import known_fields
from mlrtma_dist.verification.results import Results, StationResults, write_results
from mlrtma_dist.verification.withheld import collect

OPTIONS = {
    **INPUTS,
    "--method": ("method...", f"to compare: {', '.join(METHODS)}; none: all that suit the cases"),
    "--folds": ("folds", "parts into which the stations are divided"),
    "--blocks": ("blocks", "withhold whole boxes of so many km instead of single stations"),
    "--output": ("output", "folder to write to"),
}
REFERENCES = ("first_guess", "nearest")  # every verification at stations has them
ANALYSED = ("threedvar", "outer_loops", "unet")  # whose departures the report shows, where no method is named


@dataclass(frozen=True)
class Run:
    """One verification.

    Attributes:
        cases, output, settings, variables, checkpoint, training, mesh, device: as in ``jobs.analyse.Run``.
        method: the methods to compare; empty: all that have what they need. First guess and nearest station come
            with them at stations.
        folds: parts into which the stations are divided by a hash of their names.
        blocks: km; null: single stations are withheld.
        seed: of the division and of the bootstrap.
        case: number of the case that is drawn, where the truth is known.
    """

    cases: CasesSection
    output: str
    method: tuple[str, ...] = ()
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    checkpoint: str | None = None
    training: TrainingCasesSection | None = None
    folds: int = 10
    blocks: float | None = None
    seed: int = 0
    case: int = 0
    mesh: Mesh | None = None
    device: str = "auto"

    def __post_init__(self):
        check_run(self, self.method)
        if self.folds < 2:
            raise ValueError(f"folds: expected at least 2, got {self.folds}")
        if self.blocks is not None and not self.blocks > 0.0:
            raise ValueError(f"blocks: expected a size in km above 0, got {self.blocks:g}")
        if self.case < 0:
            raise ValueError(f"case: expected a number >= 0, got {self.case}")


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "verify", __doc__, arguments, OPTIONS)
    if run is not None and (results := make(run)):
        print(*results.lines(), sep="\n")


def make(run: Run) -> Results | None:
    """Verify and write; returns the results on rank 0. Collective."""
    make_stores(run)
    names = run.method
    with start_ranks(run, names or (("unet",) if run.checkpoint else ())) as ranks:
        earth = not run.cases.load_domain().is_plane
        cases = prepare(run, (*REFERENCES, *names) if earth and names else names, ranks)
        part = part_of(ranks, cases.cases, cases.methods)
        analyst = Analyst(cases.cases, cases.methods, part)
        with progress(f"verify {cases.cases.contents.domain.name}") if part.is_first else silent() as show:
            fields = _fields(run, analyst, show) if cases.cases.contents.truth else None
            at_stations = _stations(run, cases, analyst, show) if earth else None
        if not part.is_first:
            return None
        resolved = config.to_yaml(run)
        folder = Path(run.output)
        write_text(folder / "config.yaml", resolved)
        context = provenance(resolved, run.cases, cases.trained)
        return write_results(folder, cases.cases, fields, at_stations, context, seed=run.seed, drawn=run.case)


def _fields(run: Run, analyst: Analyst, show) -> known_fields.FieldSums:
    count = len(analyst.cases.time)
    if run.case >= count:
        raise config.ConfigError(f"case: expected 0 to {count - 1}, got {run.case}")
    return known_fields.score(analyst, run.case, show)


def _stations(run: Run, prepared: Prepared, analyst: Analyst, show) -> StationResults:
    """Withhold every station of every case once."""
    cases, assumed = prepared.cases, assumptions(prepared.settings)
    parts = {
        number: folds(cases.reports(number), count=run.folds, seed=run.seed, block_km=run.blocks)
        for number in range(len(cases.time))
    }
    matches = collect(analyst, assumed, parts, show)
    if not matches.scored.any():
        reports = run.cases.reports
        near = f"within {reports.window_minutes:g} minutes of" if reports else "in the cases from"
        raise InputError(
            f"no report of {', '.join(assumed)} on {cases.contents.domain.name} {near} {cases.time[0]} can be verified:"
            " check --time, --domain and the files"
        )
    named = run.method or tuple(name for name in ANALYSED if name in analyst.methods)
    name, case, answer = next(each for each in analyst.answers(0) if each[0] == named[0])
    how = f"in boxes of {run.blocks:g} km" if run.blocks else "by the hash of their names"
    note = f"in {run.folds} parts, stations divided {how}"
    return StationResults(matches, diagnose(case, answer, name, analyst.part.share), run.blocks, note)
