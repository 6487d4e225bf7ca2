"""Messages along edges, computed for some thousand edges at a time so that they stay in a processor's cache.

    h_e = p_j + q_i + W e   (or + t_k, where edges of a kind k are alike),   m_e = LayerNorm(V silu(h_e) + b)

Messages m_e, or s_j + m_e, are added at their receivers. The backward pass is written out here, for two reasons: it
keeps nothing of an edge but e and computes h_e again, a third of the memory; and its steps stay in the cache, too.
Forward mode takes PyTorch's own operators, `messages_by_operators`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable

ROWS = 4096  # edges times batch at once on a CPU: 1 MB for 64 channels


@dataclass(frozen=True, eq=False)
class Ends:
    """Index of the nodes at both ends of each edge, integers of shape (edge,), and its kind where edges have kinds."""

    sender: Tensor
    receiver: Tensor
    kind: Tensor | None


def messages(p: Tensor, q: Tensor, edges: Tensor, weights: tuple, ends: Ends, starts: Tensor | None) -> tuple:
    """Sum of the messages at each receiver, and the edges' new values.

    Args:
        p: of senders (sender, batch, channel); q: of receivers (receiver, batch, channel).
        edges: e of shape (edge, batch or 1, channel), or t of shape (kind, 1, channel) where ``ends`` have kinds.
        weights: W (or None), V, b, LayerNorm's weight, its bias.
        starts: s of shape (sender, batch, channel), or None.

    Under autocast all is in the precision of the weights.

    Returns:
        Shape (receiver, batch, channel), and e + message (edge, batch, channel), or None where edges have kinds.
    """
    kind = p.device.type
    # What autocast casts to lower precision is not cast in a backward pass. Tensors without data know no autocast.
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        dtype = weights[1].dtype
        same = [None if each is None else each.to(dtype) for each in weights]
        with torch.autocast(kind, enabled=False):
            starts = None if starts is None else starts.to(dtype)
            return messages(p.to(dtype), q.to(dtype), edges.to(dtype), tuple(same), ends, starts)
    tensors = [each for each in (p, q, edges, *weights, starts) if each is not None]
    if any(forward_ad.unpack_dual(each).tangent is not None for each in tensors):
        return messages_by_operators(p, q, edges, weights, ends, starts)
    outcome = _Messages.apply(p, q, edges, *weights, starts, ends)
    return outcome if ends.kind is None else (outcome, None)


def messages_by_operators(p, q, edges, weights, ends: Ends, starts) -> tuple:
    """`messages` by PyTorch's operators for all edges at once."""
    weight, *others = weights
    of_edges = F.linear(edges, weight) if ends.kind is None else gather(edges, ends.kind)
    hidden = gather(p, ends.sender) + gather(q, ends.receiver) + of_edges
    second, bias, scale, shift = others
    each = F.layer_norm(F.linear(F.silu(hidden), second, bias), scale.shape, scale, shift)
    if starts is not None:
        each = each + gather(starts, ends.sender)
    return add_up(each, ends.receiver, len(q)), edges + each if ends.kind is None else None


def gather(values: Tensor, index: Tensor) -> Tensor:
    """The rows (n, ...) of ``values`` (rows, ...) at ``index`` (n,).

    PyTorch's embedding, whose backward pass is twice as fast on a CPU as that of its indexing.
    """
    return F.embedding(index, values.flatten(1)).unflatten(1, values.shape[1:])


def add_up(values: Tensor, index: Tensor, rows: int) -> Tensor:
    """Add ``values`` (n, ...) into ``rows`` rows, each into the one at ``index`` (n,)."""
    return _add(values.new_zeros(rows, *values.shape[1:]), index, values, in_place=False)


def _add(total: Tensor, index: Tensor, values: Tensor, in_place: bool = True) -> Tensor:
    """PyTorch's scatter of whole rows, which is 2.5 times as fast on a CPU as its `index_add`."""
    flat, rows = values.flatten(1), total.flatten(1)
    add = rows.scatter_add_ if in_place else rows.scatter_add
    return add(0, index[:, None].expand(flat.shape), flat).view(total.shape)


