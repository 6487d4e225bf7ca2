"""What would die on the nodes is refused before: what DeepSpeed refuses of the engine section, or passes over."""

import logging
import sys

import pytest

from mlrtma_dist.config import ConfigError
from mlrtma_dist.training import engine_check, engine_settings

STAGE_2 = {"zero_optimization": {"stage": 2}}


def check(settings):
    engine_settings.check(settings)
    engine_check.check(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"zero_optimization": {"stge": 2}}, r"engine.zero_optimization: unknown key 'stge' \(did you mean 'stage'"),
        ({"zero_optimization": {"offload_optimizer": {"devic": "cpu"}}}, "offload_optimizer: unknown key 'devic'"),
        ({"zero_optimization": {"reduce_bucket_size": "big"}}, "zero_optimization.reduce_bucket_size: .*got 'big'"),
        ({"bf16": {"enabld": True}}, r"engine.bf16: unknown key 'enabld' \(did you mean 'enabled'"),
        ({"tensorboard": {"enable": True}}, "engine.tensorboard: unknown key 'enable'"),
        ({"data_types": {"grad_accum_dtyp": "fp32"}}, r"data_types: unknown key .*did you mean 'grad_accum_dtype'"),
        ({"data_types": {"grad_accum_dtype": "fp99"}}, "'fp99' is not a valid"),
        ({"data_types": {"grad_accum_dtype": "bf16"}}, "grad_accum_dtype: expected that of the weights"),
        ({"flops_profiler": {"enable": True}}, r"flops_profiler: unknown key 'enable' \(did you mean 'enabled'"),
        ({"torch_autocast": {"enabld": True}}, "engine.torch_autocast: unknown key 'enabld'"),
        ({"aio": {"block_siz": 1}}, "engine.aio: unknown key 'block_siz'"),
        (
            {"optimizer": {"type": "AdamW", "param": {}}},
            r"engine.optimizer: unknown key 'param' \(did you mean",
        ),
        ({"optimizer": {"type": "AdamW", "params": {"beta": 1}}}, "engine.optimizer.params: AdamW refuses .*'beta'"),
        ({"optimizer": {"type": "SGD", "params": {"momentum": -1}}}, "SGD refuses them: Invalid momentum"),
        ({"optimizer": {"type": "SGD"}, **STAGE_2}, "has not tested SGD with ZeRO"),
        ({"gradient_clipping": "1"}, "engine.gradient_clipping: expected a number of 0 or more, got '1'"),
        ({"prescale_gradients": 1}, "engine.prescale_gradients: expected true or false, got 1"),
        ({"communication_data_type": "fp99"}, "engine.communication_data_type: DeepSpeed refuses 'fp99'"),
        ({"log_level": "loud"}, "loud is not one of the valid logging levels"),
        ({"gradient_clipping": "auto"}, "engine.gradient_clipping: expected a value, got 'auto'"),
        ({"zero_optimization": {"reduce_bucket_size": "auto"}}, "reduce_bucket_size: expected a value, got 'auto'"),
        ({"activation_checkpointing": {"cpu_checkpointing": True}}, "checkpointing: .*settings.recompute is what"),
        ({"disable_allgather": True}, "engine.disable_allgather: expected not to be given"),
    ],
)
def test_what_deepspeed_refuses_or_never_reads_is_refused_with_its_key(settings, message):
    with pytest.raises(ConfigError, match=message):
        check(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gradient_clipping": 1, "prescale_gradients": True, "log_level": "warning"},
        {"bf16": {"enabled": True}, "zero_optimization": {"stage": 3, "overlap_comm": True}, "aio": {"use_gds": True}},
        {"data_types": {"grad_accum_dtype": "fp32", "keep_in_fp32_modules": "auto"}},
        {"optimizer": {"type": "SGD", "params": {"momentum": 0.9}}, "zero_allow_untested_optimizer": True, **STAGE_2},
        {"optimizer": {"type": "Adam", "params": {"betas": [0.9, 0.99], "adam_w_mode": False, "torch_adam": True}}},
        {"flops_profiler": {"enabled": True, "profile_step": 3}, "timers": {"throughput": {"enabled": True}}},
        {"torch_autocast": {"enabled": True, "dtype": "bfloat16"}, "optimizer": {"type": "Lamb"}},
    ],
)
def test_what_deepspeed_takes_is_taken(settings):
    from deepspeed.runtime.config import DeepSpeedConfig

    plain = {key: value for key, value in settings.items() if key != "aio"}  # its use_gds wants a GPU
    check(settings)
    whole = DeepSpeedConfig(engine_settings.complete(plain, ranks=1, micro_batch=1, passes=1))
    assert whole.zero_optimization_stage == engine_settings.stage(settings)


def test_the_check_is_the_same_on_any_number_of_ranks(monkeypatch):
    from deepspeed.runtime import config

    monkeypatch.setattr(config.dist, "get_world_size", lambda *_: 4)
    monkeypatch.setattr(config.dist, "get_rank", lambda *_: 3)
    check(STAGE_2)
    with pytest.raises(ConfigError, match="unknown key 'stge'"):
        check({"zero_optimization": {"stge": 2}})


def test_without_deepspeed_a_warning_says_that_nothing_was_checked(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "deepspeed.runtime.config", None)
    with caplog.at_level(logging.WARNING):
        check({"zero_optimization": {"stge": 2}})
    assert "not checked by DeepSpeed, which is not installed here" in caplog.text
