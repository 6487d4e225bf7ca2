"""Figures of one case: the colour scale fits the field."""

import numpy as np
import pytest
from matplotlib.image import imread

from mlrtma_dist.verification.case_figure import CaseShown, draw_case, draw_errors


@pytest.mark.parametrize("mean", [0.0, 285.0], ids=["anomaly", "temperature in kelvin"])
def test_a_field_far_from_zero_uses_the_whole_colour_scale(tmp_path, mean):
    generator = np.random.default_rng(4)
    truth = mean + generator.normal(size=(1, 40, 40))
    analyses = {"first guess": truth + 1.0, "OI": truth + 0.1}
    place = generator.uniform(0, 39, (12, 2))
    case = CaseShown(("t2m",), ("K",), truth, analyses, (place,), (np.full(12, mean),), "one case")
    draw_case(tmp_path / "case.png", case, "first guess", "OI")
    draw_errors(tmp_path / "errors.png", case)
    red, _, blue, _ = np.moveaxis(imread(tmp_path / "case.png"), 2, 0)
    truth_panel = slice(None), slice(0, red.shape[1] // 5)
    difference = (red - blue)[truth_panel]
    assert difference.min() < -0.3 and difference.max() > 0.3  # both ends of the scale, blue and red
    assert imread(tmp_path / "errors.png").shape[2] == 4
