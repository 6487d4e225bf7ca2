"""Wind: from speed and direction to components."""

import numpy as np


def components(speed: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eastward and northward wind (m/s) from speed (m/s) and the direction the wind comes from (degrees from north).

    Shape (n,); a calm has no direction and is zero, a variable wind (direction NaN) has no components: NaN.
    """
    angle = np.deg2rad(np.where(speed == 0, 0.0, direction))
    return 0.0 - speed * np.sin(angle), 0.0 - speed * np.cos(angle)
