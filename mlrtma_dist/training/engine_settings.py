"""The ``engine:`` section of a training configuration: DeepSpeed's own, except what the engine must decide itself."""

import copy
import difflib
import logging

import torch

from mlrtma_dist.config import ConfigError

log = logging.getLogger(__name__)

BATCH_KEYS = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")
REFUSED = {
    **dict.fromkeys(BATCH_KEYS, "the engine sets it from schedule.batch, schedule.micro_batch and the mesh"),
    "fp16": "a scaled loss skips steps, and then no two rank counts agree; use bf16: {enabled: true}, or float32",
    "gradient_allreduce_op": "the engine scales the loss for DeepSpeed's mean over ranks",
    "managed_gradient_accumulation": "the engine says which pass is the last of a step",
    "tensor_parallel": "a sample is divided by the mesh (y, x), not its weights",
    "pipeline": "a sample is divided by the mesh (y, x), not its network",
    "activation_checkpointing": "settings.recompute is what computes activations twice, of networks that can",
    "disable_allgather": "DeepSpeed reads it and makes no use of it",
}
# DeepSpeed 0.19 reads these of a training that drives itself, and passes over what it does not know without a word.
KNOWN = (
    "optimizer",
    "scheduler",
    "zero_optimization",
    "bf16",
    "data_types",
    "gradient_clipping",
    "torch_autocast",
    "communication_data_type",
    "prescale_gradients",
    "gradient_predivide_factor",
    "zero_allow_untested_optimizer",
    "zero_force_ds_cpu_optimizer",
    "disable_python_gc",
    "aio",
    "comms_logger",
    "flops_profiler",
    "wall_clock_breakdown",
    "memory_breakdown",
    "dump_state",
    "log_level",
    "steps_per_print",
    "timers",
    "tensorboard",
    "wandb",
    "comet",
    "csv_monitor",
)
# Optimizers of its own; others are those of torch.optim.
OPTIMIZERS = (
    "adam",
    "adamw",
    "adagrad",
    "lamb",
    "lion",
    "muon",
    "muadam",
    "muadamw",
    "musgd",
    "onebitadam",
    "zerooneadam",
    "onebitlamb",
)
DEFAULT_OPTIMIZER = {"type": "AdamW", "params": {}}


def check(settings: dict) -> None:
    """Raise ConfigError for a key of the ``engine:`` section that is unknown, or that the engine must decide itself."""
    for key in settings:
        _refuse_auto(settings[key], f"engine.{key}")
        if key in REFUSED and not _is_off(settings[key]):
            raise ConfigError(f"engine.{key}: expected not to be given: {REFUSED[key]}. Leave it out.")
        if key not in REFUSED and key not in KNOWN:
            close = difflib.get_close_matches(key, KNOWN, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(f"engine: unknown key {key!r}{hint}; known are {', '.join(KNOWN)}")
    for key in ("optimizer", "zero_optimization", "bf16", "data_types"):
        if not isinstance(settings.get(key, {}), dict):
            raise ConfigError(f"engine.{key}: expected a section with keys, got {settings[key]!r}")
    if stage(settings) not in (0, 1, 2, 3):
        raise ConfigError(f"engine.zero_optimization.stage: expected 0, 1, 2 or 3, got {stage(settings)!r}")
    kind = str(settings.get("optimizer", DEFAULT_OPTIMIZER).get("type"))
    if kind.lower() not in OPTIMIZERS and not isinstance(getattr(torch.optim, kind, None), type):
        raise ConfigError(f"engine.optimizer.type: expected AdamW, SGD or another of torch.optim, got {kind!r}")
    if "scheduler" in settings:
        log.warning("engine.scheduler has no effect: schedule: sets the learning rate of every step")
    if "lr" in (settings.get("optimizer", {}).get("params") or {}):
        log.warning("engine.optimizer.params.lr has no effect: schedule.learning_rate is used")


def _refuse_auto(value, where: str) -> None:
    """Refuse "auto": HuggingFace's Trainer replaces it before DeepSpeed sees it, and nobody does so here."""
    if value == "auto" and not where.endswith(".keep_in_fp32_modules"):  # there it is DeepSpeed's own word
        raise ConfigError(f"{where}: expected a value, got 'auto', which only HuggingFace's Trainer fills in")
    for key, inner in value.items() if isinstance(value, dict) else ():
        _refuse_auto(inner, f"{where}.{key}")


def _is_off(value) -> bool:
    return isinstance(value, dict) and value.get("enabled") is False


def stage(settings: dict):
    """The ZeRO stage asked for."""
    return settings.get("zero_optimization", {}).get("stage", 0)


def is_bf16(settings: dict) -> bool:
    """Whether the network computes in bfloat16."""
    return bool(settings.get("bf16", {}).get("enabled"))


def complete(settings: dict, *, ranks: int, micro_batch: int, passes: int) -> dict:
    """DeepSpeed's configuration: the ``engine:`` section with the batch keys and what our layout needs.

    Args:
        settings: the section, checked.
        ranks: all of them; tiles count as data ranks, as each has its own share of the gradient.
        micro_batch: samples at once on a rank; passes: micro-batches a step.
    """
    whole = copy.deepcopy(settings)
    for key in ("scheduler", *[key for key in REFUSED if key in whole]):
        whole.pop(key, None)
    whole["train_micro_batch_size_per_gpu"] = micro_batch
    whole["gradient_accumulation_steps"] = passes
    whole["train_batch_size"] = micro_batch * passes * ranks
    optimizer = whole.setdefault("optimizer", copy.deepcopy(DEFAULT_OPTIMIZER))
    parameters = optimizer["params"] = dict(optimizer.get("params") or {})
    parameters["lr"] = 0.0  # set before every step; until then nothing may move
    if str(optimizer.get("type", "")).lower() in ("adam", "adamw"):
        # PyTorch's own, on GPUs too: DeepSpeed's FusedAdam wants nvcc at its first use, and its kernel a plain int as
        # the count of steps, where a checkpoint gives back a tensor.
        parameters.setdefault("torch_adam", True)
    if is_bf16(settings) and stage(settings) > 0:
        # Sums of many micro-batches in bf16 lose the small ones; stage 0 has no other choice.
        whole.setdefault("data_types", {"grad_accum_dtype": "fp32"})
    whole.setdefault("gradient_clipping", 0.0)  # DeepSpeed 0.19 clips at 1 unless it is told not to
    whole.setdefault("steps_per_print", 10**9)  # the loop reports
    return whole
