"""The configuration of a training."""

from dataclasses import dataclass, field

from mlrtma_dist import clock
from mlrtma_dist.methods.registry import LEARNED
from mlrtma_dist.methods.transfer import Transfer
from mlrtma_dist.parallel.meeting import check_device
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.training import engine_settings
from mlrtma_dist.training.schedule import Schedule


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        samples: stores of cases, of equal contents.
        output: folder to write to.
        make_samples: configuration of ``mlrtma samples`` that makes the first store where it is missing.
        method: a learned method (``methods.registry.LEARNED``).
        settings: of the method, a section.
        schedule: steps, batches, learning rate, seed.
        engine: DeepSpeed's own configuration, less the batch keys.
        mesh: the ranks as (data, y, x); null: all on the data axis.
        begin_from: folder of a checkpoint, whose weights the first step begins with; null: new ones.
        transfer: what is trained of them (``methods.transfer.Transfer``); null: all weights.
        variants: how often a case is shown: of a periodic plane each time under another symmetry, by a method that
            withholds reports in training each time with others withheld.
        validation_samples: stores of cases to validate with, of the contents of the others; empty: see validation_from.
        validation_from: date, UTC; cases from it on are not trained on; null: all are.
        gap_hours: cases so many hours before that date are left out.
        device: "auto", "cpu" or "cuda".
    """

    samples: tuple[str, ...]
    output: str
    make_samples: str | None = None
    method: str = "unet"
    settings: dict[str, object] = field(default_factory=dict)
    schedule: Schedule = Schedule()
    engine: dict[str, object] = field(default_factory=dict)
    mesh: Mesh | None = None
    begin_from: str | None = None
    transfer: Transfer | None = None
    variants: int = 1
    validation_samples: tuple[str, ...] = ()
    validation_from: str | None = None
    gap_hours: float = 0.0
    device: str = "auto"

    def __post_init__(self):
        if self.method not in LEARNED:
            raise ValueError(f"method: expected one of {', '.join(LEARNED)}, got {self.method!r}")
        if self.transfer is not None and self.transfer.separate and self.begin_from is None:
            raise ValueError(f"transfer.mode: {self.transfer.mode} needs weights to begin from: --from CHECKPOINT")
        if not self.samples:
            raise ValueError("samples: expected at least one store, got none")
        if self.variants < 1 or self.gap_hours < 0.0:
            raise ValueError(f"expected variants >= 1 and gap_hours >= 0, got {self.variants} and {self.gap_hours:g}")
        check_device(self.device)
        engine_settings.check(self.engine)
        if self.settings.get("recompute") and engine_settings.stage(self.engine) == 3:
            raise ValueError(
                "engine.zero_optimization.stage: expected 0, 1 or 2 with settings.recompute, as ZeRO 3 has divided the"
                " weights again when activations are computed a second time, got 3. Set settings.recompute to false."
            )
        self.schedule.parts(self.mesh.data if self.mesh else 1)
        if self.validation_samples and self.validation_from is not None:
            raise ValueError("validation_samples and validation_from exclude each other: expected one of them")
        if self.validation_from is not None:
            clock.parse_time(self.validation_from)
