"""Analysis times and windows, all in UTC as numpy datetime64[s]."""

import re
from collections.abc import Iterable

import numpy as np

from mlrtma_dist.errors import InputError

TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?)?")
STEP = re.compile(r"P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?)?")  # ISO 8601: days, hours, minutes
HOURLY = "PT1H"
MOST_TIMES = 100_000  # eleven years of hours; more is a mistyped year


def parse_time(text: str) -> np.datetime64:
    """Read a UTC time such as ``2022-08-24T06:00``, ``2022-08-24 06Z`` or ``2022082406``.

    Raises:
        ValueError: the text is none of these.
    """
    compact = text.strip().removesuffix("+00:00").rstrip("Zz").replace(" ", "T")  # YAML's own times end so
    if compact.isdigit() and len(compact) in (8, 10, 12):
        date, clock = compact[:8], compact[8:].ljust(4, "0")
        compact = f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:]}"
    if len(compact) == 13 and compact[10] == "T":
        compact += ":00"
    try:
        if not TIME.fullmatch(compact):  # numpy reads "today", "", "2022" and years of any length, too
            raise ValueError
        return np.datetime64(compact, "s")
    except ValueError:
        raise ValueError(f"expected a UTC time such as 2022-08-24T06:00 or 2022082406, got {text!r}") from None


def parse_times(texts: Iterable[str]) -> np.ndarray:
    """Read analysis times, of which each text is one, or a range as ISO 8601 writes it: START/END or START/END/STEP.

    Args:
        texts: such as ``2022-08-24T06:00``, ``2022-08-24T00:00/2022-08-24T23:00`` (every hour), or
            ``2022-08-24T00:00/2022-08-24T23:45/PT15M`` (every 15 minutes).

    Returns:
        UTC, datetime64[s], shape (time,), each time once, in the order of the texts.

    Raises:
        ValueError: a text is none of these, or a range has no or more than ``MOST_TIMES`` times.
    """
    times = [time for text in texts for time in _times_of(text)]
    return np.array(list(dict.fromkeys(times)), dtype="datetime64[s]")


def _times_of(text: str) -> list[np.datetime64]:
    """The times of one text of `parse_times`."""
    start, *rest = text.split("/")
    if not rest:
        return [parse_time(text)]
    end, step = (*rest, HOURLY)[:2]
    match = STEP.fullmatch(step.strip())
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    seconds = 60 * (minutes + 60 * (hours + 24 * days))
    if len(rest) > 2 or not seconds:
        raise ValueError(
            f"expected a range START/END or START/END/STEP with a step such as {HOURLY}, PT15M or P1D, got {text!r}"
        )
    first, last = parse_time(start), parse_time(end)
    count = int((last - first) / np.timedelta64(seconds, "s")) + 1
    if last < first or count > MOST_TIMES:
        raise ValueError(f"expected a range of 1 to {MOST_TIMES} times, START not after END, got {text!r}")
    return list(first + np.timedelta64(seconds, "s") * np.arange(count))


def nearest_hour(times: np.ndarray) -> np.datetime64:
    """The full hour nearest to the median of ``times`` (n,): the analysis time of a file that names none.

    Raises:
        InputError: there is no time to judge by.
    """
    if not len(times):
        raise InputError("expected observations, found none: every value in the files is missing")
    seconds = times[~np.isnat(times)].astype("datetime64[s]").astype(np.int64)
    if not len(seconds):
        raise InputError("no observation carries a time: name the analysis time with --time")
    return np.datetime64(int(round(float(np.median(seconds)) / 3600)) * 3600, "s")


def compact(time: np.datetime64) -> str:
    """``20220824T0600Z``, for file names."""
    return str(time.astype("datetime64[m]")).replace("-", "").replace(":", "") + "Z"


def day_of_year(time: np.datetime64) -> float:
    """Days since 1 January 00Z, with fraction."""
    return float((time - time.astype("datetime64[Y]").astype("datetime64[s]")) / np.timedelta64(1, "s")) / 86400.0
