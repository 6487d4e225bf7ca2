"""What DeepSpeed refuses of the ``engine:`` section, or passes over without a word, before a job waits in a queue.

DeepSpeed validates most sections by models of its own. Of the others it reads the keys that it uses; a key that it
never reads is misspelt.
"""

import contextlib
import difflib
import io
import logging
from collections.abc import Iterable, Mapping

import torch

from mlrtma_dist.config import ConfigError
from mlrtma_dist.training import engine_settings

log = logging.getLogger(__name__)

READ_BY_KEY = ("data_types", "flops_profiler", "torch_autocast", "aio", "timers")  # sections without a model
OPTIMIZER_KEYS = ("type", "params", "legacy_fusion")
# DeepSpeed takes these out before the optimizer sees its parameters.
NOT_THE_OPTIMIZERS = ("torch_adam", "adam_w_mode", "fp32_optimizer_states")


class _Section(dict):
    """A section that notes which of its keys are looked for."""

    def __init__(self, values: dict):
        super().__init__(values)
        self.read: set[str] = set()

    def get(self, key, default=None):
        """The value of a key."""
        self.read.add(key)
        return super().get(key, default)

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)

    def __contains__(self, key) -> bool:
        self.read.add(key)
        return super().__contains__(key)


def check(settings: dict) -> None:
    """Raise ConfigError for what DeepSpeed would refuse, or pass over; without DeepSpeed a warning says so.

    Args:
        settings: the ``engine:`` section, which `engine_settings.check` has accepted.
    """
    optimizer = _torch_optimizer(settings.get("optimizer", {}))
    with contextlib.redirect_stdout(io.StringIO()):  # DeepSpeed logs to standard output
        try:
            from deepspeed.runtime.config import DeepSpeedConfig
        except ImportError:
            log.warning("engine: not checked by DeepSpeed, which is not installed here")
            return
        defaults = DeepSpeedConfig(_on_any_machine({}))
        for key, value in settings.items():
            _check_type(key, value, getattr(defaults, key, None))
            _check_section(DeepSpeedConfig, key, value)
        try:
            _check_together(DeepSpeedConfig(_on_any_machine(settings)), optimizer)
        except ConfigError:
            raise
        except Exception as error:  # it raises whatever it meets
            raise ConfigError(f"engine: DeepSpeed refuses it: {error}") from error


def _on_any_machine(settings: dict) -> dict:
    """The whole configuration without what depends on the number of ranks, or is accepted only beside a GPU."""
    whole = engine_settings.complete(settings, ranks=1, micro_batch=1, passes=1)
    del whole["train_batch_size"], whole["gradient_accumulation_steps"]  # DeepSpeed fills them in
    if "aio" in whole:
        whole["aio"] = {key: value for key, value in whole["aio"].items() if key != "use_gds"}
    return whole


def _check_together(whole, optimizer) -> None:
    """What DeepSpeed's engine refuses when it starts, on the node, of sections that are right by themselves.

    Args:
        whole: DeepSpeed's configuration; optimizer: PyTorch's, None if it is DeepSpeed's own.
    """
    from deepspeed.runtime.config import DtypeEnum
    from deepspeed.runtime.zero.utils import ZERO_SUPPORTED_OPTIMIZERS
    from deepspeed.utils.logging import get_log_level_from_string

    if whole.log_level is not None:
        get_log_level_from_string(whole.log_level)
    sums = None if whole.grad_accum_dtype is None else DtypeEnum(whole.grad_accum_dtype).value
    weights = torch.bfloat16 if whole.bfloat16_config.enabled else torch.float32
    if not whole.zero_enabled and sums not in (None, weights):
        raise ConfigError(
            f"engine.data_types.grad_accum_dtype: expected that of the weights, {weights}, without ZeRO, got {sums}."
            " Leave it out, or use zero_optimization: {stage: 1}."
        )
    tested = optimizer is None or type(optimizer) in ZERO_SUPPORTED_OPTIMIZERS
    if whole.zero_enabled and not (tested or whole.zero_allow_untested_optimizer):
        raise ConfigError(
            f"engine.optimizer.type: DeepSpeed has not tested {type(optimizer).__name__} with ZeRO. Use AdamW or"
            " stage: 0, or allow it by zero_allow_untested_optimizer: true."
        )


def _check_type(key: str, value, default) -> None:
    """A single value is of the kind of DeepSpeed's default."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, bool) and not isinstance(value, bool):
        raise ConfigError(f"engine.{key}: expected true or false, got {value!r}")
    if isinstance(default, (int, float)) and not isinstance(default, bool) and not (is_number and value >= 0):
        raise ConfigError(f"engine.{key}: expected a number of 0 or more, got {value!r}")


def _check_section(config_class, key: str, value) -> None:
    """The keys of a section, and the values where DeepSpeed has a model of it."""
    from pydantic import ValidationError

    section = _Section(value) if key in READ_BY_KEY and isinstance(value, dict) else value
    try:
        config_class({**_on_any_machine({}), key: section})
    except ValidationError as error:
        raise ConfigError("; ".join(_words(key, each, error.title) for each in error.errors())) from error
    except Exception as error:
        if not isinstance(value, dict):
            raise ConfigError(f"engine.{key}: DeepSpeed refuses {value!r}: {error}") from error
        return  # may be right beside the other sections
    if isinstance(section, _Section):
        for unread in [each for each in section if each not in section.read]:
            raise ConfigError(f"engine.{key}: unknown key {unread!r}{_nearest(unread, section.read)}")


def _words(key: str, fault: Mapping, model: str) -> str:
    """A fault that a model has, in our words."""
    names = [str(part) for part in fault["loc"]]
    *parents, last = names[1:] if names[0] == key and len(names) > 1 else names  # one model has several sections
    path = ".".join(("engine", key, *parents))
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key {last!r}{_nearest(last, () if parents else _fields(model))}"
    return f"{path}.{last}: {fault['msg']}, got {fault['input']!r}"


def _fields(model: str) -> Iterable[str]:
    from deepspeed.runtime.config_utils import DeepSpeedConfigModel

    return next((each.model_fields for each in DeepSpeedConfigModel.__subclasses__() if each.__name__ == model), ())


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _torch_optimizer(section: dict):
    """The optimizer, made for a single weight, if it is PyTorch's; None if it is DeepSpeed's own.

    Raises:
        ConfigError: an unknown key of the section, or parameters that the optimizer refuses.
    """
    for key in section:
        if key not in OPTIMIZER_KEYS:
            raise ConfigError(f"engine.optimizer: unknown key {key!r}{_nearest(key, OPTIMIZER_KEYS)}")
    kind = str(section.get("type", engine_settings.DEFAULT_OPTIMIZER["type"]))
    names = {"adam": "AdamW", "adamw": "AdamW", "adagrad": "Adagrad"}  # what DeepSpeed makes of them
    optimizer = getattr(torch.optim, names.get(kind.lower(), kind), None)
    if optimizer is None or (names.get(kind.lower()) is None and kind.lower() in engine_settings.OPTIMIZERS):
        return None
    parameters = {key: value for key, value in (section.get("params") or {}).items() if key not in NOT_THE_OPTIMIZERS}
    try:
        return optimizer([torch.nn.Parameter(torch.zeros(1))], **parameters)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"engine.optimizer.params: {kind} refuses them: {error}") from error
