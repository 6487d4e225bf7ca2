"""Checkpoints: named ranges of weights, one file a rank, and a Manifest; any number of ranks reads them, no DeepSpeed.

    checkpoints/step_00001000/manifest.json  weights_00000.pt ... weights_00003.pt     best -> step_00001000

Written beside its place and renamed: a folder named step_* is whole, or was damaged later, which sizes and checksums
show.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from mlrtma_dist.io.atomic import device_errors, synchronise, write_text
from mlrtma_dist.io.file_digest import sha256_of
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.weights.manifest import FILE, CheckpointError, Manifest, Run, State

log = logging.getLogger(__name__)

Shard = tuple[str, str, int, Tensor]
ALONE = Transport.alone()
NAME = re.compile(r"step_(\d{8,})")


def name_of(step: int) -> str:
    """The folder of the checkpoint after ``step`` steps."""
    return f"step_{step:08d}"


def save(root: Path, run: Run, state: State, shapes: dict, shards: Iterable[Shard], ranks: Transport = ALONE) -> Path:
    """Write a checkpoint; it appears whole or not at all. Collective: all ranks write to the same file system.

    Args:
        root: folder of all checkpoints of the run.
        shapes: of every weight, by name.
        shards: this rank's (part, weight, start, values); all ranks' together are every value of every part.

    Returns:
        Its folder.

    Raises:
        OSError: it cannot be written, or the disk is full.
    """
    root = Path(root)
    final, partial = root / name_of(state.step), root / f".{name_of(state.step)}.partial"
    if ranks.rank == 0:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    _wait(ranks)
    file = f"weights_{ranks.rank:05d}.pt"
    content = {f"{part}/{name}/{start}": values for part, name, start, values in shards}
    index = [[*_split(key), len(values)] for key, values in content.items()]
    with device_errors(final / file, partial / file), open(partial / file, "wb") as stream:
        torch.save(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    about = {"bytes": (partial / file).stat().st_size, "sha256": sha256_of(partial / file), "content": index}
    write_text(partial / f"{file}.json", json.dumps(about))
    _wait(ranks)
    if ranks.rank == 0:
        notes = sorted(partial.glob("weights_*.pt.json"))
        files = {note.name.removesuffix(".json"): json.loads(note.read_text()) for note in notes}
        for note in notes:
            note.unlink()
        write_text(partial / FILE, Manifest(run, state, shapes, files).text())
        if final.exists():  # of an earlier attempt at the same step: it may be damaged, this one is not
            shutil.rmtree(final)
        partial.rename(final)
        synchronise(root)
    _wait(ranks)
    return final


def _wait(ranks: Transport) -> None:
    ranks.sum(torch.zeros(1))


def _split(key: str) -> tuple[str, str, int]:
    part, rest = key.split("/", 1)
    name, start = rest.rsplit("/", 1)
    return part, name, int(start)


class Checkpoint:
    """A checkpoint at rest, opened for reading.

    Attributes:
        folder: where it lies; manifest: what it is.
    """

    def __init__(self, folder: Path):
        """Open it: reads the manifest, checks that all files are there in full.

        Raises:
            CheckpointError: no checkpoint, a foreign one, or a truncated one.
        """
        self.folder, self.manifest = Path(folder), Manifest.read(folder)
        self._open: dict[str, dict] = {}
        self._where: dict[tuple[str, str], list] = {}
        for file, about in self.manifest.files.items():
            path = self.folder / file
            size = path.stat().st_size if path.is_file() else None
            if size != about["bytes"]:
                fault = "it is missing" if size is None else f"it has {size}: truncated"
                raise CheckpointError(f"{path}: expected {about['bytes']} bytes, {fault}. Use another checkpoint.")
            for part, name, start, count in about["content"]:
                self._where.setdefault((part, name), []).append((start, count, file))
        self._check_coverage()

    def _check_coverage(self) -> None:
        """Every value of every weight once."""
        for part in self.parts:
            for name, shape in self.manifest.shapes.items():
                covered = sum(count for _, count, _ in self._where.get((part, name), []))
                if covered != torch.Size(shape).numel():
                    raise CheckpointError(
                        f"{self.folder}: expected {torch.Size(shape).numel()} values of {part} {name}, the files hold"
                        f" {covered}. Use another checkpoint."
                    )

    @property
    def parts(self) -> list[str]:
        """What is kept of every weight: "weight", the optimizer's moments, "average"."""
        return sorted({part for part, _ in self._where} | {"weight"})

    def verify(self) -> "Checkpoint":
        """Read all files and compare checksums.

        Raises:
            CheckpointError: a file was changed.
        """
        for file in self.manifest.files:
            self._load(file)
        return self

    def read(self, part: str, name: str, start: int = 0, count: int | None = None) -> Tensor:
        """Values of a flattened weight, float32, shape (count,); all of them where ``count`` is None.

        Raises:
            CheckpointError: it holds no such part or weight, or its file was changed.
        """
        if (part, name) not in self._where:
            raise CheckpointError(
                f"{self.folder}: expected {part} of {name}, it holds {', '.join(self.parts)} of"
                f" {len(self.manifest.shapes)} weights: {', '.join(list(self.manifest.shapes)[:4])}, ... Is it of"
                " another network or optimizer?"
            )
        total = torch.Size(self.manifest.shapes[name]).numel()
        end = total if count is None else start + count
        values = torch.empty(end - start)
        for low, length, file in self._where[part, name]:
            first, last = max(start, low), min(end, low + length)
            if first < last:
                stored = self._load(file)[f"{part}/{name}/{low}"]
                values[first - start : last - start] = stored[first - low : last - low]
        return values

    def _load(self, file: str) -> dict:
        if file not in self._open:
            path = self.folder / file
            if sha256_of(path) != self.manifest.files[file]["sha256"]:
                raise CheckpointError(f"{path}: its content was changed (checksum). Use another checkpoint.")
            if path.suffix == ".safetensors":  # of a release
                self._open[file] = load_file(path)
            else:
                self._open[file] = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        return self._open[file]

    def check_network(self, shapes: dict) -> None:
        """Raise CheckpointError unless the weights are named and shaped as ``shapes``; names the first that is not."""
        check_shapes(self.folder, shapes, self.manifest.shapes)

    def weights(self, averaged: bool = True) -> dict[str, Tensor]:
        """All weights by name, or where there is one, and unless ``averaged`` is False, their average."""
        part = "average" if averaged and "average" in self.parts else "weight"
        return {name: self.read(part, name).view(tuple(shape)) for name, shape in self.manifest.shapes.items()}

    def load_into(self, network: torch.nn.Module, averaged: bool = True) -> None:
        """Give a network the ``weights``.

        Raises:
            CheckpointError: it is of another network.
        """
        give_weights(network, self.weights(averaged), self.folder)


