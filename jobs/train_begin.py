"""Where a training run begins: in an output folder of its own, or at the newest whole checkpoint of an earlier run."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from jobs.provenance import commit
from jobs.train_inherit import Inheritance
from mlrtma_dist import config
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.store import Store
from mlrtma_dist.training import metrics
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.manifest import CheckpointError
from mlrtma_dist.weights.manifest import Run as Origin

log = logging.getLogger(__name__)
NO_INFLUENCE = ("output", "mesh", "device")  # a run gives the same losses there


def folder_of(run) -> Path:
    """The folder of a `jobs.train.Run`'s checkpoints."""
    return Path(run.output) / "checkpoints"


def check_output(run, resumes: bool) -> None:
    """Raise ConfigError if a `jobs.train.Run` would write over the checkpoints of another."""
    if not resumes and checkpoint.steps(folder_of(run)):
        raise config.ConfigError(f"output: {run.output} holds checkpoints already; add --resume or name another folder")


def begin(run, resumes: bool, everyone: Transport) -> checkpoint.Checkpoint | None:
    """The checkpoint that a `jobs.train.Run` goes on from, which rank 0 names; None: it begins anew. Collective.

    Raises:
        CheckpointError: there were some, and they are damaged or gone: the run would begin anew over its old metrics.
    """
    if not resumes:
        return None
    saved = checkpoint.newest(folder_of(run), everyone)
    if everyone.rank == 0:
        if saved is None:
            _require_no_progress(run)
        print(f"train: goes on from {saved.folder if saved else 'the first step'}", file=sys.stderr)
        if saved is not None and (other := changes(saved, run)):
            log.warning("%s was trained with other settings: %s", saved.folder, ", ".join(other))
    return saved


def origin_of(run, statistics: Statistics, inherited: Inheritance, stores: Sequence[Store]) -> Origin:
    """What the Manifest says of the weights of a `jobs.train.Run`."""
    period = statistics.start, statistics.end
    about = tuple(map(_about, stores))
    origin = Origin(config.to_yaml(run), commit(), run.method, period, asdict(statistics), inherited.ancestors, about)
    return replace(origin, transfer=inherited.transfer)


def _about(store: Store) -> dict:
    """A store in the Manifest of what was trained on it."""
    start, end = str(store.time.min()), str(store.time.max())
    made_by = store.reader.attributes.get("made_by", "")
    return {"file": str(store.reader.path), "cases": len(store.time), "start": start, "end": end, "made_by": made_by}


def _require_no_progress(run) -> None:
    path = Path(run.output) / metrics.FILE
    rows = metrics.read(path) if path.exists() else []
    first = run.schedule.checkpoint_every or run.schedule.steps
    if rows and rows[-1]["step"] >= first:  # steps count from 0: one was done after the first checkpoint
        raise CheckpointError(
            f"{folder_of(run)}: expected a checkpoint, as {path} has steps up to {rows[-1]['step']} and the first"
            f" checkpoint is due after {first}; there is none. Bring them back or name another output folder."
        )


def changes(saved: checkpoint.Checkpoint, run) -> list[str]:
    """Settings of a `jobs.train.Run` that are not those of the run that wrote a checkpoint, in words."""
    before = _flat(config.parse_yaml(saved.manifest.run.config, str(saved.folder)))
    now = _flat(config.parse_yaml(config.to_yaml(run), "this run"))
    return [
        f"{key} {now.get(key)} (was {before.get(key)})"
        for key in {**now, **before}
        if now.get(key) != before.get(key) and key.split(".")[0] not in NO_INFLUENCE
    ]


def _flat(section: dict, above: str = "") -> dict:
    """A nested mapping with dotted keys."""
    flat: dict = {}
    for key, value in section.items():
        flat.update(_flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value})
    return flat
