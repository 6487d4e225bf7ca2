"""The engine: one optimizer step of a learned method by DeepSpeed, over ranks of which some share a sample.

Beside engine_check.py the only file that imports DeepSpeed (Rasley et al. 2020; ZeRO: Rajbhandari et al. 2020). Every
rank, tile or not, is one of DeepSpeed's data ranks, and DeepSpeed averages gradients over them. The loss of a step is

    sum over samples and tiles of the local sums / weight of the whole step,

so every local sum is multiplied by ranks / weight before its backward pass, here and nowhere else.
"""

import contextlib
import io
import os
import warnings
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mlrtma_dist.methods.learned import LearnedMethod
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.pipeline import on_device
from mlrtma_dist.training import engine_check, engine_settings, partition
from mlrtma_dist.training.losses import checked_loss, checked_weight, global_sums, suspects


@dataclass(frozen=True)
class Progress:
    """What a step did.

    Attributes:
        loss: mean; weight: of all its samples on all ranks.
        gradient_norm: before clipping; None: not computed.
        stop: whether any rank was asked to stop.
    """

    loss: float
    weight: float
    gradient_norm: float | None
    stop: bool = False


class _Forward(nn.Module):
    """The method's loss as a module, so that DeepSpeed sees every use of the network."""

    def __init__(self, method: LearnedMethod, neighbourhood: Neighbourhood):
        super().__init__()
        self.network = method.network
        self._method, self._neighbourhood = [method], neighbourhood  # a list hides it from Module's registration

    def forward(self, sample: Sample, predict: bool) -> Tensor:
        if predict:
            return self.network(sample.inputs, self._neighbourhood).to(sample.target.dtype)
        return self._method[0].loss(sample, self._neighbourhood)[0]


