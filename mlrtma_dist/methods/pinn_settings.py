"""Settings of the method ``pinn``."""

import math
from dataclasses import dataclass

BASES = ("analysis", "first_guess")
EQUATIONS = ("heat", "moisture", "momentum", "hydrostatic", "moist")


@dataclass(frozen=True)
class PinnSettings:
    """How a physics-informed network is fitted to a case.

    Attributes:
        of: what the network is a departure from, "analysis": optimal interpolation in time (``oi_time``), within the
            error that it expects, or "first_guess": the network is fitted to the reports themselves.
        equations: whose residuals are made small, names of ``physics.surface.TERMS``; empty: none.
        members: number of networks of other weights, whose differences are the spread.
        points: number of places and times where residuals are taken.
        steps: number of steps of Adam; polish: number of iterations of L-BFGS after them.
        features: number of random Fourier features; width: number of units of a hidden layer; depth: number of these.
        seed: number that all that is random follows from.
        subdomain_km: longest side of the subdomains that have a network each, km; 0: one network for the whole domain.
        overlap_km: width of the band in which neighbouring subdomains are blended, km.
        rounds: number of times that every network is fitted again beside those of its neighbours.
    """

    of: str = "analysis"
    equations: tuple[str, ...] = EQUATIONS
    members: int = 8
    points: int = 400
    steps: int = 100
    polish: int = 30
    features: int = 96
    width: int = 32
    depth: int = 1
    seed: int = 0
    subdomain_km: float = 0.0
    overlap_km: float = 200.0
    rounds: int = 1

    def __post_init__(self):
        if self.of not in BASES:
            raise ValueError(f"of: expected one of {', '.join(BASES)}, got {self.of!r}")
        if unknown := set(self.equations) - set(EQUATIONS):
            raise ValueError(f"equations: expected some of {', '.join(EQUATIONS)}, got {', '.join(sorted(unknown))}")
        for name in ("members", "points", "features", "width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("steps", "polish", "rounds"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected at least 0, got {getattr(self, name)}")
        if not 0.0 <= self.subdomain_km < math.inf:
            raise ValueError(f"subdomain_km: expected a length >= 0, got {self.subdomain_km:g}")
        if not 0.0 < self.overlap_km < math.inf:
            raise ValueError(f"overlap_km: expected a length > 0, got {self.overlap_km:g}")
        if 0.0 < self.subdomain_km < 2.0 * self.overlap_km:
            raise ValueError(
                f"subdomain_km: expected 0 or at least twice the overlap_km of {self.overlap_km:g}, so that no more"
                f" than two subdomains of a row share a point, got {self.subdomain_km:g}: make overlap_km smaller"
            )
