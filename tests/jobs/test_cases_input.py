"""Cases of emulators: weights of another grid spacing are warned of, as `mlrtma forecast` does."""

from types import SimpleNamespace

import numpy as np
import pytest

from jobs import cases_input
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.weights.release import released
from mlrtma_dist.weights.trained import load_trained


@pytest.mark.parametrize(
    ("method", "domain", "warned"), [("lam", "conus", True), ("lam", "plains_20km", False), ("vit", "conus", False)]
)
def test_an_emulator_that_analyses_at_another_spacing_is_warned_of(monkeypatch, caplog, method, domain, warned):
    taken = []
    monkeypatch.setattr(cases_input.Successive, "of", lambda *arguments: taken.append(arguments))
    cases = SimpleNamespace(contents=SimpleNamespace(domain=load_domain(domain)))
    trained = load_trained(released(method))
    trained.settle(cases.contents.domain, f"method {method}")
    cases_input.forecastable(cases, {method: trained}, True)
    ((_, lags, _, _),) = taken
    assert bool(lags) == (method == "lam") and all(lag > np.timedelta64(0) for lag in lags)
    assert ("method lam" in caplog.text and "conus has 2.54 km" in caplog.text) == warned == bool(caplog.text)
