"""The settings of the diffusion assimilation, and those that it shares with other methods on departures."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.methods.noise_levels import NoiseLevels

BACKGROUNDS = ("first_guess", "analysis")
GROUND = 3  # fields of the ground: terrain, relief, land


@dataclass(frozen=True)
class TransformerSizes:
    """Of the transformer in place of the U-net (`nn.dit`).

    Attributes:
        width: channels of a token, a multiple of 4 and of ``heads``; heads: of every attention.
        depth: blocks; window: tokens on a side of a window.
    """

    width: int = 64
    heads: int = 4
    depth: int = 6
    window: int = 8

    def __post_init__(self):
        for name in ("width", "heads", "depth", "window"):
            if getattr(self, name) < 1:
                raise ValueError(f"transformer: {name}: expected at least 1, got {getattr(self, name)}")
        if self.width % 4 or self.width % self.heads:
            raise ValueError(
                f"transformer: width: expected a multiple of 4 and of the {self.heads} heads, got {self.width}"
            )


@dataclass(frozen=True)
class DepartureSettings:
    """What networks on departures from the background are made of, and the statistics of these departures.

    Attributes:
        variables: fields that are analysed, each with a channel of background.
        background_deviation: typical error of the background in units of the target's deviation, of all variables or of
            each: the departures from the background that are modelled are of size one. None: there is no background,
            and the fields themselves are modelled.
        background: first_guess: that of the case, to which reports are added; or analysis: an analysis of the reports
            by another method (``diffusion.about``), whose error is a condition as well, and the unit of the departures
            that are modelled.
        spacing: of the grid on which departures from an analysis are drawn, m: that of training. On finer grids they
            are drawn on some of the points and interpolated; null: on the domain's own points, whatever its spacing.
        ground: whether terrain, relief and land are conditions, too; they weigh where departures follow the terrain.
        fold: points on a side of the squares that become channels; smaller than the shortest scale to be resolved.
        widths: channels of the U-net's levels; groups: of its norms.
        transformer: sizes of a transformer, whose tokens are the folded squares; None: the network is the U-net.
        scales: covariance of the background's errors as a sum of Gaussians: pairs of variance, in units of the
            departures' variance, and length, in grid points; of all variables the same. For the warm start and jfps.
        field_scales: the same of the fields about their mean, where they are smoother than the background's errors: of
            two covariances S and B, S B / (S + B) is left unknown by a background; empty: B is.
        fit_variance: scale the departures' deviation to every case's reports, each variable's, as `methods.amplitude`
            does.
        recompute: forget activations in the forward pass, compute them again in the backward pass.
        seed: of the first weights.
    """

    variables: int = 1
    background_deviation: tuple[float, ...] | None = (0.4,)
    background: str = "first_guess"
    spacing: float | None = None
    ground: bool = False
    fold: int = 2
    widths: tuple[int, ...] = (64, 64, 64)
    groups: int = 8
    transformer: TransformerSizes | None = None
    scales: tuple[tuple[float, float], ...] = ()
    field_scales: tuple[tuple[float, float], ...] = ()
    fit_variance: bool = False
    recompute: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.variables < 1:
            raise ValueError(f"variables: expected at least 1, got {self.variables}")
        self._check_background()
        for name in ("scales", "field_scales"):
            if any(len(scale) != 2 or not min(scale) > 0.0 for scale in getattr(self, name)):
                raise ValueError(f"{name}: expected pairs of variance and length above 0, got {getattr(self, name)}")

    def _check_background(self) -> None:
        deviations = self.background_deviation
        if deviations is not None and len(deviations) not in (1, self.variables):
            raise ValueError(
                f"background_deviation: expected one, or one of each of {self.variables}, got {deviations}"
            )
        if deviations is not None and not min(deviations) > 0.0:
            raise ValueError(f"background_deviation: expected more than 0, got {min(deviations):g}")
        if self.background not in BACKGROUNDS:
            raise ValueError(f"background: expected one of {', '.join(BACKGROUNDS)}, got {self.background!r}")
        if self.of_analysis and deviations is None:
            raise ValueError("background_deviation: expected a number, such as 1, with background: analysis, got null")
        if self.spacing is not None and not (self.of_analysis and self.spacing > 0.0):
            raise ValueError(f"spacing: expected null, or with background: analysis more than 0, got {self.spacing:g}")

    @property
    def departures(self) -> np.ndarray:
        """Size of each variable's departures in units of its target's deviation, shape (variable,)."""
        return np.broadcast_to(self.background_deviation or (1.0,), (self.variables,))

    @property
    def of_analysis(self) -> bool:
        """Whether the background is an analysis of the reports, with its error."""
        return self.background == "analysis"

    @property
    def backgrounds(self) -> int:
        """Channels of backgrounds."""
        return 0 if self.background_deviation is None else self.variables

    @property
    def conditions(self) -> int:
        """Channels of the condition."""
        return self.backgrounds * (1 + self.of_analysis) + GROUND * self.ground

    @property
    def types(self) -> int:
        """Types of observation."""
        return self.variables


@dataclass(frozen=True)
class DiffusionSettings(DepartureSettings, NoiseLevels):
    """What the denoiser is made of and trained with: `DepartureSettings` and its noise levels."""

    def __post_init__(self):
        super().__post_init__()
        self.check_levels()


@dataclass(frozen=True)
class OnePassSettings(DepartureSettings):
    """What the one-pass ensemble is made of and trained with, beside `DepartureSettings`, of which it needs ``scales``.

    Attributes:
        reports: the most that a case is shown with in training; their number plus one is drawn evenly in its logarithm.
        report_error: range of the standard deviation of their errors, in units of the departures' deviation, of which
            each case has one, drawn evenly in its logarithm.
        smoothed: sides of squares, in points, over which members and truth are averaged for further scores.
    """

    reports: int = 400
    report_error: tuple[float, float] = (0.1, 1.0)
    smoothed: tuple[int, ...] = (4, 16)

    def __post_init__(self):
        super().__post_init__()
        if not self.scales:
            raise ValueError("scales: expected the covariance of the departures, by which reports are interpolated")
        if self.reports < 1:
            raise ValueError(f"reports: expected at least 1, got {self.reports}")
        if not 0.0 < self.report_error[0] <= self.report_error[1]:
            raise ValueError(f"report_error: expected 0 < least <= largest, got {self.report_error}")
        if any(side < 2 for side in self.smoothed):
            raise ValueError(f"smoothed: expected squares of at least 2 points on a side, got {self.smoothed}")
