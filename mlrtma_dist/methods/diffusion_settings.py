"""The settings of the diffusion assimilation."""

from dataclasses import dataclass

BACKGROUNDS = ("first_guess", "analysis")
GROUND = 3  # fields of the ground: terrain, relief, land


@dataclass(frozen=True)
class DiffusionSettings:
    """What the denoiser is made of and trained with.

    Attributes:
        variables: fields that are analysed, each with a channel of background.
        background_deviation: typical error of the background in units of the target's deviation: the departures from
            the background that are modelled are of size one. None: there is no background, and the fields themselves
            are modelled.
        background: first_guess: that of the case, to which reports are added by guidance; or analysis: an analysis of
            the reports by another method (``diffusion.about``), whose error is a condition as well, and the unit of the
            departures that are modelled.
        spacing: of the grid on which departures from an analysis are drawn, m: that of training. On finer grids they
            are drawn on some of the points and interpolated; null: on the domain's own points, whatever its spacing.
        ground: whether terrain, relief and land are conditions, too; they weigh where departures follow the terrain.
        fold: points on a side of the squares that become channels; smaller than the shortest scale to be resolved.
        widths: channels of the U-net's levels; groups: of its norms.
        sigma_min, sigma_max: range of noise levels, in units of the departures' deviation, that are trained, all
            logarithms as often; the largest must drown the largest scale: a Gaussian of length l (points) has modes of
            deviation up to l sqrt(2 pi).
        levels: noise levels at which every case shown is trained at once, spread evenly over the range: reading a case
            costs more than noising it.
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
    background_deviation: float | None = 0.4
    background: str = "first_guess"
    spacing: float | None = None
    ground: bool = False
    fold: int = 2
    widths: tuple[int, ...] = (64, 64, 64)
    groups: int = 8
    sigma_min: float = 0.02
    sigma_max: float = 80.0
    levels: int = 1
    scales: tuple[tuple[float, float], ...] = ()
    field_scales: tuple[tuple[float, float], ...] = ()
    fit_variance: bool = False
    recompute: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.variables < 1 or self.levels < 1:
            raise ValueError(f"expected variables and levels >= 1, got {self.variables} and {self.levels}")
        if self.background_deviation is not None and not self.background_deviation > 0.0:
            raise ValueError(f"background_deviation: expected more than 0, got {self.background_deviation:g}")
        if not 0.0 < self.sigma_min < self.sigma_max:
            raise ValueError(f"expected 0 < sigma_min < sigma_max, got {self.sigma_min:g} and {self.sigma_max:g}")

        if self.background not in BACKGROUNDS:
            raise ValueError(f"background: expected one of {', '.join(BACKGROUNDS)}, got {self.background!r}")
        if self.of_analysis and self.background_deviation is None:
            raise ValueError("background_deviation: expected a number, such as 1, with background: analysis, got null")
        if self.spacing is not None and not (self.of_analysis and self.spacing > 0.0):
            raise ValueError(f"spacing: expected null, or with background: analysis more than 0, got {self.spacing:g}")
        for name in ("scales", "field_scales"):
            if any(len(scale) != 2 or not min(scale) > 0.0 for scale in getattr(self, name)):
                raise ValueError(f"{name}: expected pairs of variance and length above 0, got {getattr(self, name)}")

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
