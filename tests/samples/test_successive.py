"""Cases that follow others: those with every earlier state take part, the others are told or refused."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.crops import Boxes, Crops
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.store import Store
from mlrtma_dist.samples.successive import successive, with_earlier_states
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations

HOUR = np.timedelta64(3600, "s")
START = np.datetime64("2024-05-01T00:00:00", "s")
TWO = (2 * HOUR, HOUR)


def times(*hours: int) -> np.ndarray:
    return START + HOUR * np.array(hours)


def test_a_case_suits_whose_every_earlier_time_is_that_of_exactly_one_case():
    assert with_earlier_states(times(0, 1, 2, 3, 5, 6, 7), TWO).tolist() == [False] * 2 + [True] * 2 + [False] * 2 + [
        True
    ]
    twice = times(0, 1, 1, 2, 3, 4)  # which of two is the state an hour before 2 is not known
    assert with_earlier_states(twice, (HOUR,)).tolist() == [False, True, True, False, True, True]
    assert with_earlier_states(twice, ()).all()


def test_cases_without_earlier_states_are_left_out_with_one_line_and_in_any_order_of_times(caplog):
    numbers = successive(times(3, 1, 0, 2), TWO, "store s.h5")
    assert numbers.tolist() == [0, 3]
    (record,) = caplog.records
    assert record.getMessage() == (
        "store s.h5: 2 of 4 cases are left out, the first of 2024-05-01T00:00:00, as there is not one state each of"
        " 120, 60 minutes earlier"
    )
    caplog.clear()
    assert successive(times(3, 1, 0, 2), TWO, "s", first=False).tolist() == [0, 3]
    assert successive(times(0, 7), (), "s").tolist() == [0, 1] and not caplog.records
    assert successive(times(0, 1, 2), (HOUR,), "s", np.array([2])).tolist() == [2] and not caplog.records


def test_a_source_of_which_no_case_is_left_is_refused_with_the_way_out():
    with pytest.raises(
        InputError, match=r"s: none of 3 cases from 2024-05-01T00:00:00 to .*every: 1 or of runs .*, or set settings"
    ):
        successive(times(0, 7, 14), (HOUR,), "s")


def test_a_store_of_boxes_hour_by_hour_is_refused_by_methods_that_forecast_as_each_lies_in_another_place(tmp_path):
    source = SimulatedWeather(variables=("t2m",), start="2024-05-01T00:00", every=1, stations=Stations(random=5))
    section = CasesSection("toy", simulated_weather=source, count=3)
    method = LamMethod(LamSettings(widths=(8, 8), groups=4))
    with Ranks.start(device="cpu") as ranks:
        for name, boxes in (("whole", None), ("boxes", Boxes(24, 32))):
            build_store(tmp_path / f"{name}.h5", open_cases(replace(section, boxes=boxes)), ranks)
    whole, boxes = (Store(tmp_path / f"{name}.h5") for name in ("whole", "boxes"))
    method.check(whole.contents)
    assert with_earlier_states(boxes.time, (HOUR,)).tolist() == [False, True, True]  # their times would suit
    with pytest.raises(
        ContentsError, match=r"cases.boxes: expected null for method lam, .* \(24, 32\) points \(toy_24x32"
    ):
        method.check(boxes.contents)
    crops = Crops(whole, Boxes(24, 32))
    assert len({crops.box(number) for number in range(3)}) > 1  # this is why