class Engine:
    """Drives a method's network; see the module's description.

    Attributes:
        everyone: all ranks of the job, for sums.
        heartbeat: the watch over this rank; it is told of every sample and every step.
        optimizer: its type's name, for the Manifest.
    """

    def __init__(
        self, method: LearnedMethod, world: Ranks, neighbourhood: Neighbourhood, settings: dict, parts: Sequence[int]
    ):
        """Start DeepSpeed. Collective; rank 0's weights become everyone's.

        Args:
            settings: the ``engine:`` section.
            parts: samples of every micro-batch of a step on a rank.

        Raises:
            ConfigError: a key that the engine must decide itself.
            ValueError: the network has state beside trainable weights, which tiles could not share.
        """
        engine_settings.check(settings)
        if world.device.type == "cpu":
            os.environ.setdefault("DS_ACCELERATOR", "cpu")  # read when DeepSpeed is imported, which the next line does
        engine_check.check(settings)
        _check_network(method.network)
        self.everyone, self.heartbeat = world.everyone(), world.heartbeat
        self._method, self._ranks, self._rank, self._device = method, world.size, world.rank, world.device
        whole = engine_settings.complete(settings, ranks=world.size, micro_batch=max(parts), passes=len(parts))
        self.optimizer = whole["optimizer"]["type"]
        self._engine = _initialise(_Forward(method, neighbourhood), whole)
        self._following: tuple[Sequence[Sample], float] | None = None  # samples of the next step and their weight
        partition.forget(self._engine.optimizer)
        self._pieces = partition.pieces(method.network, self._engine.optimizer, world.rank, world.size)

    def ahead(self, samples: Iterable[Sample]) -> Generator[Sample, None, None]:
        """The samples on this rank's device; on a GPU the next one is copied while this one is computed with."""
        with contextlib.closing(on_device(samples, self._device)) as moved:
            for sample in moved:
                self.heartbeat.beat()
                yield sample

    def step(
        self,
        samples: Sequence[Sample],
        learning_rate: float,
        number: int = 0,
        *,
        following: Sequence[Sample] = (),
        stop: bool = False,
    ) -> Progress:
        """One optimizer step on this rank's samples, one per micro-batch. Collective.

        A backward pass needs the weight of the whole step. It is summed with the loss of the step before, and whether
        anyone was asked to stop, in one message; only a first step has one of its own.

        Args:
            samples: as many on every rank.
            learning_rate: of this step; number: of this step, for messages.
            following: the samples of the next step, the very sequence that it will be called with; empty: unknown.
            stop: whether this rank was asked to stop.

        Raises:
            LossError: no weight, or a loss that is no number; the weights have not been changed.
        """
        self._engine.train()
        weight = checked_weight(self._total_weight(samples), [sample.time for sample in samples])
        on_device = [sample.to(self._device) for sample in samples]
        sums = []
        for index, sample in enumerate(on_device):
            self._engine.set_gradient_accumulation_boundary(index == len(on_device) - 1)
            sums.append(self._engine(sample, False))
            self._engine.backward(sums[-1] * (self._ranks / weight), scale_wrt_gas=False)
        numbers = (torch.stack([each.detach().double() for each in sums]).sum(), self._weight(following), float(stop))
        total, next_weight, stops = global_sums(numbers, self._device, self.everyone)
        self._following = (following, next_weight) if following else None
        loss = checked_loss(total / weight, f"step {number}", lambda: _blame(on_device, sums), self.everyone)
        for group in self._engine.optimizer.param_groups:
            group["lr"] = learning_rate
        plain = self._plain_norm()
        self._engine.step()
        norm = self._engine.get_global_grad_norm()
        self.heartbeat.beat()
        return Progress(loss, weight, plain if norm is None else float(norm), stops > 0)

    def _weight(self, samples: Sequence[Sample]) -> float:
        """The weight of this rank's samples."""
        return sum(self._method.weight(sample) for sample in samples)

    def _total_weight(self, samples: Sequence[Sample]) -> float:
        """The weight of a step on all ranks: summed by the step before where that was given these samples."""
        if self._following is not None and self._following[0] is samples:
            return self._following[1]
        return global_sums([self._weight(samples)], self._device, self.everyone)[0]

    def _plain_norm(self) -> float | None:
        """Norm of the whole gradient at stage 0 in float32, until the step clears it; else DeepSpeed says it itself."""
        if self._engine.zero_optimization() or self._engine.bfloat16_enabled():
            return None
        gradients = [weight.grad for weight in self._method.network.parameters() if weight.grad is not None]
        return float(torch.nn.utils.get_total_norm(gradients))

    @torch.no_grad()
    def loss(self, samples: Iterable[Sample]) -> float:
        """The mean loss of samples, nothing learnt. Collective: as many samples on every rank."""
        self._engine.eval()
        total, weight, times, flags = torch.zeros((), dtype=torch.float64, device=self._device), 0.0, [], []
        for sample in samples:
            sample = sample.to(self._device)
            part = self._engine(sample, False)
            total += part.double()
            weight += self._method.weight(sample)
            times.append(sample.time)
            flags.append(suspects(sample, part))
        total, weight = global_sums([total, weight], self._device, self.everyone)
        loss = total / checked_weight(weight, times)
        return checked_loss(loss, "validation", lambda: np.concatenate(flags, 1), self.everyone)

    @torch.no_grad()
    def predict(self, sample: Sample) -> Tensor:
        """The network's output on this tile, shape of ``sample.target``. Collective among the tiles of the sample,
        and among all ranks in ZeRO stage 3."""
        self._engine.eval()
        return self._engine(sample.to(self._device), True)

    def masters(self) -> list[Tensor]:
        """The float32 weights that this rank's optimizer updates, in its own layout."""
        return partition.masters(self._engine.optimizer)

    def refresh(self) -> None:
        """After the masters were changed: compute with them. Collective."""
        partition.refresh(self._engine.optimizer)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight, by name."""
        return {name: tuple(getattr(w, "ds_shape", w.shape)) for name, w in self._method.network.named_parameters()}

    def moments(self) -> tuple[str, ...]:
        """What the optimizer keeps for every value of a weight; nothing before the first step."""
        return tuple(partition.moments(self._engine.optimizer))

    def counters(self) -> dict[str, float]:
        """The optimizer's single numbers, such as its count of steps."""
        return partition.counters(self._engine.optimizer)

    def export(self, average: Sequence[Tensor] | None = None):
        """This rank's share of weights, of what the optimizer keeps of them, and of their average.

        Nothing travels. All ranks together export every value once.

        Args:
            average: tensors laid out as `masters`.

        Yields:
            (part, name, start, values): part is "weight", "average" or the optimizer's name for a moment; values
            begin at ``start`` of the flattened weight ``name``, float32, shape (n,), on the CPU.
        """
        optimizer = self._engine.optimizer
        numbers = {id(flat): number for number, flat in enumerate(self.masters())}
        kept, state = partition.moments(optimizer), partition.base(optimizer).state
        for index, piece in enumerate(self._pieces):
            if partition.replicated(optimizer) and index % self._ranks != self._rank:
                continue
            tensors = {"weight": piece.flat, **{moment: state[piece.flat][moment] for moment in kept}}
            if average is not None:
                tensors["average"] = average[numbers[id(piece.flat)]]
            for part, tensor in tensors.items():
                yield part, piece.name, piece.start, piece.of(tensor).float().cpu().clone()

    def restore(
        self, read, moments: Sequence[str], counters: dict[str, float], average: Sequence[Tensor] | None = None
    ) -> None:
        """Take weights, the optimizer's state and the average from what any number of ranks exported. Collective.

        Args:
            read: called with (part, name, start, count), gives the values, shape (count,).
            moments: the parts that belong to the optimizer; counters: its single numbers.
            average: tensors laid out as `masters`, to be filled from the part "average".
        """
        optimizer = self._engine.optimizer
        numbers = {id(flat): number for number, flat in enumerate(self.masters())}
        if moments or counters:
            partition.make_state(optimizer, list(moments), counters)
        state = partition.base(optimizer).state
        for piece in self._pieces:
            tensors = {"weight": piece.flat, **{moment: state[piece.flat][moment] for moment in moments}}
            if average is not None:
                tensors["average"] = average[numbers[id(piece.flat)]]
            for part, tensor in tensors.items():
                piece.of(tensor).copy_(read(part, piece.name, piece.start, piece.count))
        self.refresh()


