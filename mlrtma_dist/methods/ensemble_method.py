"""What methods that draw members of departures from a background by a network share.

    x = x_b + s d           x_b: the first guess of the case, or an analysis of its reports by another method

A method of this kind is trained on cases with truth, of each of which `encode` makes a sample: x_b (with its error,
where it is an analysis, and the ground) is the condition, d the target. `analyse` draws members of d given the reports
(`methods.posterior`) in batches, and makes an answer of them.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.gaussian_sum import GaussianSum, gaussian_power
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.linalg.noise import WORD
from mlrtma_dist.methods.about_analysis import AnalysisGuess, about_analysis
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.coarse_departures import CoarseGrid
from mlrtma_dist.methods.diffusion_reports import Departures, fitted_deviations, robust_deviations, tempered
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import DepartureSettings
from mlrtma_dist.methods.ensemble_answer import Batch, EnsembleAnswer
from mlrtma_dist.methods.field_method import FieldMethod
from mlrtma_dist.methods.ground_channels import ground_channels
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.posterior import Posterior
from mlrtma_dist.methods.registry import LEARNED, Means, build
from mlrtma_dist.methods.sample import Sample, without_data
from mlrtma_dist.methods.settings import Classical, load_settings
from mlrtma_dist.methods.team import ALONE_IN_TEAM, Team
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood
from mlrtma_dist.observations.indirect import IndirectTypes


class EnsembleMethod(FieldMethod):
    """The parts of a `methods.learned.LearnedMethod` that draws members.

    Attributes:
        name: of the registry, for messages.
        signed: channels of the input that are no masks: all.
        sampling: how members are drawn; team: the ranks that draw them on the same tile.
        base: the method ``sampling.about``, where the background is an analysis; None: not made yet.
        indirect: what the indirect types of shallow water are, whose reports are used, too; None: they are not.
    """

    name: str
    settings: DepartureSettings
    draws = True
    reads_reports = False
    sampling = Sampling()
    team = ALONE_IN_TEAM
    base: Method | None = None
    indirect: IndirectTypes | None = None

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
                f"method {self.name}: expected variables whose departures have the variable's own unit, got"
                f" {', '.join(logarithms)}, whose departures are of logarithms. Leave them out of the store."
            )

    def drawing(
        self, sampling: Sampling, base: Method | None = None, indirect: IndirectTypes | None = None
    ) -> "EnsembleMethod":
        """The method, which draws its members in this way from now on.

        Args:
            base: the method ``sampling.about``; None: it is made where it is needed, with the shipped settings.
            indirect: what indirect types are, whose reports are used, too.
        """
        self.sampling, self.base, self.indirect = sampling, base, indirect
        return self

    def divided(self, team: Team) -> None:
        """Divide the members among the ranks of a team from now on."""
        self.team = team

    def weights_needed(self, sampling: Sampling) -> tuple[str, ...]:
        """Learned methods about whose analyses members are drawn in this way."""
        return (sampling.about,) if self.settings.of_analysis and sampling.about in LEARNED else ()

    def encode(self, case: Case, draw: int = 0) -> Sample:
        """A case as a batch of one: the background as input, the departure of the truth from it as target.

        Args:
            draw: number of the noise.
        """
        sample = super().encode(case)
        target, conditions = sample.target, [sample.inputs]
        if self.settings.backgrounds:
            size = torch.from_numpy(self.settings.departures[:, None, None].astype(np.float32))
            target = (target - sample.inputs) / size
        if self.settings.of_analysis:
            relative, deviation = self._errors(case)
            conditions.append(relative.log())
            target = target / deviation
        if self.settings.ground:
            conditions.append(torch.from_numpy(ground_channels(case)[None]))
        seconds = case.time.astype("datetime64[s]").astype(np.int64)
        key = torch.tensor([[int(seconds) % WORD, draw % WORD]])
        return replace(sample, inputs=torch.cat(conditions, 1), target=target, key=key)

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

    @property
    def fields_read(self) -> int:
        """Fields of a stored case: backgrounds, their errors where they are conditions, and targets."""
        return super().fields_read + self.settings.variables * self.settings.of_analysis

    def without_data(self, shape: tuple[int, int], batch: int) -> Sample:
        """See `methods.learned.LearnedMethod.without_data`."""
        plain = without_data(shape, (self.settings.conditions, self.settings.variables), batch)
        return replace(plain, key=torch.empty(batch, 2, dtype=torch.int64, device="meta"))

    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> EnsembleAnswer:
        """Members of the posterior of a case of any source; see `methods.method.Method.analyse`.

        Raises:
            ContentsError: the case has no first guess, which is the condition.
            InputError: the sampling needs a covariance that the settings do not give.
        """
        if self.settings.backgrounds and case.first_guess is None:
            raise ContentsError(f"method {self.name}: the case of {case.time} has no first guess, its condition")
        if self.settings.of_analysis:
            if not case.background_error:
                case = self._about_analysis(case, neighbourhood)
        elif case.first_guess is not None:  # evaluated on the grid once, not for every member
            case = replace(case, background={name: case.background_of(name) for name in self.variables})
        errors = self.assumed_errors(case)
        posterior, unit = self.posterior(case, errors, neighbourhood)
        sampling = posterior.ready_in_time(self.sampling, self.team)
        # where an analysis errs on the average is not to be learnt from other cases
        expected = posterior.expected() if self.settings.of_analysis else 0.0
        coarse = self._coarse(case.domain)

        def batches() -> Iterator[Batch]:
            for numbers in self.team.batches(sampling.members, sampling.at_once):
                drawn, members = posterior.drawn(sampling, numbers) - expected, {}
                if coarse:
                    drawn = coarse.interpolated(drawn, case.box, self.settings.scales)
                departures = drawn.cpu().numpy()
                for number, name in enumerate(self.variables):
                    reference = case.background[name] if self.settings.backgrounds else self.target_units[0][number]
                    members[name] = (reference + departures[:, number] * unit[number]).astype(np.float32)
                yield numbers, members

        before = case.first_guess.before if isinstance(case.first_guess, AnalysisGuess) else None
        return EnsembleAnswer.of(case, sampling.members, batches(), errors, neighbourhood, self.team, before)

    def _about_analysis(self, case: Case, neighbourhood: Neighbourhood | None) -> Case:
        """The case about the analysis of its reports that the sampling names."""
        about = self.sampling.about
        if self.base is None:
            if about in LEARNED:
                raise InputError(
                    f"method {self.name}: the weights of {about}, about whose analyses members are to be drawn, are not"
                    " loaded here. Set diffusion.about=threedvar."
                )
            self.base = build((about,), Means(self._shipped))[about]
        return about_analysis(case, self.base, about, self.variables, neighbourhood)

    @abstractmethod
    def posterior(
        self, case: Case, errors: np.ndarray, neighbourhood: Neighbourhood | None = None
    ) -> tuple[Posterior, np.ndarray]:
        """The posterior of a case's departures, and their units, SI, shape (variable,), or (variable, y, x).

        Without a background they are departures from the mean of the cases that were trained on.

        Args:
            errors: standard deviation assumed of each report, analysis space, shape of the case's table.
        """

    def conditioned(self, case: Case, neighbourhood: Neighbourhood | None) -> tuple[Tensor, Neighbourhood]:
        """The condition of a case on the points on which departures are drawn, and the neighbourhood of these."""
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        condition = self.encode(case).inputs.to(next(self.network.parameters()).device)
        if coarse := self._coarse(case.domain):  # small: each tile has the whole of it
            return coarse.gathered(condition[0], here)[None], Alone(coarse.shape, (False, False))
        return condition, here

    def reports(
        self, case: Case, errors: np.ndarray, here: Neighbourhood
    ) -> tuple[Departures, GaussianSum | None, np.ndarray]:
        """The reports of a case, the covariance of its departures, and their units, as of `posterior`."""
        unit = self.target_units[1] * self.settings.departures
        mean = None if self.settings.backgrounds else self.target_units[0]
        if self.settings.of_analysis:  # the reports are in it
            errors = np.full(len(errors), np.nan)
        reports, covariance = Departures.of(case, self.variables, unit, errors, mean), self.covariance(here)
        if self.settings.fit_variance and covariance is not None:
            fitted = fitted_deviations if case.domain.is_plane else robust_deviations
            factors = fitted(covariance, reports)
            unit, reports = unit * factors, reports.scaled(factors)
        if covariance is not None and not case.domain.is_plane:  # reports of the exercises are what they state
            reports = tempered(covariance, reports)
        if self.settings.of_analysis:
            error = np.stack([case.background_error[name] for name in self.variables])
            unit = self.settings.departures[:, None, None] * error
        return reports, covariance, unit

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
