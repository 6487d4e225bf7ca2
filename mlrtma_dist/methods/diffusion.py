"""Diffusion assimilation: a denoiser of departures from the background, and samples of the posterior given reports.

    x = x_b + s d           d ~ p(d | x_b), the departure in units s, as a denoiser has learnt it from cases with truth
    y_o = H(x) + e_o        e_o ~ N(0, R)

What is modelled is the field given its background, which is a condition of the network and no observation. Reports
enter only when a case is analysed (`mlrtma_dist.diffusion`), so that any operator H and any R can be used that training
never saw. Without reports the answer is the distribution given the background alone.

The denoiser minimises, over cases, noise levels and noise,

    (1 + sigma^2) / sigma^2  (D(d + sigma n, sigma, x_b) - d)^2         (Karras et al. 2022, with unit variance)
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.gaussian_sum import GaussianSum, gaussian_power
from mlrtma_dist.diffusion.noise import normal, uniform
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.linalg.noise import WORD
from mlrtma_dist.methods.about_analysis import AnalysisGuess, about_analysis
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.coarse_departures import CoarseGrid
from mlrtma_dist.methods.diffusion_reports import Departures, fitted_deviations, tempered
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import DiffusionSettings
from mlrtma_dist.methods.ensemble_answer import Batch, EnsembleAnswer
from mlrtma_dist.methods.field_method import FieldMethod
from mlrtma_dist.methods.learned import ContentsError, build_method, first_weights
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.posterior import Posterior
from mlrtma_dist.methods.registry import LEARNED, Means, build
from mlrtma_dist.methods.sample import Sample, without_data
from mlrtma_dist.methods.settings import Classical, load_settings
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.team import ALONE_IN_TEAM, Team
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.nn.denoiser import Denoiser
from mlrtma_dist.nn.folded import FoldedUNetConfig
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood

LEVEL, NOISE = range(2)  # steps of the noise of training


class DiffusionMethod(FieldMethod):
    """The method (`methods.learned.LearnedMethod`).

    Attributes:
        network: a `nn.denoiser.Denoiser`.
        statistics: the units of the network; None before they are gathered.
        signed: channels of the input that are no masks: all.
        sampling: how members are drawn; team: the ranks that draw them on the same tile.
        base: the method ``sampling.about``, where the background is an analysis; None: not made yet.
    """

    draws = True
    reads_reports = False
    sampling = Sampling()
    base: Method | None = None
    team = ALONE_IN_TEAM

    def __init__(self, settings: DiffusionSettings, statistics: Statistics | None = None):
        self.settings, self.statistics = settings, statistics
        self.signed = settings.backgrounds
        with first_weights(settings.seed):
            self.network = Denoiser(
                FoldedUNetConfig(
                    channels_out=settings.variables,
                    adds=False,
                    fold=settings.fold,
                    widths=settings.widths,
                    groups=settings.groups,
                    recompute=settings.recompute,
                ),
                conditions=settings.conditions,
            )

    def check(self, contents: Contents) -> None:
        """Raise ContentsError unless cases of these contents suit the network and its statistics."""
        super().check(contents)
        if contents.error != self.settings.of_analysis:
            have = "have" if contents.error else "have not"
            raise ContentsError(
                f"settings: background: {self.settings.background} does not suit cases of {contents.domain.name}, which"
                f" {have} the error of the background. Set settings.background=analysis for cases with the section"
                " analysis, else first_guess."
            )
        logarithms = [name for name in contents.variables if name in VARIABLES and VARIABLES[name].transform == "log"]
        if logarithms:
            raise ContentsError(
                f"method diffusion: expected variables whose departures have the variable's own unit, got"
                f" {', '.join(logarithms)}, whose departures are of logarithms. Leave them out of the store."
            )

    def drawing(self, sampling: Sampling, base: Method | None = None) -> "DiffusionMethod":
        """The method, which draws its members in this way from now on.

        Args:
            base: the method ``sampling.about``; None: it is made where it is needed, with the shipped settings.
        """
        self.sampling, self.base = sampling, base
        return self

    def weights_needed(self, sampling: Sampling) -> tuple[str, ...]:
        """Learned methods about whose analyses members are drawn in this way."""
        return (sampling.about,) if self.settings.of_analysis and sampling.about in LEARNED else ()

    def _about_analysis(self, case: Case, neighbourhood: Neighbourhood | None) -> Case:
        """The case about the analysis of its reports that the sampling names."""
        about = self.sampling.about
        if self.base is None:
            if about in LEARNED:
                raise InputError(
                    f"method diffusion: the weights of {about}, about whose analyses members are to be drawn, are not"
                    " loaded here. Set diffusion.about=threedvar."
                )
            self.base = build((about,), Means(self._shipped))[about]
        return about_analysis(case, self.base, about, self.variables, neighbourhood)

    def divided(self, team: Team) -> None:
        """Divide the members among the ranks of a team from now on."""
        self.team = team

    def encode(self, case: Case, draw: int = 0) -> Sample:
        """A case as a batch of one: the background as input, the departure of the truth from it as target.

        Args:
            draw: number of the noise.
        """
        sample = super().encode(case)
        target = sample.target
        conditions = [sample.inputs]
        if self.settings.backgrounds:
            target = (target - sample.inputs) / self.settings.background_deviation
        if self.settings.of_analysis:
            relative, deviation = self._errors(case)
            conditions.append(relative.log())
            target = target / deviation
        if self.settings.ground:
            conditions.append(self._ground(case))
        inputs = torch.cat(conditions, 1)
        seconds = case.time.astype("datetime64[s]").astype(np.int64)
        key = torch.tensor([[int(seconds) % WORD, draw % WORD]])
        return replace(sample, inputs=inputs, target=target, key=key)

    def _errors(self, case: Case) -> tuple[Tensor, Tensor]:
        """Errors of the background over their mean in training, and in units of the targets' deviations, shape
        (1, variable, y, x) each."""
        count = self.settings.variables
        error = torch.from_numpy(np.stack([case.background_error[name] for name in self.variables])[None])
        means, units = (
            torch.tensor(np.array(part), dtype=torch.float32)[:, None, None]
            for part in (self.statistics.mean[count : 2 * count], self.target_units[1])
        )
        return error / means, error / units

    @staticmethod
    def _ground(case: Case) -> Tensor:
        """Terrain in km, relief in units of 300 m and the land's share minus a half, shape (1, 3, y, x)."""
        static, box = case.static, case.box.slices
        terrain = static.terrain[box]
        fields = (terrain / 1000.0, (terrain - static.terrain_smooth[box]) / 300.0, static.land[box] - 0.5)
        return torch.from_numpy(np.stack(fields)[None].astype(np.float32))

    def without_data(self, shape: tuple[int, int], batch: int, dtype: torch.dtype) -> Sample:
        """See `methods.learned.LearnedMethod.without_data`."""
        plain = without_data(shape, (self.settings.conditions, self.settings.variables), batch, dtype)
        return replace(plain, key=torch.empty(batch, 2, dtype=torch.int64, device="meta"))

    def weight(self, sample: Sample) -> float:
        """Known target points of a sample on this tile, all channels, at all its noise levels."""
        return self.settings.levels * super().weight(sample)

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's points of the weighed squared error, a scalar, and its `weight`; never a mean."""
        target, levels = sample.target, self.settings.levels
        if sample.mask is not None:  # what is unknown may be NaN, whose gradient would be NaN even with weight 0
            target = torch.where(sample.mask > 0, target, 0.0)
        sigma = torch.cat(self._sigmas(sample.key)).to(target.dtype)
        box, channels = neighbourhood.box, target.shape[1]
        noise = torch.cat([normal(sample.key, box, channels, NOISE + number) for number in range(levels)])
        target, condition = (each.repeat(levels, 1, 1, 1) for each in (target, sample.inputs))
        level = sigma[:, None, None, None]
        output = self.network(target + level * noise.to(target.dtype), sigma, condition, neighbourhood)
        squares = (output - target).square() * (1.0 + level.square()) / level.square()
        if sample.mask is not None:
            squares = squares * sample.mask.repeat(levels, 1, 1, 1)
        return squares.sum(), self.weight(sample)

    def _sigmas(self, key: Tensor) -> list[Tensor]:
        """The noise levels of every case, evenly apart on the logarithm's range and as a whole anywhere on it."""
        low, high = (np.log(level) for level in (self.settings.sigma_min, self.settings.sigma_max))
        first, count = uniform(key, LEVEL), self.settings.levels
        return [(low + (high - low) * ((first + number / count) % 1.0)).exp() for number in range(count)]

    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> EnsembleAnswer:
        """Members of the posterior of a case of any source; see `methods.method.Method.analyse`.

        Raises:
            ContentsError: the case has no first guess, which is the condition.
            InputError: the sampling needs a covariance that the settings do not give.
        """
        if self.settings.backgrounds and case.first_guess is None:
            raise ContentsError(f"method diffusion: the case of {case.time} has no first guess, its condition")
        if self.settings.of_analysis:
            if not case.background_error:
                case = self._about_analysis(case, neighbourhood)
        elif case.first_guess is not None:  # evaluated on the grid once, not for every member
            case = replace(case, background={name: case.background_of(name) for name in self.variables})
        errors = self.assumed_errors(case)
        posterior, unit = self.posterior(case, errors, neighbourhood)
        sampling = posterior.ready_in_time(self.sampling, self.team)
        # where an analysis errs on the average is not to be learnt from other cases
        expected = posterior.expected() if self.settings.of_analysis else None
        coarse = self._coarse(case.domain)

        def batches() -> Iterator[Batch]:
            for numbers in self.team.batches(sampling.members, sampling.at_once):
                drawn, members = posterior.drawn(sampling, numbers), {}
                if expected is not None:
                    drawn = drawn - expected
                if coarse:
                    drawn = coarse.interpolated(drawn, case.box, self.settings.scales)
                departures = drawn.cpu().numpy()
                for number, name in enumerate(self.variables):
                    reference = case.background[name] if self.settings.backgrounds else self.target_units[0][number]
                    members[name] = (reference + departures[:, number] * unit[number]).astype(np.float32)
                yield numbers, members

        before = case.first_guess.before if isinstance(case.first_guess, AnalysisGuess) else None
        return EnsembleAnswer.of(case, sampling.members, batches(), errors, neighbourhood, self.team, before)

    def posterior(
        self, case: Case, errors: np.ndarray, neighbourhood: Neighbourhood | None = None
    ) -> tuple[Posterior, np.ndarray]:
        """The posterior of a case's departures, and their units, SI, shape (variable,), or (variable, y, x).

        Without a background they are departures from the mean of the cases that were trained on.
        """
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        device = next(self.network.parameters()).device
        condition = self.encode(case).inputs.to(device)
        if coarse := self._coarse(case.domain):  # small: each tile has the whole of it
            condition = coarse.gathered(condition[0], here)[None]
            here = Alone(coarse.shape, (False, False))
        unit = self.target_units[1] * (self.settings.background_deviation or 1.0)
        mean = None if self.settings.backgrounds else self.target_units[0]
        if self.settings.of_analysis:  # the reports are in it
            errors = np.full(len(errors), np.nan)
        reports = Departures.of(case, self.variables, unit, errors, mean)
        covariance = self.covariance(here)
        if self.settings.fit_variance and covariance is not None:
            factors = fitted_deviations(covariance, reports)
            if not case.domain.is_plane:  # again, so that a report that fits no other widens no deviation
                factors = factors * fitted_deviations(covariance, tempered(covariance, reports.scaled(factors)))
            unit, reports = unit * factors, reports.scaled(factors)
        if covariance is not None and not case.domain.is_plane:  # reports of the exercises are what they state
            reports = tempered(covariance, reports)

        def denoiser(noised: Tensor, sigma: float) -> Tensor:
            levels = noised.new_full((len(noised),), sigma)
            return self.network(noised, levels, condition.expand(len(noised), -1, -1, -1), here)

        levels = self.settings.sigma_min, self.settings.sigma_max
        if self.settings.of_analysis:
            error = np.stack([case.background_error[name] for name in self.variables])
            unit = self.settings.background_deviation * error
        return Posterior(denoiser, reports.to(device), here, covariance, levels, self.settings.variables), unit

    def _coarse(self, domain: Domain) -> CoarseGrid | None:
        """The points of a domain on which departures are drawn; None: all."""
        factor = round((self.settings.spacing or 0.0) / domain.spacing_metres)
        return CoarseGrid(domain.shape, factor) if factor > 1 else None

    def covariance(self, here: Neighbourhood) -> GaussianSum | None:
        """Of the departures about their mean given the background; None where the settings give none."""
        if not self.settings.scales:
            return None
        errors, fields = self.settings.scales, self.settings.field_scales
        power = gaussian_power(*np.transpose(errors))
        if fields:
            of_fields = gaussian_power(*np.transpose(fields))
            power = power * of_fields / (power + of_fields)
        longest = max(length for _, length in (*errors, *fields))
        return GaussianSum(np.tile(power, (self.settings.variables, 1)), longest, here.domain, here.periodic)

    @property
    def fields_read(self) -> int:
        """Fields of a stored case: backgrounds, their errors where they are conditions, and targets."""
        return super().fields_read + self.settings.variables * self.settings.of_analysis

    @cached_property
    def _shipped(self) -> Classical:
        """What comes with the classical methods, read once for all cases."""
        return load_settings("classical")

    def assumed_errors(self, case: Case) -> np.ndarray:
        """Standard deviation of the error of each report, analysis space, shape (n,): its own, else that of the
        shipped table; NaN where the report is not used."""
        errors = np.array(case.observations.error, dtype=np.float64)
        if not case.domain.is_plane:
            for name in self.variables:
                rows = (case.observations.variable == name) & ~np.isfinite(errors)
                own = self._shipped.variables.get(name)
                errors[rows] = own.observation_error if own else VARIABLES[name].error
        return np.where(case.used & np.isin(case.observations.variable, self.variables), errors, np.nan)


def build_diffusion(settings: Mapping[str, object], where: str) -> DiffusionMethod:
    """A diffusion assimilation with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(DiffusionMethod, DiffusionSettings, settings, where)
