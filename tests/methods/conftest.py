"""Random stations with heights, coasts and valleys, and covariances that know them."""

import numpy as np
import pytest

from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.linalg.covariance import Component, Covariance


@pytest.fixture
def places():
    """Makes n random points of a box of ``width`` degrees around 40N, 105W, with terrain up to 3000 m."""

    def make(generator, n: int, width: float) -> Points:
        latitude = 40.0 + width * generator.uniform(-0.5, 0.5, n)
        longitude = -105.0 + width * generator.uniform(-0.5, 0.5, n)
        elevation = generator.uniform(0.0, 3000.0, n)
        return Points(
            latitude,
            longitude,
            cartesian(latitude, longitude),
            elevation,
            generator.uniform(0.0, 1.0, n),
            elevation * generator.uniform(-0.3, 0.3, n),
        )

    return make


@pytest.fixture
def line():
    """Makes points on a plane, x metres from the origin."""

    def make(*x: float) -> Points:
        zero = np.zeros(len(x))
        return Points(zero, zero, np.column_stack([x, zero, zero]), zero, zero, zero)

    return make


@pytest.fixture
def covariance() -> Covariance:
    """Of temperature: two scales of every feature and one of neighbours."""
    return Covariance(
        (
            Component(4.0, "rounded", 900e3, 2000.0),
            Component(1.75, "askey", 800e3, 1580.0, 2.9, 1150.0),
            Component(0.5, "askey", 91e3),
        )
    )


@pytest.fixture
def exponential() -> Covariance:
    """One scale, variance 4, whose correlation at 100 km is (1 + 1) / e = 0.7358."""
    return Covariance((Component(4.0, "matern32", 100e3),))


@pytest.fixture(scope="session")
def window_settings():
    """The settings of `window_cases`."""
    from window_cases import shipped_settings  # here: it imports torch

    return shipped_settings()


@pytest.fixture(scope="session")
def window_hour(window_settings):
    """The case of `window_cases`, with reports of three hours."""
    from window_cases import window_case

    return window_case(window_settings)


@pytest.fixture(scope="module")
def one_thread():
    """PyTorch has one thread while the tests of a module run."""
    import torch  # here: most tests beside this file need none

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
