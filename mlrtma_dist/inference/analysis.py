"""Analysis: the result of one analysis of one domain at one time, on the box of the domain that this rank computes."""

from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.ensemble_section import Distribution
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations


@dataclass(frozen=True)
class Analysis:
    """The result of one analysis.

    The fields are those of a box, which differs from rank to rank; everything else is the same on all ranks.

    Attributes:
        static: domain, terrain and land mask of the analysis, on the whole domain.
        time: analysis time, datetime64[s] UTC.
        values: variable -> float32 (y, x) of the box, SI units of ``names.VARIABLES`` or of ``units``.
        first_guess: variable -> float32 (y, x) of the box, SI.
        error: variable -> float32 (y, x) of the box, the analysis error's standard deviation in analysis
            space (natural logarithm for visibility and ceiling, else the SI unit).
        observations: every report read, with its flags, n rows.
        background_departure: observation minus first guess in analysis space, shape (n,), NaN where none.
        analysis_departure: observation minus analysis in analysis space, shape (n,), NaN where none.
        observation_error: the standard deviation assumed, analysis space, shape (n,), NaN where none.
        weight: weight of the variational quality control in (0, 1], shape (n,), NaN where not used.
        method: name of the method.
        first_guess_name: which first guess, in words.
        notes: what a reader must know ("no report of t2m: climatology"), one sentence each.
        box: the grid points of the fields; None becomes the whole domain.
        units: variable -> unit of the values that are not in ``names.VARIABLES``, such as a depth in an exercise.
        probability: variable -> probability of a value below each of its limits (`names.EVENTS`), float32
            (limit, y, x) of the box, of the variables whose distribution was analysed.
        distribution: quantiles, probabilities and members that were asked for, on the box.
        start: when the forecast begins whose state at ``time`` this is; None: it is an analysis.

    Raises:
        InputError: a variable without a unit.
    """

    static: Static
    time: np.datetime64
    values: dict[str, np.ndarray]
    first_guess: dict[str, np.ndarray]
    error: dict[str, np.ndarray]
    observations: Observations
    background_departure: np.ndarray
    analysis_departure: np.ndarray
    observation_error: np.ndarray
    weight: np.ndarray
    method: str
    first_guess_name: str
    notes: tuple[str, ...] = ()
    box: Box = None  # type: ignore[assignment]  # the constructor replaces None
    units: dict[str, str] = field(default_factory=dict)
    probability: dict[str, np.ndarray] = field(default_factory=dict)
    distribution: Distribution = Distribution()
    start: np.datetime64 | None = None

    def __post_init__(self):
        if self.box is None:
            object.__setattr__(self, "box", Box.whole(self.static.domain.shape))
        without = sorted(set(self.values) - set(VARIABLES) - set(self.units))
        if without:
            raise InputError(
                f"analysis of domain {self.static.domain.name}: expected a unit for {without[0]!r}, which is not in the"
                " table of variables: name it in units"
            )

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables in the order of files: that of ``names.VARIABLES``, then the others as they come."""
        return (*(name for name in VARIABLES if name in self.values), *(n for n in self.values if n not in VARIABLES))

    def check_shapes(self) -> None:
        """Raise InputError unless every field has the shape of the box."""
        groups = {group: getattr(self, group) for group in ("values", "first_guess", "error", "probability")}
        for group, fields in (groups | self.distribution.groups).items():
            for name, values in fields.items():
                if np.shape(values)[-2:] != self.box.shape:
                    raise InputError(
                        f"product of domain {self.static.domain.name}: {group} of {name}: expected the shape "
                        f"{self.box.shape} (y, x), got {np.shape(values)}"
                    )
