"""Clocks of a cycle: the computer's, and one for replays, whose waiting passes faster than real time."""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

SLICE = 1.0  # s of real time after which a clock that waits looks whether it is to stop


class Clock(Protocol):
    """What a cycle takes for the present time."""

    def now(self) -> np.datetime64:
        """The present time, UTC, datetime64[ms]."""
        ...

    def wait(self, until: np.datetime64, stopped: Callable[[], bool]) -> None:
        """Wait until a time, or until ``stopped`` is true."""
        ...


class RealClock:
    """The computer's clock."""

    def now(self) -> np.datetime64:
        """The present time, UTC, datetime64[ms]."""
        return np.datetime64(time.time_ns() // 1_000_000, "ms")

    def wait(self, until: np.datetime64, stopped: Callable[[], bool]) -> None:
        """Wait until a time, or until ``stopped`` is true."""
        while (gap := seconds(until - self.now())) > 0.0 and not stopped():
            time.sleep(min(gap, SLICE))


class ReplayClock:
    """A clock of past time. Waiting passes ``speed`` times as fast as real time; computing takes the time it takes.

    Delays between a cut-off and a publication are therefore those of an operation on the same machine.
    """

    def __init__(self, start: np.datetime64, speed: float):
        """Begin at a time; ``speed``: seconds of waiting in one second of real time, above 0."""
        self._start, self._speed = start.astype("datetime64[ms]"), speed
        self._began, self._skipped = time.monotonic(), 0.0

    def now(self) -> np.datetime64:
        """The present time of the replay, UTC, datetime64[ms]."""
        return self._start + duration(time.monotonic() - self._began + self._skipped)

    def wait(self, until: np.datetime64, stopped: Callable[[], bool]) -> None:
        """Wait until a time, or until ``stopped`` is true."""
        while (gap := seconds(until - self.now())) > 0.0 and not stopped():
            nap = min(gap / self._speed, SLICE)
            time.sleep(nap)
            self._skipped += min(nap * self._speed, gap) - min(nap, gap)


def seconds(span: np.timedelta64) -> float:
    """A span of time in seconds."""
    return float(span / np.timedelta64(1, "ms")) / 1000.0


def duration(number: float) -> np.timedelta64:
    """Seconds as a span of time, to the millisecond."""
    return np.timedelta64(round(1000.0 * number), "ms")


def minutes(number: float) -> np.timedelta64:
    """Minutes as a span of time, to the millisecond."""
    return duration(60.0 * number)
