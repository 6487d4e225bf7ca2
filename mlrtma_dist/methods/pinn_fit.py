"""The fit of a physics-informed network to one case: maximum of the posterior, for all members at once.

    field = base + a N(x, y, z, t; w)

    -log p = 1/2 |w - w_0|^2 + 1/2 |theta|^2 + sum_e 1/2 |W_e r_e|^2 [+ 1/2 sum_j (y_j - field_j)^2 / r_j^2]

Weights w of the network have the prior N(0, 1) in its units. Member 0 has w_0 = 0 in the last layer: it is the
analysis, and without equations it is the base. The others are drawn from the prior and keep to their draw, so that
after the fit they are spread as the posterior is (Pearce et al. 2020). theta are logarithms of friction, diffusion and
of the share of the wind that advects, and the steering, each with a prior of its own physical width.

What the truth may leave of an equation is the error of the equation, which is correlated in place and time:
r_e ~ N(0, s_e^2 K_e). `methods.pinn_weights` finds s_e and the scales of K_e by likelihood before the fit; no weight
is set by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.methods.pinn_points import Collocation
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.pinn_weights import Weight, weigh
from mlrtma_dist.nn.space_time import Jet, SpaceTimeNetwork
from mlrtma_dist.physics.surface import Unknowns, residuals

RATE = 0.02  # of Adam
DRAWS = 200  # of the prior, by which the errors of the base's residuals are known
WITH_SOURCES = ("heat", "moisture")
FRICTION, DIFFUSION, STEERING = 1e-4, 1e4, 5.0  # middle of the priors, s-1, m2 s-1; deviation of the steering, m/s
LOG_SHARE, LOG_FRICTION, LOG_DIFFUSION = 0.5, 1.0, 1.0  # deviations of the priors of the logarithms


@dataclass(frozen=True)
class Prior:
    """What the network is a departure from, at the collocation points.

    Attributes:
        variables: k names; base, scale: jets of shape (1, n, k); of the base and of a, the deviation of its error.
        lengths: of the network's coordinates: m, m, m of height, s.
    """

    variables: tuple[str, ...]
    base: Jet
    scale: Jet
    lengths: tuple[float, float, float, float]


@dataclass(frozen=True)
class Reported:
    """Reports to which a network is fitted.

    Attributes:
        coordinates: (n, 4); number: of the variable of each, (n,); value, error: departures from the base and their
            errors over the scale of the network there, (n,).
    """

    coordinates: Tensor
    number: Tensor
    value: Tensor
    error: Tensor


@dataclass(frozen=True)
class Matched:
    """What the networks of neighbouring subdomains have at some of the collocation points.

    Attributes:
        rows: numbers of the points, (p,); value: of every member and output, (m, p, k).
        error: standard deviation, about these values, that a network's own are held to, (p, k).
    """

    rows: Tensor
    value: Tensor
    error: Tensor


class Problem(torch.nn.Module):
    """Networks and unknowns of some members, and minus the logarithm of their posterior."""

    def __init__(self, settings: PinnSettings, collocation: Collocation, prior: Prior, members: int, seed: int):
        super().__init__()
        self.settings, self.collocation, self.prior = settings, collocation, prior
        self.x = collocation.frame.coordinates(collocation.points)
        self.stretch = collocation.frame.stretch(collocation.points)[:, None]
        self.network = SpaceTimeNetwork(
            members,
            torch.tensor(prior.lengths),
            len(prior.variables),
            features=settings.features,
            width=settings.width,
            depth=settings.depth,
            seed=seed,
        )
        self.theta = torch.nn.Parameter(torch.zeros(5, members, 1))

    def start_at_base(self) -> None:
        """Let member 0 begin and end at the base where nothing moves it."""
        with torch.no_grad():
            self.network.weights[-1][0] = 0.0
        self.anchors = [weight.detach().clone() for weight in self.network.weights]

    @property
    def unknowns(self) -> Unknowns:
        """Of the members."""
        share, friction, diffusion, east, north = self.theta
        return Unknowns(
            torch.exp(LOG_SHARE * share),
            STEERING * torch.stack([east, north]),
            DIFFUSION * torch.exp(LOG_DIFFUSION * diffusion),
            FRICTION * torch.exp(LOG_FRICTION * friction),
        )

    def residuals(self, with_network: bool = True) -> dict[str, Tensor]:
        """Residuals of the equations, (..., m, n)."""
        jet = self.prior.base
        if with_network:
            own = self.network.jet(self.x)
            first = torch.cat([own.first[:1] * self.stretch, own.first[1:]])
            second = torch.cat([own.second[:1] * self.stretch**2, own.second[1:]])
            jet = jet + self.prior.scale * Jet(own.value, first, second)
        fields = {name: jet[number] for number, name in enumerate(self.prior.variables)}
        return residuals(fields, self.collocation.ground, self.unknowns, self.settings.equations)

    def loss(self, weight: Mapping[str, Weight], reported: Reported | None, matched: Matched | None = None) -> Tensor:
        """Minus the logarithm of the posterior, summed over the members."""
        total = 0.5 * self.theta.square().sum()
        for layer, anchor in zip(self.network.weights, self.anchors, strict=True):
            total = total + 0.5 * (layer - anchor).square().sum()
        for offset in self.network.offsets:
            total = total + 0.5 * offset.square().sum()
        for term, residual in self.residuals().items() if weight else ():
            total = total + 0.5 * (residual @ weight[term].matrix.T).square().sum()
        if reported is not None:
            values = self.network(reported.coordinates)
            chosen = values[:, torch.arange(len(reported.number)), reported.number]
            total = total + 0.5 * ((reported.value - chosen) / reported.error).square().sum()
        if matched is not None:
            values = self.network(self.x[matched.rows])
            total = total + 0.5 * ((values - matched.value) / matched.error).square().sum()
        return total


def weights(settings: PinnSettings, collocation: Collocation, prior: Prior) -> dict[str, Weight]:
    """The weight of each equation, from the residuals of the base and of draws of the prior about it."""
    draws = Problem(settings, collocation, prior, DRAWS, settings.seed + 1)
    generator = torch.Generator().manual_seed(settings.seed + 2)
    with torch.no_grad():
        base = draws.residuals(with_network=False)
        draws.theta.copy_(torch.randn(draws.theta.shape, generator=generator))
        drawn = draws.residuals()
    xyzt = draws.x.double().numpy()
    result = {}
    for term, own in base.items():
        spread = (drawn[term] - own[..., :1, :]).double().numpy()
        residual = own[..., 0, :].double().numpy()
        sources = collocation.sources.double().numpy() if term in WITH_SOURCES else None
        result[term] = weigh(residual, spread, xyzt, sources, correlated=term != "moist")
    return result


class Fit:
    """The fit of the networks of one domain or subdomain, which can be continued.

    Args:
        settings: of the fit; collocation: where residuals are taken; prior: the base there.
        reported: reports to be fitted; None: the base has used them.
    """

    def __init__(
        self, settings: PinnSettings, collocation: Collocation, prior: Prior, reported: Reported | None = None
    ):
        self.weight = weights(settings, collocation, prior) if settings.equations else {}
        self.problem = Problem(settings, collocation, prior, settings.members + 1, settings.seed)
        self.problem.start_at_base()
        self.reported = reported

    def descend(self) -> None:
        """Fit all members from their first weights: by Adam, then L-BFGS."""
        settings = self.problem.settings
        if not self.weight and self.reported is None:
            return
        if settings.steps:
            adam = torch.optim.Adam(self.problem.parameters(), RATE)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, settings.steps)
            for _ in range(settings.steps):
                adam.zero_grad()
                self.loss().backward()
                adam.step()
                schedule.step()
        self.polish()

    def polish(self, matched: Matched | None = None) -> None:
        """Go on from the weights that the members have, by L-BFGS, beside the values of neighbours."""
        if not self.problem.settings.polish:
            return
        polish = torch.optim.LBFGS(
            self.problem.parameters(),
            max_iter=self.problem.settings.polish,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            polish.zero_grad()
            loss = self.loss(matched)
            loss.backward()
            return loss

        polish.step(closure)

    def loss(self, matched: Matched | None = None) -> Tensor:
        """Minus the logarithm of the posterior, summed over the members."""
        return self.problem.loss(self.weight, self.reported, matched)
