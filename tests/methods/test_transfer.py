"""Transfer of the vision transformer: what is taken over, what each mode trains, and that adapters begin as nothing."""

import copy

import numpy as np
import pytest
import torch
from report_cases import TINY, VARIABLES, hour, toy

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.predictands import PREDICTANDS, Smooth
from mlrtma_dist.methods.report_distributions import TRUST
from mlrtma_dist.methods.transfer import Transfer, adapt, as_weights_of, names_added
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.methods.vit_entries import SHARES
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone

OLD = ("t2m", "u10")
SHAPE = (120, 160)

pytestmark = pytest.mark.usefixtures("one_thread")


def method_of(variables=VARIABLES, **more):
    method = build_vit(TINY | {"variables": list(variables)} | more, "test")
    method.settle(toy().domain)
    return method


def before_of(variables=OLD):
    method = method_of(variables)
    randomise(method.network, 1)
    return method


def begun(variables=VARIABLES, before=None):
    """A method that has taken over the weights of one of fewer variables, and that one."""
    before, method = before or before_of(), method_of(variables)
    method.network.load_state_dict(as_weights_of(method, before, dict(before.network.named_parameters())))
    return method, before


def adapted(transfer, variables=VARIABLES):
    method, before = begun(variables)
    adapt(method, before, transfer, "test")
    return method


def decoded(method, draw=2):
    """Distributions at the targets of a draw."""
    sample = method.encode(hour(), draw)
    grid = Alone(SHAPE).coarsen(method.patch)
    inputs = sample.inputs.to(next(method.network.parameters()).dtype)
    with torch.no_grad():
        parts = method.network(inputs, sample.tokens, sample.stations, sample.points, sample.cell, grid)
        return method.heads.read(parts, sample.stations, sample.points.features)


def steps(method, count=4):
    """Steps of gradient descent on all that a method trains."""
    update = torch.optim.AdamW(method.network.parameters(), lr=0.02)
    losses = []
    for draw in range(1, count + 1):
        total, weight = method.loss(method.encode(hour(), draw), Alone(SHAPE))
        update.zero_grad()
        (total / weight).backward()
        update.step()
        losses.append(float(total.detach()) / weight)
    return losses


def of_old(at, method):
    columns = [method.reported.smooth.index(name) for name in OLD]
    return [part[..., columns] for part in (at.mean, at.spread, at.gradient)]


@pytest.mark.parametrize("order", [VARIABLES, ("visibility", "u10", "v10", "t2m")])
def test_variables_that_are_added_change_nothing_of_the_others_at_first(order):
    method, before = begun(order)
    for each in (method, before):
        each.network.double()
    now, then = of_old(decoded(method), method), of_old(decoded(before), before)
    for one, other in zip(now, then, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)  # read in float32
        assert float(other.std()) > 1e-2


