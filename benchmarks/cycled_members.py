"""Claim: cycled by itself, the diffusion assimilation stays calibrated: each analysis is the next hour's background.

    python benchmarks/cycled_members.py --world puerto_rico    24 hours of simulated weather, scored by the known truth
    python benchmarks/cycled_members.py --world metar          14 hours of 2026-08-22, scored at a tenth of the stations

The first hour of the simulated weather begins with its simulated background, that of the real hours with a regression
on the reports. The analysis of an hour is the first guess of the next one: with what the simulated model changes from
hour to hour; of the real hours, which have no model, half of it, the rest is a regression on the reports, as in
the cycle. Every hour 3D-Var with the shipped settings analyses the reports, and 20 members are drawn about it with the
weights that come with the software; 3D-Var with the error that it expects is beside them. The real hours are on a box
of ``conus_20km``; a tenth of the stations is withheld at all hours. They are hours that train networks of the software,
but not this one's. What stations have put into the analysis before is taken out before their reports tell of its error
(`methods.error_calibration`), as in the cycle; with ``--plain`` it is not. With ``--handed mean`` the members' mean is
handed on in place of the analysis. Printed are
temperature by hour, then every variable over all hours, the ratio of CRPS with its 95 % interval, for which hours are
drawn.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from accuracy_data import OneTime

from mlrtma_dist.config import data_root
from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain, Size, load_domain
from mlrtma_dist.inference.analyse import at_reports
from mlrtma_dist.methods.about_analysis import about_analysis
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.error_calibration import influence_of
from mlrtma_dist.methods.method import ALONE
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.methods.wind import WIND
from mlrtma_dist.observations.own_influence import OwnInfluence
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations
from mlrtma_dist.verification.bootstrap import interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_of_matches
from mlrtma_dist.verification.distribution_scores import sums_of_gaussians, sums_of_members
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match, scored_rows
from mlrtma_dist.weights.trained import load_released

VARIABLES = ("t2m", "d2m", "u10", "v10")
BAR, MEMBERS = "3D-Var", "members"
WAYS = (BAR, MEMBERS)
THINNED = 4  # points of rows and columns to one that is scored
SIMULATED_HOURS, START, STATIONS, SHIPS, SEED = 24, "2023-02-01T00:00", 60, 20, 11
REAL = "metar_20260822/metar_20260822T03-18Z.csv.gz"
REAL_TIMES = np.datetime64("2026-08-22T04:00", "s") + np.arange(14) * np.timedelta64(3600, "s")
CENTRE = Size(100, 80)  # points of the box of conus_20km, about its middle
WITHHELD, WINDOW, SHARE = 10, np.timedelta64(1800, "s"), 0.5
HANDED = ("analysis", "mean")  # about which members are drawn; of the members
SUMS = 4  # CRPS, squared error, variance, number

Guess = GriddedFirstGuess | None


@dataclass(frozen=True)
class SimulatedHours:
    """Hours of simulated weather that follow each other; scored at grid points.

    Attributes:
        domain: name; with_model: whether analyses are carried on by what the simulated model changes from hour to hour.
    """

    domain: str
    with_model: bool = True
    share: ClassVar[float] = 1.0  # of the analysis before in the first guess

    @cached_property
    def source(self):
        """The hours, one after the other."""
        world = SimulatedWeather(VARIABLES, START, 1, Stations(random=STATIONS, ships=SHIPS), seed=SEED)
        return world.on(load_domain(self.domain), 0, SIMULATED_HOURS)

    @cached_property
    def settings(self) -> Classical:
        """The shipped settings with the observation errors of the simulated reports, which err more than real ones."""
        settings, table = load_settings("classical", VARIABLES), self.source.reports(0)
        variables = {}
        for name, own in settings.variables.items():
            alike = WIND if name in WIND else (name,)
            error = table.error[np.isin(table.variable, alike)]
            variables[name] = replace(own, observation_error=float(np.sqrt(np.mean(np.square(error)))))
        return replace(settings, variables=variables)

    @property
    def time(self) -> np.ndarray:
        """Of the hours."""
        return self.source.time

    def case(self, number: int, guess: Guess, influence: OwnInfluence | None = None) -> Case:
        """An hour with the analysis before it and the model's change since as first guess.

        The first one has the model's own field.

        Args:
            influence: of stations on the analysis before.
        """
        whole, judge = Box.whole(self.source.static.domain.shape), Judge(assumptions(self.settings), WINDOW)
        case = self.source.case(number, whole)
        if guess is None:
            return judge.again(case)
        values = dict(guess.state.values)
        if self.with_model:
            before = self.source.case(number - 1, whole).background
            values = {name: field + case.background[name] - before[name] for name, field in values.items()}
            make_consistent(values, frozenset(VARIABLES))
        state = replace(guess.state, time=self.time[number], values=values)
        own = None if influence is None else influence.of(case.observations)
        first_guess = GriddedFirstGuess(state, state.origin)
        return judge.again(replace(case, first_guess=first_guess, background={}, influence=own))

    def sums(self, about: Case, answer) -> np.ndarray:
        """Sums of 3D-Var and of the members, shape (way, variable, SUMS)."""
        every, sums = slice(None, None, THINNED), np.empty((len(WAYS), len(VARIABLES), SUMS))
        for number, name in enumerate(VARIABLES):
            truth, members = about.truth[name][every, every], answer.members[name][:, every, every]
            value, error = (each[name][every, every] for each in (about.background, about.background_error))
            for way, own, mean in (
                (0, sums_of_gaussians(value, error, truth), value),
                (1, sums_of_members(members, truth), members.mean(0)),
            ):
                sums[way, number] = own[0], np.square(mean - truth).sum(dtype=np.float64), own[1], own[2]
        return sums


class RealHours:
    """Hours of METAR; scored at the stations withheld."""

    share = SHARE  # of the analysis before in the first guess

    def __init__(self):
        whole = load_domain("conus_20km")
        first = [(size - own) // 2 for size, own in ((whole.size.y, CENTRE.y), (whole.size.x, CENTRE.x))]
        latitude, longitude = (each[0, 0] for each in whole.latitude_longitude(*(slice(n, n + 1) for n in first)))
        corner = replace(whole.corner, latitude=float(latitude), longitude=float(longitude))
        self.static = load_static(replace(whole, name="centre_20km", corner=corner, size=CENTRE))
        self.settings = load_settings("classical", VARIABLES)
        file = str(data_root() / REAL)
        self.table = Reports((file,), time=(str(REAL_TIMES[0]),), mapping="metar_world_csv").table
        self.table = self.table[self.static.domain.contains(self.table.latitude, self.table.longitude, 300e3)]
        self.time = REAL_TIMES

    def case(self, number: int, guess: Guess, influence: OwnInfluence | None = None) -> Case:
        """An hour with the analysis before it as first guess; the first one with a regression on its reports."""
        table = self.table[np.abs(self.table.time - self.time[number]) <= WINDOW]
        judge = Judge(assumptions(self.settings), WINDOW, background_share=SHARE, influence=influence)
        return OneTime(table, self.time[number], judge, None, self.static, guess).whole(
            folds(table, count=WITHHELD, seed=0) == 0
        )

    def sums(self, about: Case, answer) -> np.ndarray:
        """As of `SimulatedHours.sums`; the variance is that of a report about the mean."""
        rows, assumed = scored_rows(about, False), assumptions(self.settings)
        answers = about.first_guess.answer, answer
        sums = np.empty((len(WAYS), len(VARIABLES), SUMS))
        for way, own in enumerate(answers):
            table = match(WAYS[way], about, own, rows, ALONE, 0, assumed)
            for number, name in enumerate(VARIABLES):
                sums[way, number] = _sums(table.select(variable=name))
        return sums


def _sums(table: Matches) -> np.ndarray:
    table = table.select(table.scored)
    return np.array(
        [crps_of_matches(table).sum(), np.square(table.error).sum(), np.square(table.deviation).sum(), len(table)]
    )


def cycled(world, members: int, handed: str, plain: bool = False) -> Iterator[np.ndarray]:
    """Analyse one hour after the other; yields the sums of each.

    Args:
        members: drawn in each hour; handed: what is the next hour's background, one of ``HANDED``.
        plain: errors are as the settings of the hour give them.
    """
    domain: Domain = world.case(0, None).domain
    threedvar = build(("threedvar",), Means(world.settings))["threedvar"]
    method = load_released(["diffusion"], domain)["diffusion"]
    method.settle(domain)
    method = method.drawing(Sampling(members=members))
    guess: Guess = None
    influence: OwnInfluence | None = None
    for number, moment in enumerate(world.time):
        began = time.perf_counter()
        case = world.case(number, guess, influence)
        about = about_analysis(case, threedvar, "threedvar", VARIABLES)
        answer = method.analyse(about)
        classical = about.first_guess.answer
        fields, on = (about.background, classical) if handed == "analysis" else (answer.fields().values, answer)
        if not plain:
            earlier = None if influence is None else replace(influence, influence=world.share * influence.influence)
            influence = influence_of(case, at_reports(case, on, case.used)[0], classical.others, earlier)
        values = {name: np.asarray(fields[name], np.float32) for name in VARIABLES}
        state = State(domain, moment, values, case.static.terrain, "analysis of the hour before")
        guess = GriddedFirstGuess(state, state.origin)
        yield world.sums(about, answer)
        print(f"{moment}: {int(case.used.sum())} reports, {time.perf_counter() - began:.0f} s", flush=True)


def print_hours(times: np.ndarray, sums: np.ndarray) -> None:
    """The table of temperature by hour; sums: shape (hour, way, variable, SUMS)."""
    print("\n| hour, UTC | n | rmse of the mean, K | of 3D-Var | CRPS, K | of 3D-Var | spread / error | of 3D-Var |")
    print("|---|---|---|---|---|---|---|---|")
    for moment, own in zip(times, sums, strict=True):
        crps, square, variance, count = np.moveaxis(own[:, 0], -1, 0)
        columns = np.sqrt(square / count), crps / count, np.sqrt(variance / square)
        cells = [f"{each[way]:.3f}" for each in columns[:2] for way in (1, 0)]
        cells += [f"{columns[2][way]:.2f}" for way in (1, 0)]
        print(f"| {str(moment)[11:16]} | {int(count[0]):,} | {' | '.join(cells)} |")


def print_variables(sums: np.ndarray) -> None:
    """The table of all hours, with intervals of the ratio of CRPS for which hours are drawn."""
    print("\n| variable | n | rmse of the mean | of 3D-Var | CRPS | of 3D-Var | ratio | spread / error | of 3D-Var |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number, name in enumerate(VARIABLES):
        own = sums[:, :, number]
        crps, square, variance, count = np.moveaxis(own.sum(0), -1, 0)
        drawn = resampled_sums(own[:, ::-1, 0], seed=0)
        low, high = interval(ratio_of_sums(drawn, 0, 1), len(sums))
        cells = [f"{each[way]:.3f}" for each in (np.sqrt(square / count), crps / count) for way in (1, 0)]
        cells += [f"{crps[1] / crps[0]:.3f} ({low:.3f}, {high:.3f})"]
        cells += [f"{np.sqrt(variance[way] / square[way]):.2f}" for way in (1, 0)]
        print(f"| {name} | {int(count[0]):,} | {' | '.join(cells)} |")


def main() -> None:
    """Cycle; print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", choices=("puerto_rico", "metar"), required=True)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--handed", choices=HANDED, default=HANDED[0], help="on to the next hour")
    parser.add_argument("--plain", action="store_true", help="errors as the settings of the hour give them")
    parser.add_argument("--hours", type=int, help="the first ones alone")
    parser.add_argument("--persistence", action="store_true", help="of puerto_rico: no model carries the analyses on")
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = RealHours() if options.world == "metar" else SimulatedHours(options.world, not options.persistence)
    sums = []
    for own in cycled(world, options.members, options.handed, options.plain):
        sums.append(own)
        if len(sums) == options.hours:
            break
    print_hours(world.time[: len(sums)], np.array(sums))
    print_variables(np.array(sums))


if __name__ == "__main__":
    main()
