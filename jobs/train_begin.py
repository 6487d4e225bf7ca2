"""Where a training run begins: in an output folder of its own, or at the newest whole checkpoint of an earlier run."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jobs.provenance import commit
from jobs.to_come import Step, maker_of
from mlrtma_dist import config
from mlrtma_dist.methods.registry import untrained
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.store import Store
from mlrtma_dist.training import metrics
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.identity import weights_checksum
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


def inherit(run, method, saved: checkpoint.Checkpoint | None) -> tuple[dict, ...]:
    """Give a method the weights that a `jobs.train.Run` begins from; returns where they come from, the eldest first.

    Of a run that goes on from a checkpoint of its own, ``saved``, that says where.

    Raises:
        ConfigError: no checkpoint there.
        CheckpointError: a damaged one, or of another network.
    """
    if saved is not None or run.begin_from is None:
        return saved.manifest.run.ancestors if saved else ()
    if (step := maker_of(run.begin_from)) is not None:  # in the dry run of a campaign
        _check_to_come(step, run, method)
        return ()
    parent = _parent(run.begin_from)
    origin = parent.manifest.run
    parent.load_into(method.network, change=_change(origin.method, run.method, method))
    about: dict[str, object] = {
        "config": origin.config,
        "commit": origin.commit,
        "data_period": list(origin.data_period),
    }
    about |= {"steps": parent.manifest.state.step, "sha256": weights_checksum(parent), "stores": list(origin.stores)}
    return (*origin.ancestors, about)


def _change(before: str, name: str, method) -> checkpoint.Change:
    """How weights of the method ``before`` become those of ``name``."""
    return method.widened if (before, name) == ("vit", "vit_hybrid") else dict


def _check_to_come(step: Step, run, method) -> None:
    """Raise CheckpointError unless the network that an earlier step trains is that of a run which begins from it."""
    if step.verb != "train":
        return
    earlier = step.run(type(run))
    weights = dict(untrained(earlier.method, earlier.settings, step.config).network.named_parameters())
    changed = _change(earlier.method, run.method, method)(weights)
    network = dict(method.network.named_parameters())
    checkpoint.check_shapes(run.begin_from, checkpoint.shapes_of(network), checkpoint.shapes_of(changed))


def _parent(folder: str) -> checkpoint.Checkpoint:
    if not Path(folder).exists():
        raise config.ConfigError(
            f"begin_from: no checkpoint {folder}. Train it first with `mlrtma train` and the configuration whose output"
            " is above that folder, or name released weights (docs/vision_transformer.md)."
        )
    return checkpoint.Checkpoint(Path(folder)).verify()


def origin_of(run, statistics: Statistics, ancestors: tuple[dict, ...], stores: Sequence[Store]) -> Origin:
    """What the Manifest says of the weights of a `jobs.train.Run`."""
    period = statistics.start, statistics.end
    about = tuple(map(_about, stores))
    return Origin(config.to_yaml(run), commit(), run.method, period, asdict(statistics), ancestors, about)


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
