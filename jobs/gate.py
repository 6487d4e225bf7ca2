"""Decide by stated rules whether trained weights may replace those in use, from matches at the same reports.

    mlrtma gate configs/gates/vit_toy.yaml
    mlrtma gate configs/gates/vit_toy.yaml --candidate output/release --matches output/verification/matches.csv

The incumbent is the current release of the weights folder or, where there is none yet, the classical method
``reference``. Of several candidates, such as trainings that differ by their seed, the one with the lowest validation
score in its manifest is the candidate. Writes decision.json with every figure and decision.txt. Exit code 5: refused.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from jobs.command_line import parse
from jobs.gate_matches import Tables
from jobs.gate_text import text_of
from jobs.provenance import origin
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.verification.gate import Rules, compare, decision

REFUSED = 5  # exit code
JSON, TEXT = "decision.json", "decision.txt"


@dataclass(frozen=True)
class Run:
    """One decision.

    Attributes:
        candidate: folders of checkpoints or releases, of which one is the candidate.
        matches: matches.csv of verifications of the candidates and of what they are compared with.
        output: folder to write to.
        rules: what the candidate must keep (``verification.gate.Rules``).
        weights: the weights folder, whose current release is the incumbent; null: none is.
        reference: a method in the matches, which the candidate is compared with where there is no incumbent.
    """

    candidate: tuple[str, ...]
    matches: tuple[str, ...]
    output: str
    rules: Rules
    weights: str | None = None
    reference: str | None = None

    def __post_init__(self):
        if not self.candidate or not self.matches:
            raise ValueError("candidate, matches: expected a folder and a file at least")
        if self.weights is None and self.reference is None:
            raise ValueError("weights, reference: expected one of them: what the candidate is compared with; got none")


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    run = parse(Run, "gate", __doc__, arguments)
    if run is None:
        return 0
    verdict = decide(run)
    folder = Path(run.output)
    text = text_of(verdict)
    write_text(folder / TEXT, text)
    write_text(folder / JSON, json.dumps(verdict, indent=1, allow_nan=False) + "\n")
    print(text, end="")
    print(folder / JSON)
    return 0 if verdict["passed"] else REFUSED


def decide(run: Run) -> dict:
    """The decision.

    Raises:
        CheckpointError: a candidate is none, or damaged. InputError: matches of other weights, or nothing to compare.
    """
    from mlrtma_dist.weights.checkpoint import Checkpoint  # here: it needs torch, whose import takes seconds
    from mlrtma_dist.weights.folder import WeightsFolder
    from mlrtma_dist.weights.identity import weights_checksum

    opened = [Checkpoint(Path(folder).resolve()).verify() for folder in run.candidate]
    candidate = _best(opened)
    tables = Tables.read(run.matches)
    checksum, current = weights_checksum(candidate), WeightsFolder(run.weights).current if run.weights else None
    own = tables.of_weights(checksum, candidate.folder)
    if current is not None:
        incumbent = Checkpoint(current).verify()
        reference = _facts(incumbent, weights_checksum(incumbent))
        other = tables.of_weights(reference["sha256"], current, beside=own)
    elif run.reference is not None:
        reference = {"method": run.reference, "sha256": None}
        other = tables.of_method(run.reference, beside=own)
    else:
        raise InputError(
            f"weights: {run.weights} has no current release yet: name the method `reference` to compare with"
        )
    tables.require_equal_division(own, other)
    facts: dict[str, object] = {"candidate": _facts(candidate, checksum), "reference": reference}
    scores = [(str(each.folder), each.manifest.state.best_score) for each in opened]
    facts["candidates"] = [{"folder": folder, "validation": score} for folder, score in scores]
    facts["matches"] = [{**tables.facts(path), "candidate": path in own} for path in dict.fromkeys((*own, *other))]
    mine = tables.rows(own, checksum=checksum)
    facts["times_within_training"] = tables.times_within(mine, *candidate.manifest.run.data_period)
    facts["made"] = origin(config.to_yaml(run))
    theirs = tables.rows(other, checksum=reference["sha256"], method=reference["method"])
    return decision(compare(mine, theirs, run.rules), facts)


def _best(opened: list):
    """The candidate of the lowest validation score; a single one needs none."""
    scores = [each.manifest.state.best_score for each in opened]
    if len(opened) > 1 and None in scores:
        raise InputError(
            f"candidate: {opened[scores.index(None)].folder} has no validation score, by which one of several is"
            " chosen. Train with validation_from or validation_samples, or name one candidate."
        )
    return min(opened, key=lambda each: each.manifest.state.best_score) if len(opened) > 1 else opened[0]


def _facts(saved, checksum: str) -> dict:
    run, state = saved.manifest.run, saved.manifest.state
    return {
        "folder": str(saved.folder),
        "sha256": checksum,
        "method": run.method,
        "step": state.step,
        "commit": run.commit,
        "data_period": list(run.data_period),
    }
