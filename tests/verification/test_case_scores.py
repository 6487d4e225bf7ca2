"""Scores of single cases: the table has the closed form of constant errors, and a release reads it back by time."""

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.case_scores import scores_by_time, write_case_scores
from mlrtma_dist.verification.field_scores import sums_of

TIME = np.array(["2026-08-18T00:00:00", "2026-08-18T01:00:00"], "datetime64[s]")
NAMES = ("t2m", "u10")


def sums(*errors: float) -> np.ndarray:
    """Of two cases and two variables, whose error is one number at every point of each."""
    error = np.reshape(errors, (2, 2, 1, 1)) * np.ones((1, 1, 3, 4))
    error[..., ::2] *= -1.0  # half the points err to either side
    return sums_of(280.0 + error, np.full(error.shape, 280.0))


def test_the_rmse_of_each_case_is_that_of_its_own_points_and_comes_back_by_time(tmp_path):
    path = tmp_path / "case_scores.csv"
    write_case_scores(path, {"lam": sums(1.0, 2.0, 3.0, 4.0), "oi": sums(9.0, 9.0, 9.0, 9.0)}, NAMES, TIME)
    scores = scores_by_time(path, "lam")
    assert scores == {
        "2026-08-18T00:00:00": {"t2m": {"points": 12, "rmse": 1.0}, "u10": {"points": 12, "rmse": 2.0}},
        "2026-08-18T01:00:00": {"t2m": {"points": 12, "rmse": 3.0}, "u10": {"points": 12, "rmse": 4.0}},
    }
    header, first = path.read_text().splitlines()[:2]
    assert header == "case,time,method,variable,points,bias,rmse"
    assert first.startswith("0,2026-08-18T00:00:00,lam,t2m,12,") and float(first.split(",")[5]) == pytest.approx(0.0)


def test_tables_that_state_no_score_of_a_time_are_refused(tmp_path):
    path = tmp_path / "case_scores.csv"
    write_case_scores(path, {"lam": sums(1.0, 2.0, 3.0, 4.0)}, NAMES, TIME[[0, 0]])
    with pytest.raises(InputError, match=r"^fields: [^:]*: expected one case at each time, got several at 2026-08-18"):
        scores_by_time(path, "lam")
    with pytest.raises(InputError, match="no analysis of method vit"):
        scores_by_time(path, "vit")
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"expected case_scores.csv of `mlrtma verify`"):
        scores_by_time(path, "lam")
