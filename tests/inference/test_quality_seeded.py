"""The whole quality control of an analysis on a simulated hour with seeded errors, by the benchmark's own measure."""

import importlib.util
import pathlib

import pytest


@pytest.fixture(scope="module")
def benchmark_of_quality():
    path = pathlib.Path(__file__).parents[2] / "benchmarks" / "quality.py"
    spec = importlib.util.spec_from_file_location("quality_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["t2m", "d2m", "wind", "psfc"])
def test_of_errors_of_5_sigma_95_percent_are_found_and_1_percent_of_the_good_flagged(benchmark_of_quality, kind):
    _, hit_rate, flagged, seeded = benchmark_of_quality.simulated(kind, stations=1000, seeds=2)["departure"]
    assert seeded >= 20 and hit_rate >= 0.95 and flagged <= 0.01


@pytest.mark.parametrize("kind", ["t2m", "wind"])
def test_so_it_is_in_a_real_hour_with_the_hours_around_it(benchmark_of_quality, real_data, kind):
    # 90 of 100: of 50 errors a seed, 95 % found give fewer than 45 once in forty
    _, hit_rate, flagged, seeded = benchmark_of_quality.real(kind, 15, real_data, seeds=1)["departure"]
    assert seeded >= 30 and hit_rate >= 0.9 and flagged <= 0.01
