"""Manifest: what a checkpoint is, so that it can be refused, resumed or explained without being loaded."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from mlrtma_dist.errors import InputError

FORMAT = "mlrtma checkpoint 1"
FILE = "manifest.json"


class CheckpointError(InputError):
    """A checkpoint that cannot be used: the message says which, why, and the way out."""


@dataclass(frozen=True)
class Run:
    """Where weights come from.

    Attributes:
        config: the resolved configuration, YAML text; commit: of the software.
        method: its name.
        data_period: first and last time that was trained on, UTC.
        statistics: of the normalisation, by name.
        ancestors: the trainings that this one began from, the eldest first: configuration, commit, data period, steps,
            checksum of the weights, stores.
        stores: of the cases that were trained on and validated with: file, cases, start, end, the configuration that
            made it. Older manifests have none.
        transfer: of a training that began from other weights: the section ``transfer:``, ``added`` (variables and
            sources), ``parent`` and ``sha256`` (those weights and their checksum), ``separate`` (whether the files hold
            what was trained alone; see `weights.inheritance`). None: it began from none, or is older.
    """

    config: str
    commit: str
    method: str
    data_period: tuple[str, str]
    statistics: dict = field(default_factory=dict)
    ancestors: tuple[dict, ...] = ()
    stores: tuple[dict, ...] = ()
    transfer: dict | None = None


@dataclass(frozen=True)
class State:
    """How far training had come. Its random numbers are a function of ``seed`` and ``step``: no other state is needed.

    Attributes:
        step: optimizer steps done; seed: of the order of the samples and of all noise.
        optimizer: its type; counters: its single numbers; moments: the parts that belong to it.
        average_updates: of the moving average; None: there is none.
        best_score: the lowest score so far, None before the first; best_step: when it was reached.
    """

    step: int
    seed: int
    optimizer: str
    counters: dict
    moments: tuple[str, ...]
    average_updates: int | None = None
    best_score: float | None = None
    best_step: int | None = None


@dataclass(frozen=True)
class Release:
    """Origin and scores of weights that are given to others (`weights.release`).

    Attributes:
        data: name and licence of what they were trained on, one entry each.
        command: that trained them.
        hours: number of hours that they were trained on.
        scores: time -> variable -> {"reports", "rmse", "crps"} at withheld stations, or {"points", "rmse"} of fields
            that are known, analysis space.
    """

    data: tuple[str, ...]
    command: str
    hours: int
    scores: dict


@dataclass(frozen=True)
class Manifest:
    """All about a checkpoint.

    Attributes:
        run, state: see there.
        shapes: of every weight, by name.
        files: name -> {"bytes", "sha256", "content": [[part, weight, start, count], ...]}.
        release: as of `Release`, by name; None: the checkpoint of a training.
    """

    run: Run
    state: State
    shapes: dict
    files: dict
    release: dict | None = None

    def text(self) -> str:
        """As JSON."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a checkpoint's manifest.

        Raises:
            CheckpointError: there is none, it is not whole, or it is not ours.
        """
        path = Path(folder) / FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{folder}: expected a checkpoint with {FILE}, cannot read it: {error}") from error
        except json.JSONDecodeError as error:
            raise CheckpointError(f"{path}: truncated or not JSON: {error}. Use another checkpoint.") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            format_name = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise CheckpointError(
                f"{path}: expected format {FORMAT!r}, got {format_name!r}: no checkpoint of this software"
            )
        try:
            run = {**data["run"], "data_period": tuple(data["run"]["data_period"])}
            run |= {key: tuple(run.get(key, ())) for key in ("ancestors", "stores")}
            state = {**data["state"], "moments": tuple(data["state"]["moments"])}
            shapes = {name: tuple(shape) for name, shape in data["shapes"].items()}
            return cls(Run(**run), State(**state), shapes, data["files"], data.get("release"))
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path}: damaged: {error!r}. Use another checkpoint.") from error
