"""A national hour without a background: what is analysed over the oceans' corners, where no report is."""

import numpy as np
import pytest

from mlrtma_dist.fields.climatology import deviation, standard_pressure_ratio
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.station_hours import Reports, StationHours

EVERY = 24  # grid points: 61 km
FAR = 700e3  # m from any report
BEYOND = {"t2m": 3.0, "d2m": 3.0, "psfc": 500.0}  # K and Pa that a value may lie outside the range of the reports


@pytest.mark.slow
def test_over_data_free_ocean_values_are_possible_and_the_error_is_nearly_that_of_climatology(real_data):
    """The cubic alone gave 1035 hPa and 31 degC of dew point at 19 N, 126 W, where reports end at 1026 hPa, 25 degC."""
    settings = load_settings("classical", ("t2m", "d2m", "psfc"))
    files = Reports((str(real_data / "metar_world" / "metar_20221022T0200Z.csv.gz"),))
    hours = StationHours.on("conus", files, assumptions(settings))
    case = hours.case(0, Box.whole(hours.static.domain.shape))
    answer = build(("threedvar",), Means(settings))["threedvar"].analyse(case)
    points = grid_points(hours.static, slice(None, None, EVERY), slice(None, None, EVERY))
    reports = case.points[case.used]
    distance = np.array([np.linalg.norm(reports.position - place, axis=1).min() for place in points.position])
    far = points[distance > FAR]
    assert len(far) > 100 and far.elevation.max() < 10.0
    for name, beyond in BEYOND.items():
        rows = case.used & (case.observations.variable == name)
        own = case.points[rows]
        reduction = standard_pressure_ratio(own.elevation) if name == "psfc" else 1.0
        reported = case.value[rows] / reduction
        value, error = answer.at(name, far)
        print(name, value.min(), value.max(), reported.min(), reported.max())
        assert reported.min() - beyond <= value.min() and value.max() <= reported.max() + beyond, name
        corner = distance[distance > FAR].argmax()
        assert error[corner] > 0.6 * deviation(name, far.latitude[corner]), name
