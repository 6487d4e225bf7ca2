"""The ground and the sun as channels of a network."""

import numpy as np

from mlrtma_dist.methods.case import Case
from mlrtma_dist.observations.sun import solar_elevation


def ground_channels(case: Case) -> np.ndarray:
    """Terrain in km, relief in units of 300 m and the land's share minus a half on the box, shape (3, y, x)."""
    static, box = case.static, case.box

    def here(field: np.ndarray) -> np.ndarray:  # a box of a shifted plane may wrap
        return field.take(range(box.y0, box.y1), 0, mode="wrap").take(range(box.x0, box.x1), 1, mode="wrap")

    terrain, smooth, land = (here(each) for each in (static.terrain, static.terrain_smooth, static.land))
    return np.stack([terrain / 1000.0, (terrain - smooth) / 300.0, land - 0.5]).astype(np.float32)


def sun_channel(case: Case, time: np.datetime64) -> np.ndarray:
    """The sine of the sun's elevation at a time on the box of a case, negative at night, shape (y, x)."""
    points = case.grid_points()
    elevation = solar_elevation(points.latitude, points.longitude, time)
    return np.sin(np.deg2rad(elevation)).reshape(case.box.shape).astype(np.float32)
