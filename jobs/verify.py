"""Verify methods at stations that they never saw: each station is withheld once.

    mlrtma verify --domain conus --observations rap.t06z.adpsfc.prepbufr --output output/verify
    mlrtma verify --domain conus --observations FILE --method oi threedvar --blocks 300 --output output/blocked
    mlrtma verify configs/verification/exercise1.yaml      # it has samples: every case of a store, see verify_cases

Writes report.html, scores.csv, matches.csv and config.yaml; of a store the figures case.png and errors.png instead of
matches.csv.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jobs import station_inputs
from jobs.command_line import kind_of, parse
from jobs.inputs import load_region, load_settings, provenance
from jobs.progress import progress
from jobs.withheld import box_of, collect
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.inference.analyse import diagnose, solve
from mlrtma_dist.inference.problem import pose
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.settings import METHODS, check_ensemble
from mlrtma_dist.observations.readers import PRECEDENCE
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, Matches, write_matches
from mlrtma_dist.verification.outlines import outlines
from mlrtma_dist.verification.report import write_report
from mlrtma_dist.verification.scores import Score, score_table, write_scores

OPTIONS = {
    **station_inputs.OPTIONS,
    "--samples": ("samples", "instead of observations: a store of cases whose truth is known"),
    "--checkpoint": ("checkpoint", "of a store: the trained method"),
    "--method": ("method...", f"to compare: {', '.join(METHODS)}; of a store: those of `analyse`, all by default"),
    "--folds": ("folds", "parts into which the stations are divided"),
    "--blocks": ("blocks", "withhold whole boxes of so many km instead of single stations"),
    "--output": ("output", "folder to write to"),
}


@dataclass(frozen=True)
class Run:
    """One verification; keys as in ``jobs.analyse.Run``, and

    Attributes:
        method: the methods to compare; first guess and nearest station come with them.
        folds: parts into which the stations are divided by a hash of their names.
        blocks: km; null: single stations are withheld.
        seed: of the division.
    """

    domain: str
    observations: tuple[str, ...]
    output: str
    background: tuple[str, ...] = ()
    ensemble: tuple[str, ...] = ()
    time: str | None = None
    method: tuple[str, ...] = ("threedvar", "oi", "gaussian_weights")
    folds: int = 10
    blocks: float | None = None
    seed: int = 0
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    window_minutes: float = 30.0
    mapping: str | None = None
    stations: tuple[str, ...] = ()
    station_lists: tuple[str, ...] = ()
    precedence: tuple[str, ...] = PRECEDENCE
    codes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        unknown = [m for m in self.method if m not in METHODS]
        if unknown or not self.method:
            raise ValueError(f"method: expected some of {', '.join(METHODS)}, got {', '.join(self.method) or 'none'}")
        for name in self.method:
            check_ensemble(name, bool(self.ensemble))
        if self.folds < 2:
            raise ValueError(f"folds: expected at least 2, got {self.folds}")
        if self.blocks is not None and not self.blocks > 0.0:
            raise ValueError(f"blocks: expected a size in km above 0, got {self.blocks:g}")
        station_inputs.check(self)


def main(arguments: list[str]) -> None:
    """Run the verb, of station observations or of the cases of a store."""
    if kind_of("verify", __doc__, arguments, OPTIONS, ("observations", "samples")) == "samples":
        from jobs import verify_cases  # here: it needs torch, whose import takes seconds

        verify_cases.main(arguments, OPTIONS)
        return
    run = parse(Run, "verify", __doc__, arguments, OPTIONS)
    if run is not None:
        make(run)
        print(Path(run.output) / "scores.csv")
        print(Path(run.output) / "report.html")


def make(run: Run) -> list[Score]:
    """Verify and write; returns the scores."""
    settings = load_settings(run.settings, run.variables)
    static = load_static(load_region(run.domain))
    observations = station_inputs.read(run)
    parts = folds(observations, count=run.folds, seed=run.seed, block_km=run.blocks)  # twins show in all variables
    wanted = np.isin(observations.variable, list(settings.variables))
    observations, parts = observations[wanted], parts[wanted]
    asked = station_inputs.asked(run, observations)
    methods = list(dict.fromkeys((FIRST_GUESS, NEAREST, *run.method)))
    with progress(f"verify {static.domain.name}") as show:
        matches = collect(static, observations, settings, methods, parts, progress=show, **asked)
    if not matches.scored.any():
        raise InputError(
            f"no report of {', '.join(settings.variables)} on {static.domain.name} within "
            f"{run.window_minutes:g} minutes of {asked['time']} can be verified: check --time, --domain and the files"
        )
    clusters = box_of(matches, run.blocks) if run.blocks else None
    scores = score_table(matches, domain=static.domain.name, clusters=clusters)
    whole = pose(static, observations, settings, **asked)
    fits = solve(whole, run.method[0], settings)
    _write(run, matches, scores, clusters, diagnose(whole, fits, settings, run.method[0]))
    return scores


def _write(run: Run, matches: Matches, scores: list[Score], clusters, analysis) -> None:
    folder = Path(run.output)
    resolved = config.to_yaml(run)
    write_text(folder / "config.yaml", resolved)
    write_matches(folder / "matches.csv", matches)
    write_scores(folder / "scores.csv", scores)
    time = str(analysis.time.astype("datetime64[m]")).replace("T", " ")
    how = f"in boxes of {run.blocks:g} km" if run.blocks else "by the hash of their names"
    write_report(
        folder / "report.html",
        title=f"Verification, {analysis.static.domain.title}, {time} UTC",
        matches=matches,
        scores=scores,
        analysis=analysis,
        clusters=clusters,
        outlines=outlines(analysis.static),
        context={
            "withheld": f"in {run.folds} parts, stations divided {how}",
            "first guess": analysis.first_guess_name,
            **provenance(resolved, run.observations, run.background + run.ensemble),
        },
    )
