"""Weights that began from others: how they are taken over, and adapters, which are kept apart from what they change.

A checkpoint of adapters holds a few per cent of the network's numbers. Its Manifest (``run.transfer``) says where the
weights lie that they belong to, and their checksum, which is compared whenever the adapters are read. Whoever asks for
the weights is given both together, so that such a checkpoint serves wherever another one does; a release of it holds
the sum.
"""

from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

from torch import Tensor

from mlrtma_dist import config
from mlrtma_dist.methods.learned import LearnedMethod
from mlrtma_dist.methods.registry import LEARNED, untrained
from mlrtma_dist.methods.transfer import Transfer, adapt, as_weights_of, names_added
from mlrtma_dist.weights.checkpoint import Checkpoint, give_weights
from mlrtma_dist.weights.digest import digest
from mlrtma_dist.weights.manifest import CheckpointError
from mlrtma_dist.weights.release import FOLDER, place_of

FORMER = {"regression": "unet"}  # names of methods in older checkpoints


def method_name(saved: Checkpoint) -> str:
    """The name of a checkpoint's method in ``methods.registry.METHODS``.

    Raises:
        CheckpointError: this software does not have the method.
    """
    name = FORMER.get(saved.manifest.run.method, saved.manifest.run.method)
    if name not in LEARNED:
        raise CheckpointError(f"{saved.folder}: expected a checkpoint of {', '.join(LEARNED)}, got one of {name}.")
    return name


def method_of(saved: Checkpoint) -> LearnedMethod:
    """The method of a checkpoint, with its first weights."""
    where = str(saved.folder)
    settings = config.parse_yaml(saved.manifest.run.config, f"{where}: configuration").get("settings", {})
    return untrained(method_name(saved), settings, where)


def is_separate(saved: Checkpoint) -> bool:
    """Whether a checkpoint holds adapters alone."""
    return bool((saved.manifest.run.transfer or {}).get("separate"))


def take_over(method: LearnedMethod, parent: Checkpoint, transfer: Transfer, where: str) -> tuple[str, ...]:
    """Give a method the weights of a checkpoint, by name of variable, and what its mode of transfer trains.

    Returns:
        The variables, and other sources, that the checkpoint's network does not have.

    Raises:
        CheckpointError: a damaged checkpoint, or of another network. InputError: see `methods.transfer.adapt`.
    """
    before, weights = method_of(parent), whole_weights(parent)
    give_weights(method.network, as_weights_of(method, before, weights), parent.folder)
    if transfer.separate:
        adapt(method, before, transfer, where)
    return names_added(method, before)


def about(parent: Checkpoint, checksum: str, transfer: Transfer, names: tuple[str, ...]) -> dict:
    """What the Manifest says of a transfer: its section, the weights that it began from, and what was added.

    Args:
        checksum: of the parent's weights; names: of what was added.
    """
    place = place_of(parent.folder.resolve())
    return {
        **asdict(transfer),
        "separate": transfer.separate,
        "added": list(names),
        "parent": place,
        "sha256": checksum,
    }


def whole_weights(saved: Checkpoint) -> dict[str, Tensor]:
    """The weights in use of a checkpoint, by name, float32: of adapters their sum with what they belong to.

    Raises:
        CheckpointError: what they belong to is gone, or other weights are there.
    """
    if not is_separate(saved):
        return saved.weights()
    method = method_of(saved)
    take_over(method, parent_of(saved), transfer_of(saved), str(saved.folder))
    saved.load_into(method.network)
    return method.network.merged()


def transfer_of(saved: Checkpoint) -> Transfer:
    """The section ``transfer:`` by which a checkpoint was trained."""
    names = [each.name for each in fields(Transfer)]
    return Transfer(**{name: (saved.manifest.run.transfer or {})[name] for name in names})


def parent_of(saved: Checkpoint) -> Checkpoint:
    """The weights that a checkpoint of adapters belongs to.

    Raises:
        CheckpointError: they are gone, or other weights are there.
    """
    transfer = saved.manifest.run.transfer
    if not transfer:
        raise CheckpointError(
            f"{saved.folder}: it was trained without transfer. Resume it without the section transfer, or name another"
            " output folder."
        )
    present = []
    for folder in _places(saved):
        try:
            parent = Checkpoint(folder).verify()
        except CheckpointError as fault:
            present.append(f"{folder}: {fault}")
            continue
        checksum = digest(parent.manifest.run, whole_weights(parent), str(folder))
        if checksum == transfer["sha256"]:
            return parent
        present.append(f"{folder} holds {checksum}")
    raise CheckpointError(
        f"{saved.folder}: its adapters belong to the weights {transfer['parent']} with the checksum"
        f" {transfer['sha256']}, but {'; '.join(present) or 'there are none any more'}. Bring those weights back, or"
        " use a release of the adapters, which holds both."
    )


def _places(saved: Checkpoint) -> Iterator[Path]:
    """Folders in which the weights may lie that adapters belong to: where they lay, or as they were named."""
    named = Path((saved.manifest.run.transfer or {})["parent"])
    begun = config.parse_yaml(saved.manifest.run.config, str(saved.folder)).get("begin_from")
    shipped = FOLDER / named.name
    places = [shipped if str(named) == place_of(shipped) else named, *([Path(begun)] if begun else [])]
    yield from (folder for folder in dict.fromkeys(places) if folder.is_dir())
