"""Steps of a forecast as products have them: members that an atmosphere can have, their mean and their spread."""

from types import SimpleNamespace

import numpy as np
from lam_cases import SHAPE, case_of, states
from moving_states import HOUR

from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.inference.forecast import forecast


def test_no_member_of_a_forecast_has_a_dew_point_above_its_temperature():
    generator = np.random.default_rng(1)
    drawn = {name: (280.0 + generator.normal(size=(6, *SHAPE))).astype(np.float32) for name in ("t2m", "d2m")}
    raised = {name: each.copy() for name, each in drawn.items()}
    method = SimpleNamespace(members=lambda *arguments: iter([raised]), count=6, step=HOUR)
    section = EnsembleSection(members=True)
    ((_, analysis),) = forecast(case_of(states(3), 2), method, "lam_one_pass", 1, lambda time: None, ensemble=section)
    expected = {"t2m": drawn["t2m"], "d2m": np.minimum(drawn["d2m"], drawn["t2m"])}
    assert (drawn["d2m"] > drawn["t2m"]).mean() > 0.4
    for name, members in expected.items():
        np.testing.assert_array_equal(analysis.distribution.members[name], members)
        np.testing.assert_allclose(analysis.values[name], members.mean(0, dtype=np.float64), rtol=1e-7)
        np.testing.assert_allclose(analysis.error[name], members.std(0, ddof=1), rtol=1e-4)
