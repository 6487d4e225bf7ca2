"""metrics.csv: one line a step; and TensorBoard's file beside it where that is installed."""

import csv
import io
import math
from pathlib import Path

from mlrtma_dist.io.atomic import device_errors, write_text

COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "samples_per_second", "seconds", "validation")
FILE = "metrics.csv"


class Metrics:
    """Writes what every step did, line by line, so that a run can be watched."""

    def __init__(self, folder: Path, first_step: int = 0):
        """Begin, or go on after a checkpoint: lines of steps that will be done again are dropped."""
        self.path = Path(folder) / FILE
        kept = [row for row in read(self.path) if row["step"] < first_step] if first_step and self.path.exists() else []
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _text(value) for name, value in row.items()} for row in kept)
        write_text(self.path, text.getvalue())
        self.board_path = Path(folder) / "tensorboard"
        with device_errors(self.board_path):
            self._board = _board(self.board_path, first_step)

    def add(self, **values: float | None) -> None:
        """Write one step's values; the names are of COLUMNS, what is missing or None stays empty."""
        with device_errors(self.path), open(self.path, "a", encoding="utf-8", newline="") as stream:
            csv.DictWriter(stream, COLUMNS, lineterminator="\n").writerow({n: _text(v) for n, v in values.items()})
        if self._board is not None:
            with device_errors(self.board_path):
                for name, value in values.items():
                    if value is not None and name != "step":
                        self._board.add_scalar(name, value, values["step"])

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self._board is not None:
            with device_errors(self.board_path):
                self._board.close()


def read(path: Path) -> list[dict]:
    """The lines of a metrics.csv; numbers, NaN where empty."""
    with open(path, encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if None not in row.values()]  # not a line cut off by a crash
    return [{n: math.nan if v == "" else int(v) if n == "step" else float(v) for n, v in row.items()} for row in rows]


def _text(value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value)  # to the last digit: losses are compared between runs


def _board(folder: Path, first_step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra that a batch job does not need
        return None
    return SummaryWriter(str(folder), purge_step=first_step or None)
