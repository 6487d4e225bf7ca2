"""Random places with heights, coasts and valleys."""

import pytest

from mlrtma_dist.grid.points import Points, cartesian


@pytest.fixture
def places():
    """Makes n random points of a box of ``width`` degrees around 40N, 105W, with terrain up to ``top`` m."""

    def make(generator, n: int, width: float, top: float = 3500.0, middle=(40.0, -105.0)) -> Points:
        latitude = middle[0] + width * generator.uniform(-0.5, 0.5, n)
        longitude = (middle[1] + width * generator.uniform(-0.5, 0.5, n) + 180.0) % 360.0 - 180.0
        elevation = generator.uniform(0.0, top, n)
        return Points(
            latitude,
            longitude,
            cartesian(latitude, longitude),
            elevation,
            generator.uniform(0.0, 1.0, n),
            elevation * generator.uniform(-0.3, 0.3, n),
        )

    return make
