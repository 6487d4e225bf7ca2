"""Verify methods: at stations that they never saw, and against fields that are known.

    mlrtma verify --domain conus --observations rap.t06z.adpsfc.prepbufr --output output/verify
    mlrtma verify --domain conus --observations FILE --method oi threedvar --blocks 300 --output output/blocked
    mlrtma verify --domain conus alaska --observations FILE --time 2022-08-24T00:00/2022-08-24T23:00 --output output/day
    mlrtma verify --domain conus --observations FILE --method grid threedvar --grid rtma.grib2 --output output/rtma
    mlrtma verify configs/verification/weather.yaml        # simulated weather: both, in one report
    mpiexec -n 4 mlrtma verify configs/verification/exercise1.yaml        # the same scores, sooner

Every station is withheld once; where the truth is known every method's fields are compared with it, and they alone if
no case has a report. Writes report.html, config.yaml, distributions.csv; of stations scores.csv, matches.csv and .json,
of several times trend.csv; of known fields fields.csv, case_scores.csv and .json, case.png, errors.png and, with
ensemble.above or below, reliability.csv. Exit code 4: written, but a time rests on too few reports, or on none.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.command_line import parse
from jobs.inputs import check_run, make_stores, prepare, start_ranks
from jobs.progress import progress, silent
from jobs.provenance import provenance, weights_of
from jobs.requirement import TOO_FEW, Requirement
from jobs.training_section import TrainingCasesSection
from jobs.verify_stations import has_reports, join_domains, verify_stations
from mlrtma_dist import config
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.inference.parts import Analyst, part_of
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.verification import case_scores, known_fields
from mlrtma_dist.verification.match_origin import write_origin
from mlrtma_dist.verification.results import Results, write_results

log = logging.getLogger(__name__)
REFERENCES = ("first_guess", "nearest")  # every verification at stations has them


@dataclass(frozen=True)
class Run:
    """One verification.

    Attributes:
        cases: what is verified: a domain and a source of cases (``samples.sources.CasesSection``).
        output: folder to write to.
        method: the methods to compare, at stations beside first guess and nearest; empty: all that have their needs.
        settings: file of ``configs/methods``, or of the user's own, with what the classical methods assume.
        variables: to verify; empty: all of the settings that the cases have.
        checkpoint: folder of a trained network; null: the weights that come with the learned methods, where they do.
        incumbent: a weights folder, whose current release is verified beside as method ``incumbent``, if it has one.
        grid: gridded files that method ``grid`` takes as its answer; empty: those of the background.
        diffusion: how members of method ``diffusion`` are drawn.
        fourdvar: how method ``fourdvar`` analyses, and the network that is its model.
        ensemble: above and below: limits whose probabilities are scored against known fields.
        training: cases that methods estimate covariances from.
        folds: number of parts into which the stations are divided by a hash of their names.
        blocks: side of the boxes that are withheld whole, km; null: single stations are withheld.
        seed: of the division and of the bootstrap.
        case: number of the case that is drawn, where the truth is known.
        require: what must be verified of each time, or the exit code is 4.
        mesh: the ranks as (data, y, x); null: all on the data axis.
        device: "auto", "cpu" or "cuda", for networks.
    """

    cases: CasesSection
    output: str
    method: tuple[str, ...] = ()
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    checkpoint: str | None = None
    incumbent: str | None = None
    grid: tuple[str, ...] = ()
    diffusion: Sampling = Sampling()
    fourdvar: FourDVarSettings = FourDVarSettings()
    ensemble: EnsembleSection = EnsembleSection()
    training: TrainingCasesSection | None = None
    folds: int = 10
    blocks: float | None = None
    seed: int = 0
    case: int = 0
    require: Requirement = Requirement()
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


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    run = parse(Run, "verify", __doc__, arguments)
    if run is None:
        return 0
    results, shortfalls = verify(run)
    if results is not None:
        print(*results.lines(), sep="\n")
    return TOO_FEW if shortfalls else 0


def make(run: Run) -> Results | None:
    """Verify and write; returns the results on rank 0. Collective."""
    return verify(run)[0]


def verify(run: Run) -> tuple[Results | None, list[str]]:
    """Verify and write; the results on rank 0, and on every rank what falls short of the requirement. Collective."""
    make_stores(run)
    names, parts, at_stations = run.method, [], []
    networks = ("unet",) if run.incumbent or (run.checkpoint and not names) else ()
    with start_ranks(run, (*names, *networks)) as ranks:
        sections = run.cases.on_each_domain()
        for section in sections:
            own, earth = replace(run, cases=section), not section.load_domain().is_plane
            prepared = prepare(own, (*REFERENCES, *names) if earth and names else names, ranks)
            cases, methods = prepared.cases, prepared.methods
            has_truth = cases.contents.truth and len(sections) == 1
            if has_truth and earth and not has_reports(cases):
                log.warning("no case has a report: methods are compared with the known fields alone")
                earth, methods = False, {name: each for name, each in methods.items() if name in (names or methods)}
            analyst = Analyst(cases, methods, part := part_of(ranks, cases, methods))
            with progress(f"verify {cases.contents.domain.name}") if part.is_first else silent() as show:
                fields = known_fields.score(analyst, run.case, show, run.ensemble) if has_truth else None
                at_stations += [verify_stations(own, prepared, analyst, show)] if earth else []
            parts.append((prepared, fields))
        stations, shortfalls = join_domains(run, at_stations) if at_stations else (None, [])
        if not part.is_first:
            return None, shortfalls
        for sentence in shortfalls:
            log.error("%s", sentence)
        prepared, fields = parts[0]  # the fields are those of the only domain
        resolved, folder = config.to_yaml(run), Path(run.output)
        write_text(folder / "config.yaml", resolved)
        context = provenance(resolved, run.cases, prepared.trained)
        results = write_results(folder, prepared.cases, fields, stations, context, seed=run.seed, drawn=run.case)
        weights = {name: weights_of(each) for name, each in prepared.trained.items()}
        withheld = {"folds": run.folds, "blocks": run.blocks, "seed": run.seed}
        for table, scored, how in (("matches.csv", stations, withheld), (case_scores.FILE, fields, {})):
            if scored is not None:
                write_origin(folder / table, weights, how)
        return results, shortfalls
