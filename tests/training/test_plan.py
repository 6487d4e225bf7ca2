"""Schedule, order of cases, moving average, stop signal, settings, metrics: each against its definition."""

import math
import os
import signal

import numpy as np
import pytest
import torch

from mlrtma_dist.config import ConfigError
from mlrtma_dist.training import engine_settings, losses, order, partition
from mlrtma_dist.training.average import Average
from mlrtma_dist.training.metrics import FILE, Metrics, read
from mlrtma_dist.training.schedule import Schedule
from mlrtma_dist.training.stop_signal import StopSignal

HOURS = np.datetime64("2026-01-01", "s") + np.arange(48) * np.timedelta64(1, "h")


def test_the_rate_grows_linearly_then_falls_along_a_cosine_to_its_share():
    schedule = Schedule(steps=110, learning_rate=2.0, warm_up=10, final_share=0.1)
    assert [schedule.rate(step) for step in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    assert schedule.rate(10) == 2.0
    assert schedule.rate(60) == pytest.approx(2.0 * 0.55)  # half way: the mean of 1 and 0.1
    assert schedule.rate(109) == pytest.approx(2.0 * (0.1 + 0.45 * (1 + math.cos(0.99 * math.pi))))


def test_micro_batches_are_even_and_make_up_the_batch():
    assert Schedule(batch=20, micro_batch=4).parts(2) == [4, 3, 3]
    assert Schedule(batch=20).parts(4) == [5]


def test_a_batch_that_the_data_axis_does_not_divide_is_refused_with_ones_that_it_does():
    with pytest.raises(ValueError, match="multiple of the mesh's 3 data ranks, got 16. Use 15 or 18"):
        Schedule(batch=16).parts(3)


def test_a_batch_smaller_than_the_data_axis_is_refused_with_two_that_are_not():
    with pytest.raises(ValueError, match="16 data ranks, got 8. Use 16 or 32"):
        Schedule(batch=8).parts(16)


def test_wrong_schedules_are_refused_by_name():
    values = ({"steps": 0}, {"learning_rate": -1.0}, {"average_decay": 1.0}, {"keep": 0}, {"average_from_start": True})
    for wrong in values:
        with pytest.raises(ValueError, match=f"schedule.{next(iter(wrong))}"):
            Schedule(**wrong)


def test_every_case_comes_once_an_epoch_and_epochs_differ():
    indices = np.arange(100, 112)
    steps = [order.cases_of_step(indices, step, 5, seed=1) for step in range(12)]
    joined = np.concatenate(steps)
    epochs = joined.reshape(5, 12)
    assert all(sorted(epoch) == sorted(indices) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_the_cases_of_a_step_do_not_depend_on_the_ranks():
    cases = order.cases_of_step(np.arange(40), 3, 12, seed=2)
    for ranks in (1, 2, 3):
        parts = Schedule(batch=12, micro_batch=2).parts(ranks)
        dealt = [i for rank in range(ranks) for part in order.own_batches(cases, parts, rank) for i in part]
        assert dealt == cases.tolist()


def test_rounds_show_every_case_once_on_any_number_of_ranks():
    for ranks in (1, 2, 3, 4):
        dealt = [list(order.rounds(np.arange(7), 2, ranks, rank)) for rank in range(ranks)]
        assert len({len(each) for each in dealt}) == 1, "as many rounds on every rank"
        counted = [i for each in dealt for indices, count in each for i in indices[:count]]
        assert sorted(counted) == list(range(7))


def test_cases_from_a_date_on_are_validated_with_and_a_gap_is_left_before_it():
    shuffled = np.random.default_rng(0).permutation(48)
    training, validation = order.split_by_date(HOURS[shuffled], np.datetime64("2026-01-02", "s"), gap_hours=3)
    assert sorted(shuffled[validation]) == list(range(24, 48))
    assert sorted(shuffled[training]) == list(range(21))


def test_a_date_outside_the_samples_is_refused_with_their_period():
    with pytest.raises(ConfigError, match="2026-01-01T00:00:00 to 2026-01-02T23:00:00, got 2027-01-01T00:00:00"):
        order.split_by_date(HOURS, np.datetime64("2027-01-01", "s"))


def test_the_average_is_the_weighted_sum_of_all_weights():
    values = [1.0, 5.0, -2.0, 4.0]
    average = Average([torch.tensor([values[0]])], decay=0.9)
    expected = values[0]
    for number, value in enumerate(values[1:], start=1):
        average.update([torch.tensor([value])])
        decay = min(0.9, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * value
    assert float(average.tensors[0]) == pytest.approx(expected, rel=1e-6)


def test_first_weights_keep_their_part_of_an_average_from_the_start():
    average = Average([torch.tensor([3.0])], decay=0.99, from_start=True)
    for _ in range(200):
        average.update([torch.tensor([1.0])])
    assert float(average.tensors[0]) == pytest.approx(1.0 + 2.0 * 0.99**200, rel=1e-5)


def test_weights_come_back_after_the_average_stood_in_their_place():
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    average = Average([torch.tensor([7.0])], 0.9)
    with pytest.raises(RuntimeError), average.in_place_of([weight]):
        assert float(weight.detach()) == 7.0
        raise RuntimeError
    assert float(weight.detach()) == 3.0 and float(average.tensors[0]) == 7.0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_is_noted_instead_of_ending_the_process(number):
    before = signal.getsignal(number)
    with StopSignal.watched() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        assert stop.received == signal.Signals(number).name
    assert signal.getsignal(number) is before


def test_single_numbers_of_a_step_are_summed_in_one_message_from_the_device_where_they_lie():
    sent = []

    class Everyone:
        def sum(self, tensor):
            sent.append((tensor.device.type, tensor.dtype, tuple(tensor.shape)))
            return torch.tensor([6.0, 4.0, 1.0])

    values = (torch.ones((), device="meta"), 2.0, False)
    assert losses.global_sums(values, torch.device("meta"), Everyone()) == [6.0, 4.0, 1.0]
    assert sent == [("meta", torch.float64, (3,))]


@pytest.mark.parametrize("key", engine_settings.BATCH_KEYS)
def test_a_batch_key_in_the_engine_section_is_refused_by_name(key):
    with pytest.raises(ConfigError, match=f"engine.{key}: expected not to be given: the engine sets it from schedule"):
        engine_settings.check({key: 4})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"zero_optimisation": {"stage": 2}},
            r"unknown key 'zero_optimisation' \(did you mean 'zero_optimization'\?\)",
        ),
        (
            {"optimizer": {"type": "Adamm"}},
            "optimizer.type: expected AdamW, SGD or another of torch.optim, got 'Adamm'",
        ),
        ({"optimizer": {"params": {"betas": [0.9, 0.99]}}}, "optimizer.type: expected .*, got 'None'"),
    ],
)
def test_an_engine_section_that_deepspeed_would_pass_over_or_trip_on_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        engine_settings.check(settings)


