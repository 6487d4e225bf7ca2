"""Put a release to use at a site: copy it into the weights folder, and let `current` point to it by one rename.

    mlrtma promote output/release --weights /site/weights --gate output/gate/decision.json
    mlrtma promote output/release --weights /site/weights --without-gate "first weights of the site"
    mlrtma promote --back --weights /site/weights            # the release that was in use before

Needs the decision of a gate that these weights passed against what is in use now. Who changed what, when and why is a
line of promotions.jsonl; the decision stays beside the weights, gate.json. A promotion that was killed leaves the old
weights or the new ones in use: run it again.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc import slurm
from jobs.command_line import parse
from jobs.gate_decision import require_candidate, require_passed
from mlrtma_dist.errors import InputError
from mlrtma_dist.io.lock import locked

if TYPE_CHECKING:  # it imports torch, which takes seconds
    from mlrtma_dist.weights.folder import WeightsFolder

log = logging.getLogger(__name__)
BACK = "--back"


@dataclass(frozen=True)
class Run:
    """One promotion.

    Attributes:
        weights: the weights folder.
        release: folder of the release; null: none, as back takes none.
        gate: decision.json of the gate that it passed.
        without_gate: the reason for promoting it without a gate.
        name: of the release in the weights folder; null: its method and the first letters of its checksum.
        back: whether the release is put to use that was in use before.
        output: what is there when it is done, for `mlrtma submit`; null: the weights folder.
    """

    weights: str
    release: str | None = None
    gate: str | None = None
    without_gate: str | None = None
    name: str | None = None
    back: bool = False
    output: str | None = None

    def __post_init__(self):
        if self.output is None:
            object.__setattr__(self, "output", str(Path(self.weights) / "current"))
        others = [key for key in ("release", "gate", "without_gate", "name") if getattr(self, key) is not None]
        if self.back:
            if others:
                raise ValueError(
                    f"back: expected neither {' nor '.join(others)}, as {BACK} puts the release to use that was in use"
                    f" before. Leave it out, or leave {BACK} out."
                )
            return
        if self.release is None:
            raise ValueError(f"release: expected the folder of a release, or {BACK}, got neither")
        if self.gate is not None and self.without_gate is not None:
            raise ValueError("gate and without_gate exclude each other: expected one of them")
        if self.gate is None and not (self.without_gate or "").strip():
            raise ValueError(
                "gate: expected the decision of a gate that the release passed (--gate decision.json),"
                " or a reason to do without (--without-gate REASON), got none"
            )


def main(arguments: list[str]) -> None:
    """Run the verb."""
    backs = ["--set", "back=true"] if BACK in arguments else []
    run = parse(Run, "promote", __doc__, [*(each for each in arguments if each != BACK), *backs])
    if run is None:
        return
    from mlrtma_dist.weights.folder import WeightsFolder  # here: it needs torch

    folder = WeightsFolder(run.weights)
    if run.back and not folder.root.is_dir():
        raise InputError(f"weights: no folder {run.weights}")
    with locked(folder.root, slurm.runs):
        release = folder.back({}) if run.back else promote(folder, run)
    print(f"{folder.link} -> {release}")


def promote(folder: "WeightsFolder", run: Run) -> Path:
    """Put the release of a run to use, if the decision of its gate holds; returns its folder there.

    Raises:
        InputError: the gate refused these weights, was about others, or compared them with what is no longer in use.
    """
    from mlrtma_dist.weights.identity import checksum_of
    from mlrtma_dist.weights.manifest import Manifest

    release = Path(str(run.release))
    if run.gate is None:
        log.warning("%s is promoted without a gate: %s", release, run.without_gate)
        checksum, text = checksum_of(release), None
        evidence: dict[str, object] = {"without_gate": run.without_gate}
    else:
        decision = require_passed(run.gate)
        checksum = require_candidate(decision, run.gate, release)
        in_use = checksum_of(folder.current) if folder.current else None
        if in_use not in (checksum, decision["reference"]["sha256"]):
            raise InputError(
                f"gate: {run.gate} compares with {decision['reference']['sha256'] or decision['reference']['method']},"
                f" but in use is {folder.current or 'none'} by now. Verify beside it and let the gate decide again."
            )
        evidence = {"gate": _figures(decision, run.gate)}
        text = Path(run.gate).read_text(encoding="utf-8")
    name = run.name or f"{Manifest.read(release).run.method}-{checksum[:12]}"
    return folder.promote(release, name, {"release": str(release.resolve()), **evidence}, text)


def _figures(decision: dict, path: str) -> dict:
    """What the log says of a decision: where it is, what was compared, and the first figure, the ratio of rmse."""
    first = decision["checks"][0]
    figure = {key: first[key] for key in ("value", "lower", "upper")}
    reference = decision["reference"]["sha256"] or decision["reference"]["method"]
    return {"file": str(Path(path).resolve()), "reference": reference, first["rule"]: figure}
