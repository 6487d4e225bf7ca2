"""The analysis error: that of the method and the spread of the first guess together, at stations and on the grid.

Closed form for one report of error r on a plane, with a background error of variance b^2 and correlation rho, and a
first guess whose own spread is s (a regression's uncertain coefficients):

    a^2(p) = b^2 (1 - rho(p)^2 b^2 / (b^2 + r^2)),   error(p) = sqrt(a^2(p) + s^2(p))
"""

from dataclasses import dataclass

import numpy as np
import pytest

from mlrtma_dist.fields.static import make_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import PLANE, Domain, Size
from mlrtma_dist.grid.points import Points, plane_points
from mlrtma_dist.inference.analyse import at_reports
from mlrtma_dist.linalg.covariance import Component
from mlrtma_dist.methods import registry
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalMethod
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.settings import Classical, VariableSettings
from mlrtma_dist.observations.table import Observations

TIME = np.datetime64("2022-08-24T06:00:00")
VARIANCE, LENGTH, REPORT_ERROR = 2.25, 500e3, 0.6  # K2, m (beyond it the correlation is zero), K
STATIONS = ((8.0, 8.0), (8.0, 9.5), (29.0, 29.0))  # y, x in units of 40 km: analysed, withheld near it, withheld far
METHODS = ("oi", "threedvar")
SPACINGS = (40e3, 10e3)  # m; on the finer grid the error is computed at every fourth point only


@dataclass(frozen=True)
class UncertainGuess:
    """A first guess of 285 K whose spread grows eastward."""

    name: str = "regression"

    def mean(self, variable: str, points: Points) -> np.ndarray:
        return np.full(len(points), 285.0)

    def spread(self, variable: str, points: Points) -> np.ndarray:
        return 0.4 + 1e-6 * points.position[:, 0]


def analysed(method: str, spacing: float):
    """A case of one analysed report and two withheld ones, and the method's answer."""
    points = round(30 * 40e3 / spacing)
    domain = Domain("plane", "plane", PLANE, Size(points, points), spacing)
    static = make_static(domain, np.zeros(domain.shape), np.ones(domain.shape))
    reports = Observations.build(
        station=["analysed", "near", "far"],
        latitude=np.zeros(3),
        longitude=np.zeros(3),
        value=[287.0, 286.0, 284.0],
        time=TIME,
        variable="t2m",
    )
    used = np.array([True, False, False])
    place = np.array(STATIONS) * 40e3 / spacing
    case = Case(static, Box.whole(domain.shape), TIME, reports, used, ~used, UncertainGuess(), place=place)
    component = Component(VARIANCE, "askey", LENGTH)
    settings = Classical(
        neighbours=20, amplitude=False, variables={"t2m": VariableSettings(REPORT_ERROR, None, (component,))}
    )
    return case, ClassicalMethod(registry.METHODS[method].kind, settings, HourSettings(settings)).analyse(case)


def expected_error(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """The closed form at points, and its method's part a, shape (n,) each."""
    station = np.array([STATIONS[0][1], STATIONS[0][0], 0.0]) * 40e3
    distance = np.linalg.norm(points.position - station, axis=1)
    correlation = np.clip(1.0 - distance / LENGTH, 0.0, None) ** 4
    variance = VARIANCE * (1.0 - correlation**2 * VARIANCE / (VARIANCE + REPORT_ERROR**2))
    return np.sqrt(variance + UncertainGuess().spread("t2m", points) ** 2), np.sqrt(variance)


@pytest.mark.parametrize("method", METHODS)
def test_the_error_at_reports_holds_the_spread_of_the_first_guess(method):
    case, answer = analysed(method, SPACINGS[0])
    _, error = at_reports(case, answer, np.ones(3, dtype=bool))
    expected, without_spread = expected_error(case.points)
    np.testing.assert_allclose(error, expected, rtol=1e-5)
    assert (expected > 1.02 * without_spread).all()  # the test would notice if the spread were left out


@pytest.mark.parametrize("spacing", SPACINGS, ids=["every point", "every fourth point"])
@pytest.mark.parametrize("method", METHODS)
def test_the_error_field_holds_the_spread_of_the_first_guess(method, spacing):
    case, answer = analysed(method, spacing)
    field = answer.fields().error["t2m"]
    step = round(SPACINGS[0] / spacing)
    coarse = case.grid_points(slice(None, None, step), slice(None, None, step))
    expected, without_spread = (each.reshape(30, 30) for each in expected_error(coarse))
    np.testing.assert_allclose(field[::step, ::step], expected, rtol=1e-5)
    assert (expected > 1.02 * without_spread).all()


@pytest.mark.parametrize("method", METHODS)
def test_far_from_all_reports_the_error_is_that_of_background_and_first_guess_together(method):
    case, answer = analysed(method, SPACINGS[0])
    far = plane_points(case.domain, np.array([[29.0, 29.0]]))
    expected = np.sqrt(VARIANCE + UncertainGuess().spread("t2m", far) ** 2)
    _, error = answer.at("t2m", far)
    assert error == pytest.approx(expected, rel=1e-6)
    assert answer.fields().error["t2m"][29, 29] == pytest.approx(expected[0], rel=1e-6)
