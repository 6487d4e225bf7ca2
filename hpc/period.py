"""The period of a campaign that is repeated: the days up to an end, late enough for what comes late to have come.

period: {days: 30, lookback_days: 3}

``--until 2026-11-20`` ends it; ${start}, ${end} (2026-11-20T00:00) and ${until} (20261120, for names) of the steps are
replaced. The end is named by whoever submits, so that the same line submits the same steps tomorrow.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

KEYS = ("days", "lookback_days")


class PeriodError(ValueError):
    """A period that cannot be used; the message names file and key."""


def words_of(section, until: str | None, where: str, now: datetime | None = None) -> dict[str, str]:
    """What start, end and until are replaced by; nothing without a period.

    Args:
        section: of the campaign's file; None: there is none.
        until: the end; where: the file, for messages; now: UTC; None: the present time.

    Raises:
        PeriodError: a wrong section; no end, one without a period, or one to which late data may still come.
    """
    if section is None:
        if until is not None:
            raise PeriodError(f"--until: {where} has no section period:, expected none, got {until}")
        return {}
    days, lookback = _days(section, where)
    latest = (now or datetime.now(UTC)) - timedelta(days=lookback)
    hint = f"at the latest {latest:%Y-%m-%dT%H:%M} ({lookback:g} days ago, period.lookback_days)"
    if until is None:
        raise PeriodError(f"{where}: period: expected its end, --until TIME in UTC, {hint}")
    try:
        end = datetime.fromisoformat(until)
    except ValueError as error:
        raise PeriodError(
            f"--until: expected a time such as 2026-11-20 or 2026-11-20T06:00, UTC, got {until!r}"
        ) from error
    end = end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)
    if end > latest:
        raise PeriodError(f"--until: expected {hint}, got {until}: what comes late is not there yet")
    form = "%Y-%m-%dT%H:%M"
    name = f"{end:%Y%m%d}" if (end.hour, end.minute) == (0, 0) else f"{end:%Y%m%dT%H%M}"
    return {"start": f"{end - timedelta(days=days):{form}}", "end": f"{end:{form}}", "until": name}


def _days(section, where: str) -> tuple[float, float]:
    if not isinstance(section, dict) or not {"days"} <= set(section) <= set(KEYS):
        raise PeriodError(f"{where}: period: expected days and perhaps lookback_days, got {section!r}")
    try:
        days, lookback = (float(section.get(key, 0)) for key in KEYS)
    except (TypeError, ValueError) as error:
        raise PeriodError(f"{where}: period: expected numbers of days, got {section!r}") from error
    if not (0.0 < days < 1e5 and 0.0 <= lookback < 1e5):
        raise PeriodError(f"{where}: period: expected days above 0 and lookback_days >= 0, got {section!r}")
    return days, lookback


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text with ${start}, ${end} and ${until} replaced; other variables stay."""
    return re.sub(r"\$\{(\w+)\}", lambda match: words.get(match[1], match[0]), text)
