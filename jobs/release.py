"""Make of a checkpoint weights that are given to others: their average alone, with what they learnt from and score.

    mlrtma release configs/releases/vit.yaml

Writes weights.safetensors and manifest.json, which serve wherever a checkpoint does. The scores are those of a
verification of the same checkpoint, for each of its times; where they are computed again, the weights are the same.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.command_line import parse
from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.crps import crps_of_matches
from mlrtma_dist.verification.match import Matches, read_matches
from mlrtma_dist.weights.manifest import Manifest, Release
from mlrtma_dist.weights.release import write_release


@dataclass(frozen=True)
class Run:
    """One release.

    Attributes:
        checkpoint: folder of the trained network.
        output: folder to write, which does not exist yet.
        matches: matches.csv of a verification of this checkpoint.
        data: what it was trained on, a line each: the data's name, where they are from, their licence.
        command: that trained it.
    """

    checkpoint: str
    output: str
    matches: str
    data: tuple[str, ...]
    command: str

    def __post_init__(self):
        if not self.data or not self.command:
            raise ValueError("data, command: expected what the network was trained on, and by which command; got none")


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "release", __doc__, arguments)
    if run is None:
        return
    method = Manifest.read(Path(run.checkpoint)).run.method
    scores = scores_of(read_matches(run.matches), method, run.matches)
    hours = int(Manifest.read(Path(run.checkpoint)).run.statistics.get("cases", 0))
    manifest = write_release(Path(run.checkpoint), Path(run.output), Release(run.data, run.command, hours, scores))
    (file,) = manifest.files.values()
    print(f"{run.output}: {method} after {manifest.state.step} steps on {hours} hours, {file['bytes'] / 1e6:.1f} MB")


def scores_of(matches: Matches, method: str, source: str) -> dict[str, dict[str, dict[str, float]]]:
    """Time -> variable -> reports, rmse and CRPS of a method, analysis space.

    Raises:
        InputError: the method has no match.
    """
    own = matches.select(method=method)
    own = own.select(own.scored)
    if not len(own):
        raise InputError(f"matches: {source} has none of method {method}. Verify this checkpoint: --method {method}.")
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
