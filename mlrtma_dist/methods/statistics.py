"""Statistics: the units in which a network sees fields and reports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of every field of a store and, without backgrounds, of its observations, SI.

    Attributes:
        fields: their names.
        mean, deviation: one each.
        cases: on how many it rests; start, end: the first and last of their times, UTC.
        observed: names of the types of observation; empty where backgrounds give departures their unit.
        observed_mean, observed_deviation: one each.
        change_deviation: of the change of every truth in one step, where the method forecasts; else empty.
    """

    fields: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    cases: int
    start: str
    end: str
    observed: tuple[str, ...] = ()
    observed_mean: tuple[float, ...] = ()
    observed_deviation: tuple[float, ...] = ()
    change_deviation: tuple[float, ...] = ()
