"""Layers of the graph network beside those of the neural-lam package: the same weights, equal results, and time.

    python -m venv ENVIRONMENT                                                    # of its own: nothing here needs it
    ENVIRONMENT/bin/pip install neural-lam==0.7.0 torch-geometric==2.3.1          # the same torch as this project's
    PYTHONPATH=. ENVIRONMENT/bin/python benchmarks/graph_layer.py

The claim: on the same weights the same nodes and edges to 1e-5, and at least 1.8 times as fast. Both run in turn in one
process on one thread; the ratio is that of processor times, so that other programs count little, as the median over
repetitions with the quartiles. Random receivers in order, random senders, as the encoder of a mesh has them.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from neural_lam import gnn_layers
from torch import Tensor

from mlrtma_dist.nn.graph_layers import LAYERS, Edges, InteractionNet

PEERS = {"interaction": gnn_layers.InteractionNet, "propagation": gnn_layers.PropagationNet}


def copy_weights(layer: InteractionNet, peer: torch.nn.Module) -> None:
    """Give our layer the package's weights: its networks are sequences linear, SiLU, linear, LayerNorm."""
    for ours, theirs in ((layer.message, peer.edge_mlp), (layer.update, peer.aggr_mlp)):
        ours.first.load_state_dict(theirs[0].state_dict())
        ours.second.load_state_dict(theirs[2].state_dict())
        ours.norm.load_state_dict(theirs[3].state_dict())


def forward(call: Callable, tensors: list[Tensor], weights: list[Tensor]) -> None:
    """What a forecast does."""
    with torch.no_grad():
        call(*tensors)


def both_ways(call: Callable, tensors: list[Tensor], weights: list[Tensor]) -> None:
    """What a layer does in training: gradients of nodes, edges and weights from those of its results."""
    leaves = [each.detach().requires_grad_() for each in tensors]
    torch.autograd.grad(call(*leaves), [*leaves, *weights], [tensors[1], tensors[2]])


def race(work: Callable, runners: list[tuple], repetitions: int) -> list[list[float]]:
    """Processor times of each call on its tensors with its weights, s, in turn in each repetition."""
    times: list[list[float]] = [[] for _ in runners]
    for repetition in range(repetitions + 2):
        for (call, tensors, weights), seconds in zip(runners, times, strict=True):
            begin = time.process_time()
            work(call, tensors, weights)
            if repetition >= 2:  # the first ones allocate
                seconds.append(time.process_time() - begin)
    return times


def milliseconds(seconds: list[float]) -> float:
    """The median."""
    return 1e3 * statistics.median(seconds)


def compare(name: str, options: argparse.Namespace) -> list[float]:
    """Print one layer's difference and times; its ratios, forward and both ways."""
    torch.manual_seed(0)
    receiver = torch.randint(options.nodes, (options.edges,)).sort().values
    receiver[-1] = options.nodes - 1  # the package counts its receivers by the last index
    sender = torch.randint(options.nodes, (options.edges,))
    layer, peer = LAYERS[name](options.width), PEERS[name](torch.stack([sender, receiver]), options.width)
    copy_weights(layer, peer)
    tensors = [torch.randn(rows, options.width) for rows in (options.nodes, options.nodes, options.edges)]
    graph = Edges(sender, receiver, torch.zeros_like(sender), torch.zeros(1, 1), options.nodes)
    runners = [
        (lambda *each: layer(*each, graph), [each[:, None].clone() for each in tensors], list(layer.parameters())),
        (peer, tensors, list(peer.parameters())),
    ]
    with torch.no_grad():
        ours, theirs = (call(*each) for call, each, _ in runners)
    difference = max(float((a[:, 0] - b).abs().max()) for a, b in zip(ours, theirs, strict=True))
    ratios = []
    for words, work in (("forward", forward), ("forward and backward", both_ways)):
        own, package = race(work, runners, options.repetitions)
        ratio = sorted(b / a for a, b in zip(own, package, strict=True))
        low, middle, high = statistics.quantiles(ratio, n=4)
        ratios.append(middle)
        print(
            f"{name}, {words}: {milliseconds(own):.1f} ms, package {milliseconds(package):.1f} ms,"
            f" ratio {middle:.2f} ({low:.2f}-{high:.2f}), largest difference {difference:.1e}",
            flush=True,
        )
    assert difference <= 1e-5, f"{name}: differs from the package by {difference}"
    return ratios


def main() -> None:
    """Compare both layers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--edges", type=int, default=40_000)
    parser.add_argument("--width", type=int, default=64, help="channels of nodes and edges")
    parser.add_argument("--repetitions", type=int, default=21)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ratios = [ratio for name in LAYERS for ratio in compare(name, options)]
    print(f"time of the package's layer / time of ours, smallest of four medians: {min(ratios):.2f}")


if __name__ == "__main__":
    main()
