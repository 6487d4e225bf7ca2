"""Settings of the method ``fourdvar``."""

from dataclasses import dataclass

MODELS = ("lam", "persistence")


@dataclass(frozen=True)
class FourDVarSettings:
    """How reports of several hours are analysed by 4D-Var.

    Attributes:
        model: that carries departures from the first guess from one time to the next: "lam", a trained forecast
            emulator, or "persistence", by which they stay where they are.
        forecast: folder of a checkpoint of method lam, the model; empty: the weights that come with the software.
        correlation: share of the departures that the model's step keeps, from 0 to 1. The errors of a step then have
            the share sqrt(1 - correlation^2) of the background's deviation; with 1 the model is exact, with 0 every
            time is analysed by itself.
        outer_loops: number of linearisations about the newest trajectory, at most; 1 with model "persistence", of which
            the window is linear.
        tolerance: share of the right-hand side that the conjugate gradients may leave as residual.
        most_iterations: number of iterations of each loop's conjugate gradients, at most.
        most_whole: number of grid points whose covariance is factored as a whole, at most; that of a larger grid is
            factored by levels. 8 bytes times its square are held for each variable.
        error_members: number of draws by which the error of the analysis with model "lam" is told from that of
            departures that persist; 0: it is taken for that. Two draws take about the time of an analysis.
    """

    model: str = "lam"
    forecast: str = ""
    correlation: float = 0.7
    outer_loops: int = 1
    tolerance: float = 1e-2
    most_iterations: int = 500
    most_whole: int = 6000
    error_members: int = 4

    def __post_init__(self):
        if self.model not in MODELS:
            raise ValueError(f"model: expected one of {', '.join(MODELS)}, got {self.model!r}")
        if self.forecast and self.model != "lam":
            raise ValueError(f"forecast: expected none with model {self.model}, got {self.forecast}")
        if not 0.0 <= self.correlation <= 1.0:
            raise ValueError(f"correlation: expected from 0 to 1, got {self.correlation:g}")
        if not 0.0 < self.tolerance < 1.0:
            raise ValueError(f"tolerance: expected above 0 and below 1, got {self.tolerance:g}")
        for name in ("outer_loops", "most_iterations", "most_whole"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected >= 1, got {getattr(self, name)}")
        if self.error_members < 0:
            raise ValueError(f"error_members: expected >= 0, got {self.error_members}")
        if self.outer_loops > 1 and self.model == "persistence":
            raise ValueError(
                f"outer_loops: expected 1 with model persistence, whose window is linear, got {self.outer_loops}: leave"
                " it out, or set model=lam"
            )
