"""Layers of graph networks: nodes that send to others along edges (Battaglia et al. 2016; Oskarsson et al. 2024).

With edge e from node j to node i and networks f, g of one hidden layer,

    m_e = f([e, s_j, r_i]),   r_i <- r_i + g([r_i, sum_e m_e]),   e <- e + m_e          InteractionNet
    m_e = s_j + f([e, s_j, r_i]),   r_i <- a_i + g([r_i, a_i]),   a_i = mean_e m_e       PropagationNet

Nothing is concatenated: the first linear map W of f is divided into W_e e + (W_s s)[j] + (W_r r)[i], so that nodes are
multiplied once each and not once per edge (`graph_messages`). Nodes and edges lead, (node, batch, channel), because
rows of memory are then gathered and summed whole.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.nn.graph_messages import Ends, gather, messages


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges between two sets of nodes, or within one.

    Attributes:
        sender, receiver: index of the nodes at both ends of each edge, integers of shape (edge,).
        kind: which row of ``attributes`` each edge has, integers of shape (edge,).
        attributes: what distinguishes the kinds of edge, shape (kind, attribute).
        receivers: number of nodes that may receive, some of them from nobody.
    """

    sender: Tensor
    receiver: Tensor
    kind: Tensor
    attributes: Tensor
    receivers: int

    @cached_property
    def degree(self) -> Tensor:
        """How many edges end at each receiver, at least 1 so that sums are divided by it, shape (receiver, 1, 1)."""
        ones = torch.ones_like(self.receiver)
        return self.receiver.new_zeros(self.receivers).scatter_add(0, self.receiver, ones).clamp(min=1)[:, None, None]


class Perceptron(nn.Module):
    """A linear map, SiLU, a linear map and, where asked, LayerNorm over the channels."""

    def __init__(self, channels_in: int, width: int, channels_out: int, normalises: bool = True):
        super().__init__()
        self.first = nn.Linear(channels_in, width)
        self.second = nn.Linear(width, channels_out)
        self.norm = nn.LayerNorm(channels_out) if normalises else nn.Identity()

    def forward(self, values: Tensor) -> Tensor:
        """Map (..., channels_in) to (..., channels_out)."""
        return self.after_first(self.first(values))

    def after_first(self, hidden: Tensor) -> Tensor:
        """What follows the first linear map, whose result has shape (..., width)."""
        return self.norm(self.second(F.silu(hidden)))


class InteractionNet(nn.Module):
    """Messages are added at their receivers; see the module's description.

    Attributes:
        keeps_edges: whether the edges' new values are returned; otherwise edges are returned as they came.
    """

    propagates = False

    def __init__(self, width: int, hidden: int | None = None, keeps_edges: bool = True):
        super().__init__()
        self.width, self.keeps_edges = width, keeps_edges
        self.message = Perceptron(3 * width, hidden or width, width)
        self.update = Perceptron(2 * width, hidden or width, width)

    def forward(
        self, senders: Tensor, receivers: Tensor, edges: Tensor, graph: Edges, by_kind: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Pass messages along all edges.

        Args:
            senders: shape (sender, batch, width); receivers: shape (receiver, batch, width).
            edges: shape (edge, batch or 1, width), or with ``by_kind`` (kind, 1, width).

        Returns:
            Receivers of the same shape, and edges (edge, batch, width), or as they came.
        """
        if by_kind and self.keeps_edges:
            edges, by_kind = gather(edges, graph.kind), False
        of_edge, of_sender, of_receiver = self.message.first.weight.split(self.width, 1)
        total, changed = messages(
            F.linear(senders, of_sender, self.message.first.bias),
            F.linear(receivers, of_receiver),
            F.linear(edges, of_edge) if by_kind else edges,
            (None if by_kind else of_edge, *self.message.second.parameters(), *self.message.norm.parameters()),
            Ends(graph.sender, graph.receiver, graph.kind if by_kind else None),
            senders if self.propagates else None,
        )
        if self.propagates:
            total = total / graph.degree.to(total.dtype)
        of_receiver, of_total = self.update.first.weight.split(self.width, 1)
        hidden = F.linear(receivers, of_receiver, self.update.first.bias)
        hidden = hidden + F.linear(total, of_total)
        receivers = (total if self.propagates else receivers) + self.update.after_first(hidden)
        return receivers, changed if self.keeps_edges else edges


class PropagationNet(InteractionNet):
    """Messages begin as what their sender holds, and their mean replaces what the receiver held."""

    propagates = True


LAYERS = {"interaction": InteractionNet, "propagation": PropagationNet}


def embed(attributes: Tensor, network: Perceptron) -> Tensor:
    """The value (kind, 1, width) that edges of each kind begin with, in the precision of the network."""
    return network(attributes.to(network.first.weight.dtype))[:, None]
