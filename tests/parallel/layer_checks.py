"""Each layer and primitive on tiles beside the undivided domain, and its backward pass as the adjoint of its forward
pass: what threads of one process check in `test_layers`, and ranks of a job in `kernels/layers.py`.
"""

import torch
import torch.autograd.forward_ad as forward_ad
from tables import cut, difference, noise

from mlrtma_dist.nn.attention import GlobalMixing, WindowAttention
from mlrtma_dist.nn.layers import ChannelNorm, Convolution, GroupNorm, PatchEmbedding, pool, randomise, repeat, upsample
from mlrtma_dist.nn.neighbourhood import Alone, Rim
from mlrtma_dist.nn.points import owned, sample
from mlrtma_dist.parallel.distribute import spread
from mlrtma_dist.parallel.reduce import sum_gradients

CHANNELS = 8
# A pair (both neighbours are the same tile where the domain wraps), three, and four with corners; networks do them all.
TABLES = ((2, 1), (1, 3), (2, 2))
UNEVEN, WRAPPED, HALF_WRAPPED = ((37, 53), (False, False)), ((48, 36), (True, True)), ((37, 48), (False, True))
RIMS = (Rim.around(1, 1), Rim.around(3, 2), Rim(2, 0, 0, 1), Rim(south=1), Rim(north=2, east=3))


def linear_maps():
    """Maps of a field that keep its grid or widen it: name -> (align, function of field and neighbourhood)."""
    maps = {}
    for number, rim in enumerate(RIMS):
        for edge in ("zeros", "replicate"):
            maps[f"rim {number} {edge}"] = 1, lambda field, here, rim=rim, edge=edge: here.rim(field, rim, edge)
    maps["total"] = 1, lambda field, here: here.total(field.mean((2, 3)))
    maps["whole"] = 1, lambda field, here: here.whole(field)
    maps["move"] = 6, lambda field, here: here.move(field, (-3, -2))[0]
    maps["there and back"] = 6, there_and_back
    maps["upsample"] = 1, lambda field, here: upsample(field, here, Finer(here, 3), 3)
    maps["spread"] = 1, spread_whole
    return maps


def there_and_back(field, here):
    moved, there = here.move(field, (-3, 2))
    return there.move(moved, (3, -2))[0]


def spread_whole(field, here):
    whole = here.whole(field) * 1.5
    if not hasattr(here, "tile"):
        return whole
    return spread(whole if here.transport.rank == 0 else whole[..., :0, :0], here.tile, here.transport)


class Finer:
    """A stand-in for the fine neighbourhood, of which only the box's shape is read."""

    def __init__(self, here, factor):
        self.box = self
        self.shape = tuple(factor * size for size in here.box.shape)


def layers():
    """name -> (align, layer, function of layer, field, neighbourhood giving output and its neighbourhood)."""
    checks = {}
    for kernel, stride, dilation in (
        (3, 1, 1),
        (3, 2, 1),
        (5, 1, 1),
        (5, 2, 1),
        (3, 1, 2),
        (3, 1, 3),
        (3, 3, 2),
        (5, 1, 2),
        (7, 4, 1),
    ):
        for edge in ("zeros", "replicate"):
            layer = Convolution(CHANNELS, 6, kernel, stride=stride, dilation=dilation, edge=edge)
            checks[f"convolution {kernel} {stride} {dilation} {edge}"] = (
                stride,
                layer,
                lambda layer, f, n: (layer(f, n), n.coarsen(layer.stride[0])),
            )
    checks["point by point"] = 1, Convolution(CHANNELS, 6, 1), lambda layer, f, n: (layer(f, n), n)
    checks["every other point"] = (
        2,
        Convolution(CHANNELS, 6, 1, stride=2),
        lambda layer, f, n: (layer(f, n), n.coarsen(2)),
    )
    checks["group norm"] = 1, GroupNorm(4, CHANNELS), lambda layer, f, n: (layer(1e2 + f, n), n)
    checks["one group"] = 1, GroupNorm(1, CHANNELS), lambda layer, f, n: (layer(f, n), n)
    checks["channel norm"] = 1, ChannelNorm(CHANNELS), lambda layer, f, n: (layer(f), n)
    checks["patches"] = 3, PatchEmbedding(CHANNELS, 6, 3), lambda layer, f, n: layer(f, n)
    for window, shift in ((4, True), (3, True), (6, False)):
        attention = WindowAttention(CHANNELS, 2, window, shift)
        checks[f"windows {window} {shift}"] = window, attention, lambda layer, f, n: (layer(f, n), n)
    checks["global mixing"] = 3, GlobalMixing(CHANNELS, 2, 3), lambda layer, f, n: (layer(f, n), n)
    checks["pool"] = 3, torch.nn.Identity(), lambda layer, f, n: pool(f, n, 3)
    checks["down and up"] = 4, torch.nn.Identity(), lambda layer, f, n: (upsample(*pool(f, n, 4), n, 4), n)
    checks["down and repeated"] = 2, torch.nn.Identity(), lambda layer, f, n: (repeat(pool(f, n, 2)[0], n, 2), n)
    return checks


