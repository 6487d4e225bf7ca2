"""Released weights: those that come with the software, and how a checkpoint becomes such a release.

A release is a checkpoint (`weights.checkpoint`) without what only training needs: the averaged weights alone, of
adapters with those that they belong to, in one file of the safetensors format, and a Manifest that says besides what
they were trained on and how they score.

    weights/released/<method>/manifest.json, weights.safetensors
"""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import device_errors, synchronise, write_text
from mlrtma_dist.io.file_digest import sha256_of
from mlrtma_dist.weights.manifest import FILE, CheckpointError, Manifest, Release

if TYPE_CHECKING:  # it imports torch
    from mlrtma_dist.weights.checkpoint import Checkpoint

FOLDER = Path(__file__).parent / "released"
WEIGHTS = "weights.safetensors"


def released(method: str) -> Path | None:
    """The folder of a method's released weights; None: it comes without."""
    folder = FOLDER / method
    return folder if (folder / FILE).is_file() else None


def folder_of(named: str | None, method: str, setting: str) -> str:
    """The folder of weights that a setting names, else of those of the method that come with the software.

    Raises:
        InputError: neither.
    """
    folder = named or released(method)
    if folder is None:
        raise InputError(
            f"{setting}: expected the folder of a checkpoint of method {method}, whose weights do not come with the"
            " software, got none: name one"
        )
    return str(folder)


def place_of(folder: str | Path) -> str:
    """A folder as it is named; of weights that come with the software without where that is installed."""
    folder = Path(folder)
    return f"mlrtma_dist/weights/{FOLDER.name}/{folder.name}" if folder.parent == FOLDER else str(folder)


def write_release(checkpoint: Path, folder: Path, about: Release) -> Manifest:
    """Write the averaged weights of a checkpoint as a release; an equal one that is there already is left as it is.

    Args:
        checkpoint: its folder; folder: to write.
        about: what the Manifest says besides.

    Raises:
        CheckpointError: no checkpoint, or a damaged one. InputError: the folder exists and holds something else.
        OSError: it cannot be written.
    """
    from safetensors.torch import save_file  # here: it imports torch, and `released` is asked for where there is none

    from mlrtma_dist.weights.checkpoint import Checkpoint, shapes_of
    from mlrtma_dist.weights.inheritance import whole_weights

    saved = Checkpoint(checkpoint).verify()
    if folder.exists():
        present = _release_in(folder, saved, about)
        if present is None:
            raise InputError(
                f"output: expected a folder that does not exist yet, got {folder}. Remove it, or name another."
            )
        return present
    weights, run = whole_weights(saved), saved.manifest.run
    if run.transfer is not None:
        run = replace(run, transfer={**run.transfer, "separate": False})
    tensors = {f"weight/{name}/0": weight.flatten() for name, weight in weights.items()}
    partial = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with device_errors(folder / WEIGHTS, partial / WEIGHTS):
        save_file(tensors, partial / WEIGHTS)
        (partial / WEIGHTS).chmod(0o644)  # the library makes it readable by its owner alone
    content = [["weight", name, 0, tensors[f"weight/{name}/0"].numel()] for name in weights]
    file = {"bytes": (partial / WEIGHTS).stat().st_size, "sha256": sha256_of(partial / WEIGHTS), "content": content}
    state = replace(saved.manifest.state, counters={}, moments=(), average_updates=None)
    manifest = Manifest(run, state, shapes_of(weights), {WEIGHTS: file}, asdict(about))
    write_text(partial / FILE, manifest.text())
    for path in (*partial.iterdir(), partial):
        synchronise(path)
    partial.rename(folder)
    synchronise(folder.parent)
    return manifest


def _release_in(folder: Path, saved: "Checkpoint", about: Release) -> Manifest | None:
    """The Manifest of a whole release that says the same of the weights of a checkpoint; None: it is another thing."""
    from mlrtma_dist.weights.checkpoint import Checkpoint
    from mlrtma_dist.weights.identity import weights_checksum

    try:
        present = Checkpoint(folder).verify()
    except CheckpointError:
        return None
    same = present.manifest.release == json.loads(json.dumps(asdict(about)))
    return present.manifest if same and weights_checksum(present) == weights_checksum(saved) else None
