"""Cases about analyses of their reports: what a store keeps of them, and the size of the errors."""

import numpy as np
import pytest

from mlrtma_dist import config
from mlrtma_dist.config import ConfigError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.regression_guess import on_regression
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.store import Store

SECTION = """
domain: toy
count: 2
simulated_weather: {variables: [t2m, u10], stations: {random: 60}, seed: 3}
analysis: {method: threedvar, shares: [1.0, 0.25]}
"""


@pytest.fixture(scope="module")
def cases():
    return open_cases(config.build(CasesSection, config.parse_yaml(SECTION, "test"), "test"))


def whole(cases) -> Box:
    return Box.whole(cases.contents.domain.shape)


def test_the_background_is_the_analysis_of_the_reports_alone(cases):
    case, source = cases.case(0, whole(cases)), cases.source.case(0, whole(cases))
    method = build(["threedvar"], Means(load_settings("classical", ("t2m", "u10"))))["threedvar"]
    expected = method.analyse(on_regression(source, ("t2m", "u10"))).fields()
    for name in ("t2m", "u10"):
        np.testing.assert_array_equal(case.background[name], expected.values[name])
        ratio = case.background_error[name] / expected.error[name]
        np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-5)  # one factor, whose size the truth gives
        departure = (source.truth[name] - case.background[name]) / case.background_error[name]
        assert np.sqrt(np.mean(departure.astype(float) ** 2)) == pytest.approx(1.0, rel=1e-4)


def test_a_share_of_the_stations_is_used_and_a_box_is_a_part_of_the_whole(cases):
    stations = [len(set(cases.case(number, whole(cases)).observations.station)) for number in range(2)]
    reporting = len(set(cases.source.case(1, whole(cases)).observations.station))
    assert stations[1] == round(0.25 * reporting) < stations[0]
    box = Box(3, 20, 5, 30)
    part, all_of_it = cases.case(1, box), cases.case(1, whole(cases))
    for group in ("background", "background_error", "truth"):
        for name, field in getattr(part, group).items():
            np.testing.assert_array_equal(field, getattr(all_of_it, group)[name][box.slices])


def test_a_store_keeps_the_errors_between_backgrounds_and_truths(cases, tmp_path):
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "s.h5", cases, ranks, edge=16)
    store = Store(tmp_path / "s.h5")
    assert store.contents == cases.contents and store.contents.error
    assert store.contents.fields[2:4] == ("error_t2m", "error_u10")
    stored, case = store.case(1, whole(cases)), cases.case(1, whole(cases))
    for group in ("background", "background_error", "truth"):
        for name, field in getattr(case, group).items():
            np.testing.assert_array_equal(getattr(stored, group)[name], field.astype(np.float32))
    assert len(stored.observations) == len(case.observations)


def test_other_sources_and_impossible_shares_are_refused():
    for text, message in (
        ("{count: 2, gaussian_plane: {}, analysis: {}}", "analysis: expected null for cases of other sources"),
        (SECTION.replace("0.25", "1.5"), r"expected shares above 0 and up to 1, and seed >= 0, got \(1.0, 1.5\)"),
    ):
        with pytest.raises(ConfigError, match=message):
            config.build(CasesSection, config.parse_yaml(text, "test"), "test")
