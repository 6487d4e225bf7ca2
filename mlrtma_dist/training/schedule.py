"""The plan of a training run: how many steps of how many samples, and the learning rate at each."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Steps, batches, learning rate, and when to look and to save.

    Attributes:
        steps: number of optimizer steps in all.
        batch: number of samples of a step, over all ranks; a multiple of the mesh's data axis.
        micro_batch: number of samples at once on a rank; more are accumulated; null: all of them at once.
        learning_rate: the highest one.
        warm_up: number of steps over which the learning rate grows from nothing.
        final_share: share of the learning rate that is left after the last step, falling along a cosine.
        validate_every: number of steps from one validation to the next; 0: at the end only.
        checkpoint_every: number of steps from one checkpoint to the next; 0: at the end only.
        keep: number of newest checkpoints that are kept beside the best.
        average_decay: factor of one step in the moving average of the weights; 0: no average.
        average_from_start: whether the weights of the first step keep their part in the average, average_decay to the
            power of the steps, as a training wants that begins from others' weights; false: they are soon forgotten.
        seed: of the order of the samples and of all noise.
    """

    steps: int = 1000
    batch: int = 16
    micro_batch: int | None = None
    learning_rate: float = 1e-3
    warm_up: int = 50
    final_share: float = 0.01
    validate_every: int = 0
    checkpoint_every: int = 0
    keep: int = 2
    average_decay: float = 0.0
    average_from_start: bool = False
    seed: int = 0

    def __post_init__(self):
        for name, least in (
            ("steps", 1),
            ("batch", 1),
            ("warm_up", 0),
            ("validate_every", 0),
            ("checkpoint_every", 0),
            ("keep", 1),
            ("micro_batch", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"schedule.{name}: expected {least} or more, got {value}")
        if not 0.0 < self.learning_rate < math.inf:
            raise ValueError(f"schedule.learning_rate: expected a positive number, got {self.learning_rate:g}")
        if not 0.0 <= self.final_share <= 1.0:
            raise ValueError(f"schedule.final_share: expected a share from 0 to 1, got {self.final_share:g}")
        if not 0.0 <= self.average_decay < 1.0:
            raise ValueError(f"schedule.average_decay: expected 0 or more and less than 1, got {self.average_decay:g}")
        if self.average_from_start and not self.average_decay:
            raise ValueError(
                "schedule.average_from_start: without effect, as average_decay is 0: set it, such as 0.999"
            )

    def rate(self, step: int) -> float:
        """The learning rate of step ``step`` (from 0): linear to its highest, then half a cosine.

        Loshchilov and Hutter 2017, eq. 5, after a warm-up as of Goyal et al. 2017, section 2.2.
        """
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        share = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        fall = 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))
        return self.learning_rate * (self.final_share + (1.0 - self.final_share) * fall)

    def parts(self, data_ranks: int) -> list[int]:
        """Samples of every micro-batch of a rank: as even as may be, their sum is batch / data_ranks.

        Raises:
            ValueError: the batch cannot be divided evenly; every rank must do as many passes.
        """
        each, rest = divmod(self.batch, data_ranks)
        if rest:
            raise ValueError(
                f"schedule.batch: expected a multiple of the mesh's {data_ranks} data ranks, got {self.batch}."
                f" Use {max(1, each) * data_ranks} or {(max(1, each) + 1) * data_ranks}."
            )
        passes = math.ceil(each / (self.micro_batch or each))
        return [each // passes + (number < each % passes) for number in range(passes)]
