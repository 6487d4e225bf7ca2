"""Cases of a small domain that know the states before them, for tests of methods that forecast."""

import numpy as np
from moving_states import HOUR, START

from mlrtma_dist.fields.static import make_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.observations.table import Observations

SHAPE, NAMES = (24, 32), ("t2m", "u10")
DOMAIN = Domain("d", "d", "+proj=longlat +R=6371200", Size(32, 24), 0.1, Corner(40.0, -100.0))
STATIC = make_static(DOMAIN, 900.0 * np.random.default_rng(2).random(SHAPE), np.ones(SHAPE))
WHOLE, HERE = Box.whole(SHAPE), Alone(SHAPE)
UNITS = Statistics(("truth_t2m", "truth_u10"), (284.0, 1.0), (4.0, 3.0), 9, "", "", change_deviation=(1.2, 0.5))


def states(count: int) -> dict[str, np.ndarray]:
    """Fields that change evenly, shape (count, y, x)."""
    generator, hours = np.random.default_rng(3), np.arange(count)[:, None, None]
    base, change = generator.normal(size=(2, 2, 1, *SHAPE))
    return {"t2m": 284.0 + 4.0 * base[0] + 1.2 * change[0] * hours, "u10": 3.0 * base[1] + 0.5 * change[1] * hours}


def case_of(fields: dict[str, np.ndarray], number: int, box: Box = WHOLE) -> Case:
    """The state of a number, which knows those before it."""

    def state(index: int):
        return {name: field[index][box.slices].astype(np.float32) for name, field in fields.items()}

    def before(lag):
        index = number - int(lag / HOUR)
        return state(index) if index >= 0 else None

    nothing, time = np.zeros(0, bool), START + number * HOUR
    return Case(
        STATIC, box, time, Observations.empty(), nothing, nothing, truth=state(number), variables=NAMES, before=before
    )