def fits(domain, periodic, factor):
    return all(not wraps or size % factor == 0 for size, wraps in zip(domain, periodic, strict=True))


def check_layers(tables, seed, equality, gradient, chosen=lambda name: True):
    for name, (align, layer, call) in layers().items():
        if not chosen(name):
            continue
        layer = layer.double()
        randomise(layer, seed)
        for domain, periodic in (UNEVEN, WRAPPED, HALF_WRAPPED):
            if not fits(domain, periodic, align):
                continue
            whole = noise(seed, 2, CHANNELS, *domain).requires_grad_()
            reference, coarse = call(layer, whole, Alone(domain, periodic))
            into = noise(seed + 1, *reference.shape)
            wholes = torch.autograd.grad((reference * into).sum(), [whole, *layer.parameters()])
            for table in TABLES:
                if (here := tables.tiled(domain, table, align, periodic)) is None:
                    continue
                part = cut(whole, here.box, domain).requires_grad_()
                output, there = call(layer, part, here)
                case = f"{name} {domain} {periodic} {table}"
                equality[case] = difference(output, reference, there)
                layer.zero_grad()
                (output * cut(into, there.box, there.domain)).sum().backward()
                sum_gradients(layer, here.transport)
                gradient[case] = difference(part.grad, wholes[0], here)
                for weight, expected in zip(layer.parameters(), wholes[1:], strict=True):
                    relative = float((weight.grad - expected).abs().max() / expected.abs().max())
                    gradient[case] = max(gradient[case], relative)


def check_adjoints(rank, tables, seed, equality, adjoint, level=forward_ad.dual_level, chosen=lambda name: True):
    """<F x, y> = <x, F* y> summed over tiles, relative to |F x| |y|; and F x by forward mode equals F x."""
    for name, (align, call) in linear_maps().items():
        if not chosen(name):
            continue
        for domain, periodic in (UNEVEN, WRAPPED, HALF_WRAPPED):
            if not fits(domain, periodic, align):
                continue
            for table in TABLES:
                if (here := tables.tiled(domain, table, align, periodic)) is None:
                    continue
                x = noise(seed + 10 * rank, 2, 3, *here.box.shape).requires_grad_()
                forward = call(x, here)
                y = noise(seed + 10 * rank + 1, *forward.shape)
                (home,) = torch.autograd.grad((forward * y).sum(), x)
                with level():
                    tangent = forward_ad.unpack_dual(call(forward_ad.make_dual(x.detach(), x.detach()), here)).tangent
                sums = torch.stack([(forward * y).sum(), (x * home).sum(), (forward**2).sum(), (y**2).sum()]).detach()
                left, right, size_x, size_y = here.transport.sum(sums).tolist()
                case = f"{name} {domain} {periodic} {table}"
                adjoint[case] = abs(left - right) / (size_x * size_y) ** 0.5
                equality[f"forward mode of {case}"] = float(
                    (tangent - forward).detach().abs().max() / forward.detach().abs().max()
                )


def check_rims(tables, seed, equality):
    """A tile with its rim is the same part of the padded domain."""
    for domain, periodic in (UNEVEN, WRAPPED, HALF_WRAPPED):
        whole = noise(seed, 1, 2, *domain)
        for rim in RIMS:
            for edge in ("zeros", "replicate"):
                padded = Alone(domain, periodic).rim(whole, rim, edge)
                for table in TABLES:
                    if (here := tables.tiled(domain, table, 1, periodic)) is None:
                        continue
                    box, around = here.box, here.rim(cut(whole, here.box, domain), rim, edge)
                    rows, columns = (
                        slice(box.y0, box.y1 + rim.south + rim.north),
                        slice(box.x0, box.x1 + rim.west + rim.east),
                    )
                    case = f"rim {rim} {edge} {domain} {periodic} {table}"
                    equality[case] = float((around - padded[..., rows, columns]).abs().max())


def check_stations(tables, seed, equality, gradient):
    """Every station has one owner, who reads what the undivided domain reads; the gradients add up."""
    for domain, periodic in (UNEVEN, WRAPPED, HALF_WRAPPED):
        whole = noise(seed, 2, 3, *domain).requires_grad_()
        places = torch.rand(200, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        places = places * (torch.tensor(domain) - 1)
        places[0], places[1] = torch.tensor([0.0, 0.0]), torch.tensor([domain[0] - 1.0, domain[1] - 1.0])
        reference = sample(whole, places, Alone(domain, periodic))
        into = noise(seed, *reference.shape)
        (home,) = torch.autograd.grad((reference * into).sum(), whole)
        for table in TABLES:
            if (here := tables.tiled(domain, table, 1, periodic)) is None:
                continue
            mine, part = owned(places, here), cut(whole, here.box, domain).requires_grad_()
            values = sample(part, places[mine], here)
            case = f"stations {domain} {periodic} {table}"
            equality[case] = float((values - reference[..., mine]).detach().abs().max()) if mine.any() else 0.0
            owners = here.transport.sum(mine.long())
            equality[f"owners of {case}"] = float((owners - 1).abs().max())
            (values * into[..., mine]).sum().backward()
            gradient[case] = difference(part.grad, home, here)
