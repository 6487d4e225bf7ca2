"""U-net and vision transformer on tiles: equal to one rank, adjoint, trainable, and found out when an exchange is
missing.

Arguments: a seed. Prints one line of JSON with the differences from one rank, relative to the range of each field.
"""

import copy
import json
import sys

import torch
import torch.autograd.forward_ad as forward_ad
import torch.distributed as dist
from network_checks import DOMAINS, SMALL, Case, networks, run
from recording import Recording, forgetful
from tables import Tables, collect, cut, noise, worst
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.reduce import sum_gradients


def check_equality(world, tables, seed):
    cases = [
        Case(name, network, domain, periodic, tiles, dtype, seed)
        for name, network in networks(seed).items()
        for domain, periodic, tiles in DOMAINS
        for dtype in (torch.float32, torch.float64)
    ]
    answers = {number: case.answer() for number, case in enumerate(cases) if number // 2 % world.size == world.rank}
    results = {}
    for number, case in enumerate(cases):
        answer = [answers.get(number)]
        dist.broadcast_object_list(answer, number // 2 % world.size)
        for table in case.tables:
            here = tables.tiled(case.domain, table, case.network.alignment, case.periodic)
            for what, value in ({} if here is None else case.compare(answer[0], here)).items():
                results[f"{str(case.dtype)[6:]} {case.name} {case.domain} {table} {what}"] = value
    return results


def check_forgotten(world, seed):
    """The same comparison when one rim, or one gradient of a rim, is lost on its way: it must be far off."""
    results = {}
    for name, network in networks(seed).items():
        case = Case(name, network, SMALL, (False, False), (), torch.float64, seed)
        answer, log = case.answer(), []
        case.compare(answer, Tables(world, Recording.into(log)).tiled(SMALL, (2, 2), network.alignment))
        exchanges = sum(kind == "post" for kind, _ in log)
        for way, number in (("forward", 2), ("backward", exchanges - 1)):
            here = Tables(world, forgetful(number)).tiled(SMALL, (2, 2), network.alignment)
            results.update(
                {f"{name} without {way}, {what}": value for what, value in case.compare(answer, here).items()}
            )
    return results


def check_adjoint(tables, seed):
    """<J v, u> = <v, J* u> for field and weights, J v by forward mode, J* u by the backward pass."""
    results = {}
    for name, network in networks(seed).items():
        network = network.double()
        for table in ((2, 2), (1, 3)):
            if (here := tables.tiled(SMALL, table, network.alignment)) is None:
                continue
            field, v = (cut(noise(seed + n, 1, 3, *SMALL), here.box, SMALL) for n in (0, 1))
            u = cut(noise(seed + 2, 1, 1, *SMALL), here.box, SMALL)
            directions = {n: noise(seed + 3 + i, *w.shape) for i, (n, w) in enumerate(network.named_parameters())}
            with sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level():
                weights = {n: forward_ad.make_dual(w.detach(), directions[n]) for n, w in network.named_parameters()}
                pushed = functional_call(network, weights, (forward_ad.make_dual(field, v), here))
                tangent = forward_ad.unpack_dual(pushed).tangent.detach()
            _, home, gradients = run(network, field, u, here)
            shares = sum((directions[n] * g).sum() for n, g in gradients.items()) / here.tiles
            left, right, size_t, size_u = here.transport.sum(
                torch.stack([(tangent * u).sum(), (v * home).sum() + shares, tangent.square().sum(), u.square().sum()])
            ).tolist()
            results[f"{name} {table}"] = abs(left - right) / (size_t * size_u) ** 0.5
    return results


def train(template, seed, here, transport=None):
    """Losses of Adam's steps towards a smooth target: sums over tiles, divided by the points of the domain."""
    whole = noise(seed, 1, 3, *SMALL)
    target = torch.nn.functional.avg_pool2d(whole[:, :1], 5, 1, 2) * 5
    field, own_target = cut(whole, here.box, SMALL), cut(target, here.box, SMALL)
    network, losses = copy.deepcopy(template).double(), []
    steps = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(6):
        steps.zero_grad()
        own = (network(field, here) - own_target).square().sum() / whole[0, 0].numel()
        own.backward()
        if transport is not None:
            sum_gradients(network, transport)
        steps.step()
        losses.append(float(here.total(own.detach())))
    return losses


def check_training(world, tables, seed):
    """Losses on tiles against those of one rank, and what is left of the loss after the steps."""
    results = {}
    for number, (name, template) in enumerate(networks(seed).items()):
        alone = collect(world, train(template, seed, Alone(SMALL)) if world.rank == number else None)[number]
        for table in ((2, 2), (3, 1)):
            if (here := tables.tiled(SMALL, table, template.alignment)) is not None:
                losses = train(template, seed, here, here.transport)
                results[f"{name} {table} difference"] = max(abs(a / b - 1) for a, b in zip(losses, alone, strict=True))
                results[f"{name} {table} left"] = losses[-1] / losses[0]
    return results


def check_recomputation(world, seed):
    """With activations recomputed the gradients are the same, and all ranks send in the same order, twice as often."""
    results = {}
    for name in ("unet", "vit"):
        logs, outcomes = [], []
        for again in (False, True):
            network = networks(seed, again)[name].double()
            for table in ((2, 2), (4, 1)):
                log = []
                here = Tables(world, Recording.into(log)).tiled(SMALL, table, network.alignment)
                field, into = (
                    cut(noise(seed, 1, 3, *SMALL), here.box, SMALL),
                    cut(noise(seed + 1, 1, 1, *SMALL), here.box, SMALL),
                )
                outcomes.append(run(network, field, into, here))
                logs.append(log)
        for number in (0, 1):
            plain, repeated = outcomes[number], outcomes[number + 2]
            results[f"{name} difference"] = max(
                float((a - b).abs().max())
                for a, b in [(plain[1], repeated[1]), *((plain[2][n], repeated[2][n]) for n in plain[2])]
            )
        everyone = collect(world, logs)
        results[f"{name} disordered ranks"] = sum(each != everyone[0] for each in everyone)
        results[f"{name} repeated"] = len(logs[2]) / len(logs[0])
    return results


def main(seed):
    with Ranks.start(Mesh(y=2, x=2), device="cpu", timeout=60) as world:
        torch.set_num_threads(1)
        tables = Tables(world)
        results = {
            "equality": worst(world, check_equality(world, tables, seed)),
            "forgotten": worst(world, check_forgotten(world, seed)),
            "adjoint": worst(world, check_adjoint(tables, seed)),
            "training": worst(world, check_training(world, tables, seed)),
            "recomputation": worst(world, check_recomputation(world, seed)),
        }
        if world.rank == 0:
            print(json.dumps(results))


if __name__ == "__main__":
    main(int(sys.argv[1]))
