"""The measure of members' covariances: draws of the exact posterior differ from it by their sampling error."""

from types import SimpleNamespace

import numpy as np
from benchmark_module import benchmark_module

BENCHMARK = benchmark_module("posterior_covariance")


def test_draws_of_the_exact_posterior_have_its_covariance_within_sampling_error():
    options = SimpleNamespace(cases=6, members=64, observations=100, points=80, checkpoint=None)
    results = BENCHMARK.compare([], options)
    assert list(results) == [BENCHMARK.EXACT]
    for distance, rows in results[BENCHMARK.EXACT].items():
        square, ratio = np.array(rows).T
        assert 0.85 < np.sqrt(square.mean()) < 1.15, distance
        assert abs(ratio.mean() - 1.0) < 4.0 * ratio.std(ddof=1) / np.sqrt(len(ratio)) + 0.02, distance