def give_weights(network: torch.nn.Module, weights: Mapping[str, Tensor], where) -> None:
    """Give a network weights, by name.

    Args:
        where: folder of the checkpoint that they come from, for messages.

    Raises:
        CheckpointError: they are of another network.
    """
    check_shapes(where, *(shapes_of(each) for each in (dict(network.named_parameters()), weights)))
    for name, weight in network.named_parameters():
        weight.data.copy_(weights[name])


def check_shapes(where, shapes: Mapping, ours: Mapping) -> None:
    """Raise CheckpointError unless a checkpoint's weights are named and shaped as a network's.

    Args:
        where: folder of the checkpoint; shapes: of the network's weights; ours: of the checkpoint's, by name.
    """
    for name in [*shapes, *ours]:
        if tuple(ours.get(name, ())) != tuple(shapes.get(name, ())) or (name in ours) != (name in shapes):
            raise CheckpointError(
                f"{where}: weight {name}: the network expects {_shape(shapes, name)}, the checkpoint holds"
                f" {_shape(ours, name)}. Use the configuration it was trained with (in its {FILE})."
            )


def shapes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of every weight, by name."""
    return {name: tuple(each.shape) for name, each in weights.items()}


def _shape(shapes: Mapping, name: str) -> str:
    return f"shape {tuple(shapes[name])}" if name in shapes else "no such weight"


def steps(root: Path) -> list[int]:
    """The steps of all checkpoints under ``root``, oldest first; whether they are whole is not looked at."""
    matches = ((path, NAME.fullmatch(path.name)) for path in Path(root).glob("step_*"))
    return sorted(int(match[1]) for path, match in matches if match and path.is_dir())  # not "step_00001000.old"


def newest(root: Path, ranks: Transport = ALONE) -> Checkpoint | None:
    """The newest whole checkpoint, None where there is none at all; damaged ones are passed over with a warning.

    Collective: rank 0 reads and verifies, the others open what it chose.

    Raises:
        CheckpointError: all of them are damaged.
    """
    chosen, present = -1, steps(root) if ranks.rank == 0 else []
    for step in reversed(present):
        try:
            Checkpoint(Path(root) / name_of(step)).verify()
            chosen = step
            break
        except (CheckpointError, OSError) as error:
            log.warning("passed over: %s", error)
    if present and chosen < 0:
        raise CheckpointError(
            f"{root}: none of its {len(present)} checkpoints is whole, the newest is {name_of(present[-1])}; warnings"
            " above say what is wrong. Bring one back, or begin in another output folder."
        )
    chosen = int(ranks.sum(torch.tensor([chosen if ranks.rank == 0 else 0])))
    return None if chosen < 0 else Checkpoint(Path(root) / name_of(chosen))


def mark_best(root: Path, step: int) -> None:
    """Let the link ``best`` point to the checkpoint after ``step`` steps."""
    link = Path(root) / ".best.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(name_of(step))
    link.replace(Path(root) / "best")


def prune(root: Path, keep: int) -> None:
    """Remove all but the ``keep`` newest checkpoints and the best."""
    best = Path(root) / "best"
    spared = {best.resolve().name} if best.is_symlink() else set()
    for step in steps(root)[:-keep]:
        if name_of(step) not in spared:
            shutil.rmtree(Path(root) / name_of(step))
