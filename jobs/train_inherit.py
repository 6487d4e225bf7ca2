"""Which weights the first step of a training begins with, and what the Manifest says of them."""

from dataclasses import dataclass
from pathlib import Path

from jobs.to_come import Step, maker_of
from mlrtma_dist import config
from mlrtma_dist.methods.registry import untrained
from mlrtma_dist.methods.transfer import Transfer, adapt, as_weights_of
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.identity import weights_checksum
from mlrtma_dist.weights.inheritance import about, method_name, method_of, parent_of, take_over
from mlrtma_dist.weights.manifest import CheckpointError


@dataclass(frozen=True)
class Inheritance:
    """What a training began from: `weights.manifest.Run.ancestors` and ``transfer``."""

    ancestors: tuple[dict, ...] = ()
    transfer: dict | None = None


def inherit(run, method, saved: checkpoint.Checkpoint | None) -> Inheritance:
    """Give a method the weights that a `jobs.train.Run` begins from, and those to train beside them.

    Of a run that goes on from a checkpoint of its own, ``saved``, that says where they come from.

    Raises:
        ConfigError: no checkpoint there.
        CheckpointError: a damaged one, or of another network; or other weights than those that the run began from.
    """
    transfer = run.transfer or Transfer()
    if saved is not None:
        if transfer.separate:
            take_over(method, parent_of(saved), transfer, str(saved.folder))
        return Inheritance(saved.manifest.run.ancestors, saved.manifest.run.transfer)
    if run.begin_from is None:
        return Inheritance()
    if (step := maker_of(run.begin_from)) is not None:  # in the dry run of a campaign
        _check_to_come(step, run, method, transfer)
        return Inheritance()
    parent = _parent(run.begin_from)
    _check_fit(run, method, method_name(parent), method_of(parent))
    added, checksum = take_over(method, parent, transfer, "this training"), weights_checksum(parent)
    ancestors = (*parent.manifest.run.ancestors, _origin_of(parent, checksum))
    return Inheritance(ancestors, about(parent, checksum, transfer, added))


def _origin_of(parent: checkpoint.Checkpoint, checksum: str) -> dict:
    """What an ancestor says of the weights that a training begins from."""
    origin = parent.manifest.run
    named: dict[str, object] = {
        "config": origin.config,
        "commit": origin.commit,
        "data_period": list(origin.data_period),
    }
    named |= {"steps": parent.manifest.state.step, "sha256": checksum, "stores": list(origin.stores)}
    return named if origin.transfer is None else {**named, "transfer": origin.transfer}


def _check_to_come(step: Step, run, method, transfer: Transfer) -> None:
    """Raise CheckpointError unless the network that an earlier step trains is that of a run which begins from it."""
    if step.verb != "train":
        return
    earlier = step.run(type(run))
    before = untrained(earlier.method, earlier.settings, step.config)
    _check_fit(run, method, earlier.method, before)
    if transfer.separate:
        adapt(method, before, transfer, "this training")


def _check_fit(run, method, name: str, before) -> None:
    """Raise CheckpointError unless weights of a network ``before``, of the method ``name``, fit that of a training."""
    weights = as_weights_of(method, before, dict(before.network.named_parameters()))
    network = dict(method.network.named_parameters())
    try:
        checkpoint.check_shapes(run.begin_from, checkpoint.shapes_of(network), checkpoint.shapes_of(weights))
    except CheckpointError as error:
        if name == run.method:
            raise
        raise CheckpointError(
            f"begin_from: expected weights that fit method {run.method}, got {run.begin_from} of method {name}, whose"
            f" network is another one. Name a checkpoint of method {run.method}, or train {name} with its own settings:"
            f" --set method={name}."
        ) from error


def _parent(folder: str) -> checkpoint.Checkpoint:
    if not Path(folder).exists():
        raise config.ConfigError(
            f"begin_from: no checkpoint {folder}. Train it first with `mlrtma train` and the configuration whose output"
            " is above that folder, or name released weights (docs/vision_transformer.md)."
        )
    return checkpoint.Checkpoint(Path(folder)).verify()
