"""The networks of all subdomains of a window: their fits, shared by ranks, and the field that they make together.

    N(p) = sum_i w_i(p) N_i(p),   sum_i w_i(p) = 1

Every network begins with the same random functions of place and time, so that a member is one field from the start,
and subdomains differ by what their equations and reports do to it. After the first fit, of each subdomain by itself,
come rounds of the alternating method of Schwarz (1870), all subdomains at once (Lions 1988): each network is held to
what its neighbours have at its collocation points in the overlap,

    - log p_i = ... + sum_p 1/2 (1 - w_i(p)) |N_i(p) - N_o(p)|^2 / s^2,   N_o = sum_(j != i) w_j N_j / (1 - w_i),

with s^2 the variance of the neighbours' members there: no weight is set by hand. A round needs the weights of the
round before of all subdomains, which the ranks exchange; so any number of ranks makes the same networks. A subdomain
without reports keeps the prior, whose middle is the base.
"""

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.method import ALONE, Share
from mlrtma_dist.methods.pinn_fit import Fit, Matched
from mlrtma_dist.methods.pinn_points import Collocation, Placement
from mlrtma_dist.methods.pinn_prior import lengths_of, prior_of, reported_of
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.pinn_subdomains import Subdomains
from mlrtma_dist.methods.torch_threads import task_threads
from mlrtma_dist.nn.space_time import SpaceTimeNetwork

LEAST_SPREAD = 0.05  # of neighbours' members, in units of the scale: of so few that they hardly differ


class Networks:
    """The networks of all subdomains, fitted when they are first needed.

    Args:
        base: of the interpolation; names: of the variables to which networks add, k of them; settings: of the method.
    """

    def __init__(self, base: ClassicalAnswer, names: tuple[str, ...], settings: PinnSettings):
        self.base, self.names, self.settings = base, names, settings
        self.placement = Placement.of(base.case)
        self.subdomains = Subdomains.of(base.case.domain, settings.subdomain_km * 1e3, settings.overlap_km * 1e3)
        self.networks: list[SpaceTimeNetwork] = []
        self._shared: Share | None = None

    def fit(self, share: Share = ALONE) -> None:
        """Fit all networks, once. Collective over the ranks of ``share``, each of which fits some of them."""
        if self.networks and (share.count == 1 or self._shared is share):
            return
        case, count = self.base.case, self.subdomains.count
        inside = self.subdomains.weights(case.points) > 0.0
        networks = [self._untrained() for _ in range(count)]
        reported = [number for number in range(count) if np.any(inside[number] & case.used)]
        mine = reported[share.number :: share.count]
        with task_threads(len(mine) if count > 1 else 1, share) as each:
            fits = dict(zip(mine, each(lambda number: self._begin(number, inside[number]), mine), strict=True))
            self._exchange(networks, fits, share)
            for _ in range(self.settings.rounds if count > 1 else 0):
                each(lambda number: fits[number].polish(self._matched(number, fits[number], networks)), mine)
                self._exchange(networks, fits, share)
        self.networks, self._shared = networks, share

    def at(self, points: Points) -> np.ndarray:
        """The blend of the members at n points, float64 in units of the scale, shape (m, n, k)."""
        self.fit()
        weights = self.subdomains.weights(points) if self.subdomains.count > 1 else None
        return _blend(self.networks, weights, self.placement.frame.coordinates(points)).numpy()

    def each_at(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The members of every subdomain at n points, shape (i, m, n, k), and its weight there, shape (i, n)."""
        self.fit()
        x = self.placement.frame.coordinates(points)
        with torch.no_grad():
            values = [network(x).double().numpy() for network in self.networks]
        return np.stack(values), self.subdomains.weights(points)

    def _untrained(self) -> SpaceTimeNetwork:
        """A network with its first weights, the same in every subdomain; that of the analysis is zero."""
        own = self.settings
        lengths = torch.tensor(lengths_of(self.placement.spacing))
        sizes = {"features": own.features, "width": own.width, "depth": own.depth, "seed": own.seed}
        network = SpaceTimeNetwork(own.members + 1, lengths, len(self.names), **sizes)
        with torch.no_grad():
            network.weights[-1][0] = 0.0
        return network

    def _begin(self, number: int, inside: np.ndarray) -> Fit:
        """The fit of a subdomain by itself, from the reports of a mask (n,)."""
        base, settings = self.base, self.settings
        seed = settings.seed if self.subdomains.count == 1 else (settings.seed, number)
        rows = base.case.used & inside
        collocation = Collocation.draw(base.case, settings.points, seed, self.placement, rows)
        reported = None
        if settings.of == "first_guess":
            reported = reported_of(base, self.names, collocation, inside)
        fit = Fit(settings, collocation, prior_of(base, self.names, collocation, settings.of), reported)
        fit.descend()
        return fit

    def _matched(self, number: int, fit: Fit, networks: list[SpaceTimeNetwork]) -> Matched | None:
        """What the neighbours of a subdomain have at its collocation points in the overlap; None: there is none."""
        weights = self.subdomains.weights(fit.problem.collocation.points)
        others = 1.0 - weights[number]
        rows = np.flatnonzero(others > 1e-6)
        if not len(rows):
            return None
        share = np.delete(weights[:, rows], number, axis=0) / others[rows]
        around = [network for other, network in enumerate(networks) if other != number]
        value = _blend(around, share, fit.problem.x[rows])
        spread = (value[1:] - value[0]).square().mean(dim=(0, 1)).sqrt().clamp(min=LEAST_SPREAD)
        error = spread / torch.from_numpy(others[rows, None]).sqrt()
        return Matched(torch.from_numpy(rows), value.float(), error.float())

    def _exchange(self, networks: list[SpaceTimeNetwork], fits: dict[int, Fit], share: Share) -> None:
        """Give every network the weights that some rank has fitted. Collective."""
        first = parameters_to_vector(networks[0].parameters()).detach().numpy()
        state = np.zeros((len(networks), len(first)), np.float32)
        fitted = np.zeros(len(networks), np.float32)
        for number, fit in fits.items():
            state[number] = parameters_to_vector(fit.problem.network.parameters()).detach().numpy()
            fitted[number] = 1.0
        state, fitted = share.total(state), share.total(fitted)
        for number in np.flatnonzero(fitted):
            vector_to_parameters(torch.from_numpy(state[number]), networks[number].parameters())


@torch.no_grad()
def _blend(networks: list[SpaceTimeNetwork], weights: np.ndarray | None, x: torch.Tensor) -> torch.Tensor:
    """The sum of networks with weights (i, n) at coordinates (n, 4), float64 (m, n, k); None: of one, of weight one."""
    if weights is None:
        return networks[0](x).double()
    result: torch.Tensor | None = None
    for network, weight in zip(networks, weights, strict=True):
        rows = torch.from_numpy(np.flatnonzero(weight))
        values = network(x[rows]).double() * torch.from_numpy(weight)[rows, None]
        if result is None:
            result = values.new_zeros(values.shape[0], len(x), values.shape[2])
        result.index_add_(1, rows, values)
    assert result is not None, "there is a network at least"
    return result