def _blocks(edges: int, like: Tensor) -> list[slice]:
    """Ranges of edges that are computed at once: all of them, except on a CPU."""
    step = max(1, ROWS // like.shape[1]) if like.device.type == "cpu" else max(1, edges)
    return [slice(begin, min(begin + step, edges)) for begin in range(0, edges, step)]


def _linear(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear map of a block; the bias is added afterwards, as PyTorch would first write it into each row."""
    mapped = values @ weight.t()
    mapped += bias
    return mapped


def _hidden(p, q, edges, weight, ends: Ends, block: slice) -> Tensor:
    """h of a block of edges, shape (edge, batch, channel)."""
    hidden = p.index_select(0, ends.sender[block])
    hidden += q.index_select(0, ends.receiver[block])
    if ends.kind is not None:
        hidden += edges.index_select(0, ends.kind[block])
    elif edges.shape[1] == p.shape[1]:
        hidden.flatten(0, 1).addmm_(edges[block].flatten(0, 1), weight.t())
    else:  # edges that are alike in the whole batch
        hidden += edges[block] @ weight.t()
    return hidden


class _Messages(torch.autograd.Function):
    @staticmethod
    def forward(ctx, p, q, edges, weight, second, bias, scale, shift, starts, ends):
        shape = p.shape[1], len(scale)
        total = q.new_zeros(len(q), *shape)
        changed = p.new_empty(len(ends.sender), *shape) if ends.kind is None else None
        for block in _blocks(len(ends.sender), p):
            hidden = _hidden(p, q, edges, weight, ends, block)
            each = F.layer_norm(_linear(F.silu(hidden), second, bias), scale.shape, scale, shift)
            if starts is not None:
                each += starts.index_select(0, ends.sender[block])
            _add(total, ends.receiver[block], each)
            if changed is not None:
                torch.add(each, edges[block], out=changed[block])
        ctx.ends = ends
        ctx.save_for_backward(p, q, edges, weight, second, bias, scale, shift, starts)
        return total if changed is None else (total, changed)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient, *of_edges):
        p, q, edges, weight, second, bias, scale, shift, starts = ctx.saved_tensors
        ends, of_changed = ctx.ends, of_edges[0] if of_edges else None
        to_p, to_q = torch.zeros_like(p), torch.zeros_like(q)
        to_edges = torch.empty_like(edges) if ends.kind is None else torch.zeros_like(edges)
        to_starts = None if starts is None else torch.zeros_like(starts)
        to_weight = None if weight is None else torch.zeros_like(weight)
        normal = [torch.zeros_like(each) for each in (second, bias, scale, shift)]
        for block in _blocks(len(ends.sender), p):
            each = gradient.index_select(0, ends.receiver[block])
            if of_changed is not None:
                each += of_changed[block]
            if to_starts is not None:
                _add(to_starts, ends.sender[block], each)
            hidden = _hidden(p, q, edges, weight, ends, block)
            to_hidden = _through_network(each, hidden, (second, bias, scale, shift), normal)
            _add(to_p, ends.sender[block], to_hidden)
            _add(to_q, ends.receiver[block], to_hidden)
            if of_changed is None or to_weight is None:
                _add(to_edges, ends.kind[block], to_hidden.sum(1, keepdim=True))
                continue
            through = of_changed[block]
            if edges.shape[1] != p.shape[1]:
                to_hidden, through = (part.sum(1, keepdim=True) for part in (to_hidden, through))
            rows = to_hidden.flatten(0, 1)
            to_weight.addmm_(rows.t(), edges[block].flatten(0, 1))
            torch.addmm(through.flatten(0, 1), rows, weight, out=to_edges[block].flatten(0, 1))
        return to_p, to_q, to_edges, to_weight, *normal, to_starts, None


def _through_network(each: Tensor, hidden: Tensor, weights: tuple, sums: list[Tensor]) -> Tensor:
    """The gradient at h, from that at LayerNorm(V silu(h) + b); adds the gradients of ``weights`` to ``sums``."""
    second, bias, scale, shift = weights
    active = F.silu(hidden)
    inner = _linear(active, second, bias)
    _, mean, deviation = torch.native_layer_norm(inner, scale.shape, scale, shift, 1e-5)
    to_inner, of_scale, of_shift = torch.ops.aten.native_layer_norm_backward(
        each, inner, scale.shape, mean, deviation, scale, shift, [True, True, True]
    )
    rows = to_inner.flatten(0, 1)
    sums[0].addmm_(rows.t(), active.flatten(0, 1))
    for total, part in zip(sums[1:], (rows.sum(0), of_scale, of_shift), strict=True):
        total += part
    return torch.ops.aten.silu_backward(to_inner @ second, hidden)
