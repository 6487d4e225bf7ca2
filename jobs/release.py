"""Make of a checkpoint weights that are given to others: their average alone, with what they learnt from and score.

    mlrtma release configs/releases/vit.yaml

    mlrtma release configs/releases/vit_toy.yaml --gate output/gate/decision.json      # of the candidate that passed

Writes weights.safetensors and manifest.json, which serve wherever a checkpoint does. The scores are those of a
verification of the same checkpoint, which its matches.json or case_scores.json tells, for each of its times; where they
are computed again, the weights are the same. A release that is there already, of the same weights and scores, is left
as it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.command_line import parse
from jobs.gate_decision import require_candidate, require_passed
from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.case_scores import scores_by_time
from mlrtma_dist.verification.crps import crps_of_matches
from mlrtma_dist.verification.match import Matches, named, read_matches
from mlrtma_dist.verification.match_origin import read_origin
from mlrtma_dist.weights.manifest import Manifest, Release
from mlrtma_dist.weights.release import write_release


@dataclass(frozen=True)
class Run:
    """One release.

    Attributes:
        output: folder to write.
        data: what it was trained on, a line each: the data's name, where they are from, their licence.
        command: that trained it.
        checkpoint: folder of the trained network; null: that of the gate.
        matches: matches.csv of verifications of this checkpoint; empty: those of the gate.
        fields: case_scores.csv of verifications of this checkpoint against known fields, beside matches or alone.
        gate: decision.json of a gate that the checkpoint passed; null: there is none.
    """

    output: str
    data: tuple[str, ...]
    command: str
    checkpoint: str | None = None
    matches: tuple[str, ...] = ()
    gate: str | None = None
    fields: tuple[str, ...] = ()

    def __post_init__(self):
        if self.gate is None and (self.checkpoint is None or not self.matches + self.fields):
            raise ValueError(
                "expected checkpoint and matches or fields, or a gate, whose candidate and matches they are; got none"
            )
        if not self.data or not self.command:
            raise ValueError("data, command: expected what the network was trained on, and by which command; got none")


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "release", __doc__, arguments)
    if run is None:
        return
    checkpoint, matches = _chosen(run)
    about = Manifest.read(checkpoint)
    scores: dict = {}
    if matches:
        scores = scores_of(_rows(checkpoint, matches), about.run.method, ", ".join(matches))
    for time, of_fields in _of_fields(checkpoint, run.fields):
        twice = sorted(set(scores.get(time, {})) & set(of_fields))
        if twice:
            raise InputError(
                f"fields: expected scores of times and variables that no other table of matches or fields has, got"
                f" {', '.join(twice)} of {time} again in one of {', '.join(run.fields)}. Leave one of the tables out."
            )
        scores[time] = {**scores.get(time, {}), **of_fields}
    hours = int(about.run.statistics.get("cases", 0))
    manifest = write_release(checkpoint, Path(run.output), Release(run.data, run.command, hours, scores))
    (file,) = manifest.files.values()
    size = f"{file['bytes'] / 1e6:.1f} MB"
    print(f"{run.output}: {about.run.method} after {manifest.state.step} steps on {hours} hours, {size}")


def _chosen(run: Run) -> tuple[Path, tuple[str, ...]]:
    """The checkpoint, and the files of its matches.

    Raises:
        InputError: the gate refused its candidate, or had another one.
    """
    if run.gate is None:
        return Path(str(run.checkpoint)), run.matches
    decision = require_passed(run.gate)
    checkpoint = Path(run.checkpoint or decision["candidate"]["folder"])
    require_candidate(decision, run.gate, checkpoint)
    return checkpoint, run.matches or tuple(each["file"] for each in decision["matches"] if each["candidate"])


def _rows(checkpoint: Path, files: tuple[str, ...]) -> Matches:
    """The matches of a checkpoint under the name of its method.

    Raises:
        InputError: a table of matches of other weights.
    """
    from mlrtma_dist.weights.identity import checksum_of  # here: it needs torch, whose import takes seconds

    checksum, tables = checksum_of(checkpoint), []
    for file in files:
        name = read_origin(file).require(checksum, checkpoint, file)
        tables.append(named(read_matches(file).select(method=name), Manifest.read(checkpoint).run.method))
    return Matches.concatenate(tables)


def _of_fields(checkpoint: Path, files: tuple[str, ...]) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Time, and the scores of a checkpoint's fields of each variable, of tables of them.

    Raises:
        InputError: a table of other weights.
    """
    from mlrtma_dist.weights.identity import checksum_of  # here: it needs torch, whose import takes seconds

    for file in files:
        method = read_origin(file, "fields").require(checksum_of(checkpoint), checkpoint, file, "fields")
        yield from scores_by_time(file, method).items()


def scores_of(matches: Matches, method: str, source: str) -> dict[str, dict[str, dict[str, float]]]:
    """Time -> variable -> reports, rmse and CRPS of a method, analysis space.

    Raises:
        InputError: the method has no match.
    """
    own = matches.select(method=method)
    own = own.select(own.scored)
    if not len(own):
        raise InputError(f"matches: {source} has no prediction of method {method}. Verify this checkpoint again.")
    return {
        str(time): {name: _scores(at_time.select(variable=name)) for name in sorted(set(at_time.variable.tolist()))}
        for time in np.unique(own.time)
        for at_time in (own.select(own.time == time),)
    }


def _scores(own: Matches) -> dict[str, float]:
    """Of one variable; six digits, as no more can be computed again elsewhere."""
    crps = crps_of_matches(own).mean()
    rmse = np.sqrt(np.mean(own.error**2))
    scores = {"reports": len(own), "rmse": float(f"{rmse:.6g}"), "crps": float(f"{crps:.6g}")}
    return {name: score for name, score in scores.items() if np.isfinite(score)}  # no CRPS where no spread is given
