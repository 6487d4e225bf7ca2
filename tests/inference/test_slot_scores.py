"""Scores of a slot: its sums are those of the departures of the reports themselves, used and withheld."""

import numpy as np
import pytest

from mlrtma_dist.inference.analyse import analyse, at_reports
from mlrtma_dist.inference.slot_scores import biases, rms, sums_of
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.withhold import withhold


def test_sums_are_those_of_departures_from_first_guess_and_analysis(toy):
    settings = toy.settings("t2m", "d2m")
    case = toy.case(settings, withheld=withhold(toy.world.observations, fraction=0.3, seed=2))
    answer = toy.answer(case, "oi", settings)
    sums = sums_of(case, answer, analyse(case, answer, "oi"))
    chosen = {"used": case.used, "withheld": case.withheld & verifiable(case.observations, case.departure)}
    for kind, rows in chosen.items():
        analysed, _ = at_reports(case, answer, rows)
        for name in ("t2m", "d2m"):
            own = rows & (case.observations.variable == name)
            b, a = case.departure[own], (case.value - analysed)[own]
            assert sums[kind][name][0] == len(b) > 30
            assert rms(np.array(sums[kind][name])) == pytest.approx([np.sqrt(np.mean(each**2)) for each in (b, a)])
            assert biases(np.array(sums[kind][name])) == pytest.approx([b.mean(), a.mean()], rel=1e-5)
    assert rms(np.array(sums["used"]["t2m"]))[1] < rms(np.array(sums["withheld"]["t2m"]))[1]  # it was drawn to them
    assert np.isnan(rms(np.zeros(5))).all() and np.isnan(biases(np.zeros(5))).all()
