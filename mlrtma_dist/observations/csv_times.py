"""The times of a CSV table: ISO 8601 or formats of strptime, with a zone in the text, declared beside it, or UTC.

A time zone's name in a text (MDT) is never read: Python knows only the names of the machine's own zone, and names are
ambiguous. An offset (-06:00, Z), UTC and GMT are.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_UNIVERSAL = re.compile(r"\s*(?:UTC|GMT|Z)$")


class ZoneError(ValueError):
    """A text that is no time zone."""


def zone_of(text: str) -> tzinfo:
    """A time zone from an offset (-07:00), "UTC", or a name of the IANA data base (America/Denver).

    Raises:
        ZoneError: it is none.
    """
    offset = _OFFSET.fullmatch(text)
    if offset:
        sign, hours, minutes = offset.groups()
        if int(hours) < 24 and int(minutes) < 60:
            return timezone((-1 if sign == "-" else 1) * timedelta(hours=int(hours), minutes=int(minutes)))
    if text in ("UTC", "Etc/UTC", "GMT", "Z"):
        return UTC
    try:
        if "/" in text:  # what has none is an abbreviation, and several zones have it
            return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ZoneError(f"{text!r}; expected UTC, an offset such as -07:00 (in quotes), or a name such as America/Denver")


def read_time(text: str, formats: Sequence[str], zone: tzinfo) -> np.datetime64:
    """One time as datetime64[s] in UTC.

    Args:
        text: of the cell.
        formats: of strptime, tried in turn; none: ISO 8601, also with UTC or GMT behind it.
        zone: of a text that names none.

    Returns:
        NaT where the clocks of ``zone`` show the time twice, or skip it.

    Raises:
        ValueError: no format fits.
    """
    time = _parse(text, formats)
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone)
        if time.utcoffset() != time.replace(fold=1).utcoffset():
            return np.datetime64("NaT", "s")
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "s")


def _parse(text: str, formats: Sequence[str]) -> datetime:
    if not formats:
        bare = _UNIVERSAL.sub("", text)
        time = datetime.fromisoformat(bare)
        return time.replace(tzinfo=UTC) if bare != text else time
    for form in formats:
        try:
            time = datetime.strptime(text, form)
        except ValueError:
            continue
        fixed = time.tzinfo is None and _UNIVERSAL.search(form.replace("%Z", ""))
        return time.replace(tzinfo=UTC) if fixed else time
    raise ValueError(text)
