"""Training on any layout of ranks and every ZeRO stage is training by PyTorch on one rank."""

import re

import pytest
from launch import launch

pytestmark = pytest.mark.slow

KERNEL = "../../training/kernels/equality"
CASES = [
    (name, stage, mesh)
    for mesh in ("1, (1, 1, 1)", "2, (2, 1, 1)", "2, (1, 2, 1)", "4, (1, 2, 2)")
    for stage in range(4)
    for name in ("SGD", "AdamW", "bf16")
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What four jobs tell; the one on 4 ranks saves first, the others go on from its checkpoints."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {ranks: launch(KERNEL, ranks, folder, timeout=600) for ranks in (4, 1, 2, 3)}


def relative_difference(losses, truth):
    """The largest difference relative to the truth."""
    assert len(losses) == len(truth) > 0
    return max(abs(a / b - 1) for a, b in zip(losses, truth, strict=True))


@pytest.mark.parametrize(("name", "stage", "mesh"), CASES)
def test_losses_of_five_steps_are_those_of_one_rank(told, name, stage, mesh):
    ranks, data, y, x = map(int, re.findall(r"\d+", mesh))
    losses = told[ranks]["equality"][f"{name}, stage {stage}, data({data}) * y({y}) * x({x})"]
    truth = told[1]["plain"]["SGD" if name == "SGD" else "AdamW"]  # of bf16, too, the truth is float32
    assert relative_difference(losses, truth) < {"SGD": 1e-6, "AdamW": 1e-5, "bf16": 1e-2}[name]


def test_the_losses_compared_change_from_step_to_step(told):
    for losses in told[1]["plain"].values():
        assert min(abs(a / b - 1) for a, b in zip(losses[:-1], losses[1:], strict=True)) > 1e-3


@pytest.mark.parametrize("stage", range(4))
def test_clipping_is_by_the_norm_of_the_whole_gradient(told, stage):
    assert relative_difference(told[2]["clipping"][f"stage {stage}"], told[1]["plain"]["clipped"]) < 1e-6
    assert relative_difference(told[1]["plain"]["clipped"], told[1]["plain"]["SGD"]) > 1e-2, "the limit must be felt"


@pytest.mark.parametrize("stage", range(4))
def test_micro_batches_of_different_weight_add_up_to_the_whole_batch(told, stage):
    assert relative_difference(told[2]["accumulation"][f"stage {stage}"], told[1]["plain"]["SGD"]) < 1e-6


@pytest.mark.parametrize("left_out", ["ranks", "weight"])
def test_a_scale_without_ranks_or_without_the_global_weight_is_found_out(told, left_out):
    assert relative_difference(told[2]["unscaled"][left_out], told[1]["plain"]["SGD"]) > 1e-3


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("stage", range(4))
def test_saved_on_four_ranks_and_resumed_on_fewer_in_another_stage_the_losses_go_on(told, ranks, stage):
    uninterrupted = told[4]["saved"][f"stage {stage}"]
    assert relative_difference(told[ranks]["resumed"][f"stage {stage}"], uninterrupted[3:]) < 1e-5
    assert told[ranks]["resumed"][f"average {stage}"] == pytest.approx(told[1]["resumed"]["average 0"], rel=1e-6)


def test_a_signal_to_one_rank_stops_all_after_the_same_step_and_nothing_is_lost(told):
    stopped = told[2]["stopped"]
    assert stopped["stopped"] is True and stopped["step"] == 2
    assert relative_difference(stopped["losses"], told[1]["plain"]["AdamW"]) < 1e-5


def test_a_run_that_hangs_is_run_again_only_if_it_saved_a_checkpoint_of_its_own(told):
    (saved, first), (resumed, second) = told[2]["stopped"]["endings"]
    assert first == 75 and "step_00000002; --resume goes on from it" in saved
    assert second == 1 and "step_00000002, from which this run went on" in resumed


def test_a_loss_that_is_no_number_names_the_time_of_the_sample_and_changes_nothing(told):
    assert "got nan at step 0, in the samples of 2026-01-01T07:00:00. Look" in told[2]["spoilt"]["message"]
    assert told[2]["spoilt"]["step"] == 0


def test_the_best_checkpoint_is_kept_beside_the_newest(told):
    for ranks in (1, 2):
        assert told[ranks]["best"]["steps"] == [4, 6]
        assert told[ranks]["best"]["best"] == "step_00000004"


def test_validation_cases_that_no_data_axis_divides_are_counted_once(told):
    one, two = (told[ranks]["best"]["validation"] for ranks in (1, 2))
    assert len(one) == 3 and relative_difference(two, one) < 1e-5


@pytest.mark.parametrize("stage", ["stage 0", "stage 1", "stage 2", "stage 3", "stage 3, all divided"])
def test_the_validation_of_averaged_weights_is_that_of_one_rank_without_zero_and_training_goes_on_as_there(told, stage):
    truth = told[1]["validated"]["stage 0"]
    for ranks in (1, 2):
        assert len(truth) == 3 and relative_difference(told[ranks]["validated"][stage], truth) < 1e-5