def test_the_engine_sets_batches_and_counts_tiles_as_data_ranks():
    whole = engine_settings.complete({}, ranks=8, micro_batch=2, passes=3)
    assert [whole[key] for key in engine_settings.BATCH_KEYS] == [48, 2, 3]
    assert whole["gradient_clipping"] == 0.0, "DeepSpeed's own default clips"
    assert whole["optimizer"]["params"]["torch_adam"], "its own Adam wants nvcc and cannot take a checkpoint's count"


@pytest.mark.parametrize(("beside", "place"), [(False, "cpu"), (True, "meta")])
def test_single_numbers_lie_beside_the_weights_only_for_optimizers_that_want_them_there(beside, place):
    weight = torch.empty(3, device="meta")
    optimizer = torch.optim.AdamW([weight], capturable=beside)
    partition.make_state(optimizer, ["exp_avg"], {"step": 3.0})
    assert optimizer.state[weight]["step"].device.type == place
    assert optimizer.state[weight]["exp_avg"].device.type == "meta"


def test_settings_without_effect_warn(caplog):
    engine_settings.check({"scheduler": {"type": "WarmupLR"}, "optimizer": {"type": "Adam", "params": {"lr": 1.0}}})
    assert [record.message.split(" has no effect")[0] for record in caplog.records] == [
        "engine.scheduler",
        "engine.optimizer.params.lr",
    ]


def test_metrics_of_steps_that_are_done_again_are_dropped(tmp_path):
    first = Metrics(tmp_path)
    for step in range(4):
        first.add(step=step, loss=1.0 / (step + 3), learning_rate=0.1, gradient_norm=None)
    first.close()
    second = Metrics(tmp_path, first_step=2)
    second.add(step=2, loss=0.5, validation=0.25)
    second.close()
    rows = read(tmp_path / FILE)
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert [row["loss"] for row in rows] == [1 / 3, 0.25, 0.5], "to the last digit"
    assert math.isnan(rows[0]["gradient_norm"]) and rows[2]["validation"] == 0.25
