"""Cases of a run: emulators of another grid spacing are warned of, and some variables of a store are analysed."""

from types import SimpleNamespace

import numpy as np
import pytest
from gridded_fields import WHOLE, opened, section, write

from jobs import analyse, cases_input
from jobs.inputs import prepare, start_ranks
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.sources import CasesSection, StoreSection
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


def test_some_variables_of_a_store_are_analysed_and_the_reports_of_all_are_judged(tmp_path):
    write(tmp_path / "f.nc")
    cases = opened(CasesSection("toy", gridded=section(tmp_path / "f.nc")))
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "store.h5", cases, ranks)
    stored = CasesSection(store=StoreSection(str(tmp_path / "store.h5")))
    run = SimpleNamespace(settings="classical", variables=("t2m",), checkpoint=None, cases=stored)
    settings, limited, _ = cases_input.open_run(run, ("threedvar",))
    case = limited.case(0, WHOLE)
    assert tuple(settings.variables) == case.variables == ("t2m",)
    assert case.used[case.observations.variable == "visibility"].any()


def test_warnings_of_a_run_are_not_repeated_when_its_cases_are_opened(tmp_path, caplog):
    cases = CasesSection("toy", gridded=section(write(tmp_path / "f.nc")))
    run = analyse.Run(cases, "o", method="oi", checkpoint="somewhere")
    assert "checkpoint: without effect" in caplog.text
    caplog.clear()
    with start_ranks(run, ("oi",)) as ranks:
        assert len(prepare(run, ("oi",), ranks).cases.time) == 1
    assert "without effect" not in caplog.text