def _blame(samples: Sequence[Sample], sums: Sequence[Tensor]) -> np.ndarray:
    return np.concatenate([suspects(sample, total) for sample, total in zip(samples, sums, strict=True)], 1)


def _check_network(network: nn.Module) -> None:
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad}
    others = sorted({*network.state_dict(), *(name for name, _ in network.named_parameters())} - trained)
    if others:
        raise ValueError(
            f"expected a network whose whole state is trainable weights, got {', '.join(others[:5])} besides."
            " Register buffers with persistent=False; make all weights trainable."
        )


def _initialise(module: nn.Module, settings: dict):
    # DeepSpeed 0.19 calls two collectives by the names they had before PyTorch 2.13, thousands of times.
    warnings.filterwarnings("ignore", ".*(all_gather_into|reduce_scatter)_tensor. is deprecated", FutureWarning)
    import deepspeed

    # None of its compiled operators is used, its sums through shared memory included, whose compilation at the first
    # use takes a minute, a compiler, and a lock that outlives a killed job and stops all later ones. A dictionary that
    # is there already keeps it from looking which it could compile, for which it starts compilers, on a GPU nvcc.
    deepspeed.ops.__compatible_ops__ = defaultdict(bool)
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    with contextlib.redirect_stdout(io.StringIO()):  # its report of memory, printed by every rank
        engine, *_ = deepspeed.initialize(model=module, config=settings, model_parameters=trained)
    return engine