def test_weights_of_a_network_that_has_all_variables_in_another_order_are_the_same_network():
    before = before_of(VARIABLES)
    method, _ = begun(VARIABLES[::-1], before)
    one, other = decoded(method), decoded(before)
    columns = [method.reported.smooth.index(name) for name in before.reported.smooth]
    torch.testing.assert_close(one.mean[..., columns], other.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.below["visibility"], other.below["visibility"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["frozen", "adapters"])
def test_adapters_are_at_first_the_network_without_them_to_the_last_bit(mode):
    plain, method = begun()[0], adapted(Transfer(mode, rank=2))
    one, other = decoded(plain), decoded(method)
    assert torch.equal(one.mean, other.mean) and torch.equal(one.below["visibility"], other.below["visibility"])
    for name, weight in method.network.merged().items():
        assert torch.equal(weight, dict(plain.network.named_parameters())[name]), name


@pytest.mark.parametrize("mode", ["frozen", "adapters"])
def test_what_was_trained_before_does_not_move_and_what_is_trained_does(mode):
    method = adapted(Transfer(mode, rank=2))
    fixed = copy.deepcopy(dict(method.network._fixed[0].named_parameters()))
    own = copy.deepcopy(dict(method.network.named_parameters()))
    steps(method)
    for name, weight in method.network._fixed[0].named_parameters():
        assert torch.equal(weight, fixed[name]) and not weight.requires_grad
    still = [name for name, weight in method.network.named_parameters() if torch.equal(weight, own[name])]
    assert not [name for name in still if "key/bias" not in name]


def test_with_a_frozen_trunk_the_old_variables_are_the_same_to_the_last_bit_and_the_new_ones_are_not():
    method = adapted(Transfer("frozen"))
    before = decoded(method)
    steps(method)
    after = decoded(method)
    for one, other in zip(of_old(before, method), of_old(after, method), strict=True):
        assert torch.equal(one, other)
    new = method.reported.smooth.index("v10")
    assert float((after.mean - before.mean)[..., new].abs().max()) > 1e-3
    assert float((after.below["visibility"] - before.below["visibility"]).abs().max()) > 1e-3


def test_adapters_that_read_the_added_reports_change_the_old_variables():
    method = adapted(Transfer("adapters", rank=2))
    before = decoded(method)
    steps(method)
    assert float((decoded(method).mean - before.mean).abs().max()) > 1e-3


def test_merged_weights_give_what_the_adapters_give_and_are_not_those_before():
    method, plain = adapted(Transfer("adapters", rank=2)), method_of()
    before = method.network.merged()
    losses = steps(method, 12)
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    merged = method.network.merged()
    plain.network.load_state_dict(merged)
    one, other = decoded(method), decoded(plain)
    torch.testing.assert_close(one.mean, other.mean, rtol=1e-4, atol=1e-5)
    changed = {name for name in merged if not torch.equal(merged[name], before[name])}
    assert {"encoder.attention.query.weight", "decoder.network.0.weight", "decoder.head.bias"} <= changed


def test_the_gradient_of_an_adapter_is_that_of_its_matrix_by_the_chain_rule():
    method, plain = adapted(Transfer("adapters", rank=2)), method_of()
    steps(method, 2)
    plain.network.load_state_dict(method.network.merged())
    sample, name = method.encode(hour(), 3), "decoder.query.0.weight"
    for each in (method, plain):
        each.network.zero_grad()
        each.loss(sample, Alone(SHAPE))[0].backward()
    gradient = dict(plain.network.named_parameters())[name].grad
    adapter = method.network.adapters[name.replace(".", "/")]
    left, right = adapter.left, adapter.right
    torch.testing.assert_close(left.grad, gradient @ right.detach().T, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(right.grad, left.detach().T @ gradient, rtol=1e-3, atol=1e-3)


def test_adapters_are_small_beside_the_network():
    method = build_vit({"variables": ["t2m"]}, "test")
    whole = sum(weight.numel() for weight in method.network.parameters())
    adapt(method, build_vit({"variables": ["t2m"]}, "test"), Transfer("adapters", rank=2), "test")
    own = sum(weight.numel() for weight in method.network.parameters())
    assert 0 < own < 0.08 * whole and method.network.fixed_numbers == whole


@pytest.mark.parametrize("mode", ["frozen", "adapters"])
def test_the_analysis_of_3d_var_is_added_as_variables_are(mode):
    before = before_of(VARIABLES)
    method, _ = begun(VARIABLES, before)
    hybrid = method_of(VARIABLES, classical=True)
    hybrid.network.load_state_dict(as_weights_of(hybrid, before, dict(before.network.named_parameters())))
    assert names_added(hybrid, method) == ("analysis of 3D-Var",)
    first = dict(hybrid.network.named_parameters())["decoder.head.bias"].detach().clone()
    adapt(hybrid, before, Transfer(mode, rank=2), "test")
    assert torch.equal(hybrid.network.merged()["decoder.head.bias"], first)
    np.testing.assert_allclose(torch.sigmoid(first[-3:] + TRUST), [0.7, 0.15, 0.15], rtol=1e-5)  # t2m, wind
    assert ("decoder/query/0/weight" in hybrid.network.grown) == (mode == "adapters")
    assert hybrid.network.grown["decoder/head/weight"].entries.shape[0] == 3  # weights of it, of the smooth variables


@torch.no_grad()
@pytest.mark.parametrize("variables", [OLD, VARIABLES], ids=["the same variables", "one more"])
def test_weights_of_the_analysis_of_3d_var_that_were_learnt_are_kept_and_those_of_new_variables_begin(variables):
    before, method = method_of(OLD, classical=True), method_of(variables, classical=True)
    randomise(before.network, 4)
    method.network.load_state_dict(as_weights_of(method, before, dict(before.network.named_parameters())))
    for name in ("weight", "bias"):
        old, new = (each.network.get_parameter(f"decoder.head.{name}") for each in (before, method))
        learnt = [method.heads.labels.index(label) for label in before.heads.labels]
        assert torch.equal(new[learnt], old) and old[-2:].abs().min() > 0.0  # the last two: t2m, u10
    if variables != OLD:
        begun_with = method.network.get_parameter("decoder.head.bias")[method.heads.labels.index("trust v10")]
        assert float(torch.sigmoid(begun_with + TRUST)) == pytest.approx(0.15)


def test_every_smooth_variable_has_a_share_of_3d_var_to_begin_with():
    assert set(SHARES) == {name for name, each in PREDICTANDS.items() if isinstance(each, Smooth)}


def test_what_was_added_is_named_and_what_would_train_nothing_is_refused_in_words():
    method, before = begun()
    assert names_added(method, before) == ("v10", "visibility") and names_added(before, method) == ()
    with pytest.raises(InputError, match=r"settings.variables adds none to t2m, u10. Add some, or use .* adapters"):
        adapted(Transfer("frozen"), OLD)
    again = method_of(recompute=True)
    with pytest.raises(InputError, match="settings.recompute is true"):
        adapt(again, before, Transfer("adapters"), "test")
    with pytest.raises(ValueError, match=r"transfer.mode: expected one of frozen, adapters, whole, got 'half'"):
        Transfer("half")
    with pytest.raises(ValueError, match=r"transfer.rank: expected 1 or more, got 0"):
        Transfer("adapters", rank=0)
