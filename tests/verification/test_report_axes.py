"""Axes of the report: readable ticks of logarithmic scales, bars with labels, legends that cover nothing."""

import re

import matplotlib
import numpy as np
import pytest

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification import report_events, report_trend
from mlrtma_dist.verification.event_scores import score_events
from mlrtma_dist.verification.match import BELOW, Matches
from mlrtma_dist.verification.report_axes import STYLE, label_decades, legend_above, new_axes
from mlrtma_dist.verification.report_figures import error_map, histogram, scatter
from mlrtma_dist.verification.report_words import PER_CENT, Unit, Wording
from mlrtma_dist.verification.trend import errors_of, trend


def matches_of(name: str, low: float, high: float, count: int = 400) -> Matches:
    random = np.random.default_rng(4)
    observation = random.uniform(low, high, count)
    return Matches.build(
        method="oi",
        variable=name,
        station=[f"S{number}" for number in range(count)],
        latitude=random.uniform(30, 45, count),
        longitude=random.uniform(-110, -90, count),
        observation=observation,
        prediction=observation + random.normal(size=count),
    )


def words(svg: str) -> list[str]:
    """The texts of a figure."""
    return [re.sub(r"<[^>]*>", "", text).strip() for text in re.findall(r"<text.*?</text>", svg, flags=re.DOTALL)]


@pytest.mark.parametrize(
    ("ends", "labels"),
    [
        ((0.09, 21.0), ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20"]),
        ((1.0, 2.0), ["1", "2"]),
        ((1.0, 37.0), ["1", "2", "5", "10", "20"]),
        ((0.8, 20000.0), ["1", "10", "100", "1,000", "10,000"]),
    ],
)
def test_a_logarithmic_axis_has_plain_numbers_at_round_values(ends, labels):
    _, axes = new_axes("x", "y")
    axes.set(xscale="log", xlim=ends)
    label_decades(axes.xaxis)
    assert [label.get_text() for label in axes.get_xticklabels()] == labels
    np.testing.assert_allclose(axes.get_xticks(), [float(label.replace(",", "")) for label in labels])
    assert len(axes.xaxis.get_minorticklocs()) == 0


@pytest.mark.parametrize("name", ["visibility", "ceiling"])
def test_what_is_analysed_as_a_logarithm_is_shown_on_axes_of_plain_numbers(name):
    low, high = np.log(VARIABLES[name].valid)
    texts = words(scatter(matches_of(name, low, high), Wording()))
    assert texts.count("1") >= 2 and texts.count("10") >= 2 and not any("10^" in text or "$" in text for text in texts)
    assert ("observed, km (20: no limit)" in texts) == (name == "ceiling")


@pytest.mark.parametrize("count", [1, 400])
def test_the_bar_of_counts_has_a_label_and_numbers(count):
    texts = words(scatter(matches_of("t2m", 270.0, 271.0, count), Wording()))
    bar = texts[texts.index("analysed, °C") + 1 :]
    assert bar[-1] == "observations" and bar[:2] == ["1", "2"]


def test_the_bar_of_an_error_map_has_the_minus_sign_of_the_axes():
    texts = words(error_map(matches_of("t2m", 270.0, 290.0), Wording()))
    assert "analysis minus observation, K" in texts
    assert "−1" in texts and not any(re.fullmatch(r"-\d.*", text) for text in texts)


def test_legends_stand_above_what_they_name():
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("x", "y")
        for method in ("Gaussian weights 1.04", "first guess 1.38", "nearest station 1.28", "3D-Var and OI 1.13"):
            axes.plot([0, 1], [0, 1], label=method)
        legend_above(axes, "rmse, K")
        figure.canvas.draw()
        legend = axes.get_legend().get_window_extent()
        frame = axes.get_window_extent()
        assert frame.y1 <= legend.y0 + 1.0 and legend.y1 <= figure.bbox.y1 and legend.x1 <= figure.bbox.x1
        assert axes.get_position().height > 0.5


def test_methods_that_are_one_line_share_a_name_in_the_legend():
    wording = Wording().together({"oi": ("oi", "threedvar")})
    texts = words(histogram(matches_of("t2m", 270.0, 290.0), {"oi": "#000000"}, wording))
    assert any(text.startswith("OI and 3D-Var") for text in texts)


@pytest.mark.parametrize(
    ("unit", "value", "sign", "text"),
    [
        (Unit("K", 1.0, 2), -0.004, True, "0.00"),
        (Unit("K", 1.0, 2), -0.004, False, "0.00"),
        (Unit("K", 1.0, 2), 0.004, True, "0.00"),
        (Unit("hPa", 0.01, 2), -0.6, True, "−0.01"),
        (Unit("K", 1.0, 2), 0.006, True, "+0.01"),
        (PER_CENT, -0.004, False, "0"),
        (PER_CENT, -0.06, False, "−6"),
        (Unit("K", 1.0, 2), np.nan, True, "–"),
    ],
)
def test_zero_has_no_sign(unit, value, sign, text):
    assert unit.show(value, sign=sign) == text


@pytest.fixture
def drawn_axes(monkeypatch):
    """The axes of every figure that a section of events or of times draws."""
    axes = []

    def new(*labels):
        axes.append(new_axes(*labels)[1])
        return axes[-1].figure, axes[-1]

    for section in (report_events, report_trend):
        monkeypatch.setattr(section, "new_axes", new)
    return axes


def assert_one_line_of_two_methods(axes, lines: int) -> None:
    """OI and 3D-Var share a line and its name, and the legend stands above the axes."""
    labelled = axes.get_legend_handles_labels()[1]
    assert len(labelled) == lines and labelled.count("OI and 3D-Var") == 1
    axes.figure.canvas.draw()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1.0


def three_methods(variable: str, **columns) -> Matches:
    """OI and 3D-Var a hundredth of their error apart, Gaussian weights far from both."""
    random = np.random.default_rng(6)
    truth, count = random.uniform(0.0, 1.0, 2000), 2000
    tables = []
    for method, shift in (("gaussian_weights", 0.3), ("oi", 0.0), ("threedvar", 0.001)):
        probability = np.clip(truth + shift, 0.0, 1.0)
        tables.append(
            Matches.build(
                method=method,
                variable=variable,
                station=[f"S{number}" for number in range(count)],
                observation=np.log(np.where(np.random.default_rng(7).uniform(size=count) < truth, 500.0, 9000.0)),
                prediction=np.log(np.where(probability > 0.5, 500.0, 9000.0)) + shift,
                **dict.fromkeys(BELOW, probability),
                **columns,
            )
        )
    return Matches.concatenate(tables)


def test_methods_of_one_probability_are_one_line_below_their_legend(drawn_axes):
    table = three_methods("ceiling")
    report_events.events_section(table, score_events(table), [], Wording())
    assert_one_line_of_two_methods(drawn_axes[0], lines=2)


def test_methods_that_predict_alike_are_one_line_through_time(drawn_axes):
    hours = np.datetime64("2022-08-24T00", "s") + np.arange(2000) % 5 * np.timedelta64(3600, "s")
    table = three_methods("ceiling", time=hours, domain="conus")
    report_trend.trend_section(table, trend(errors_of(table), table.methods), Wording())
    assert_one_line_of_two_methods(drawn_axes[0], lines=2)
