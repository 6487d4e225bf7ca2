"""Scores of forecast emulators: leads are whole steps, and states are found by their times."""

from types import SimpleNamespace

import numpy as np
import pytest
from benchmark_module import benchmark_module

from mlrtma_dist.grid.domain import Domain, Size

MINUTE = np.timedelta64(60, "s")


@pytest.fixture(scope="module")
def scores():
    return benchmark_module("lam_scores")


def test_leads_that_are_no_whole_steps_are_refused(scores):
    assert scores.steps_of([10, 60.0], 10) == [1, 6]
    for wrong in (4, 15, 0):
        with pytest.raises(ValueError, match=f"expected leads of whole steps of 10 minutes, got {wrong} minutes"):
            scores.steps_of([10, wrong], 10)


def test_a_lead_is_compared_with_the_state_of_its_time_where_the_store_has_others_between(scores, monkeypatch):
    """Persistence of a field that grows by one a minute errs by the minutes of the lead."""
    minutes = np.arange(0, 120, 10)
    time = np.datetime64("2000-01-01T00:00:00") + minutes * MINUTE
    values = np.broadcast_to(minutes[:, None, None, None] * 1.0, (len(time), 1, 4, 4))
    series = scores.Series(time, values)
    domain = Domain("part", "part", "plane", Size(4, 4), spacing=1.0)
    method = SimpleNamespace(step=20 * MINUTE, settings=SimpleNamespace(rim=0))
    monkeypatch.setattr(scores, "emulated", lambda *each: np.zeros((len(each[2]), 2, 1, 4, 4)))
    store = SimpleNamespace(domain=domain, time=time)
    result = scores.scores_of(method, store, series, series, [1, 2], 60 * MINUTE)
    for step in (1, 2):
        np.testing.assert_allclose(result.squares["persistence", step], (20.0 * step) ** 2)
