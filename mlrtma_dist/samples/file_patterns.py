"""File patterns: from an analysis time to the names of the files of an archive, by patterns with time fields.

    hrrr.{cycle:%Y%m%d}/conus/hrrr.t{cycle:%H}z.wrfsfcf{lead:02d}.grib2     a forecast: its start and its length, h
    rap.{time:%Y%m%d}/rap.t{time:%H}z.prepbufr.tm00                         a file of one time

Fields are {time:FORMAT} and {cycle:FORMAT} with directives of strftime, {lead:02d} in whole hours, rounded up, and
{lead_minutes:04d}. A pattern has `cycle` and a lead (a forecast) or `time` (reports, analyses), not both. No file is
looked for here: `resolve` and `window` name candidates only.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from mlrtma_dist.config import ConfigError

FIELD = re.compile(r"\{(\w*)(?::([^{}]*))?\}")
TIMES, LEADS = ("time", "cycle"), ("lead", "lead_minutes")
KNOWN = "{time:%Y%m%d%H}, {cycle:%Y%m%d%H}, {lead:02d} (hours) and {lead_minutes:04d}"
DIRECTIVES = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "j": r"\d{3}", "y": r"\d\d"}
DAY = 1440  # minutes


@dataclass(frozen=True)
class Candidate:
    """Files that together hold the fields of a time.

    Attributes:
        files: names, one, or two between whose times is interpolated.
        cycle: start of the forecast, datetime64[s]; of a file of one time its time.
        lead: length of the forecast at the analysis time, minutes; 0 where the file has no cycle.
    """

    files: tuple[str, ...]
    cycle: np.datetime64
    lead: int


@dataclass(frozen=True)
class FilePattern:
    """A pattern of file names and what the times in them mean.

    Attributes:
        pattern: file name with fields such as {time:%Y%m%d%H}, {cycle:%Y%m%d%H} and {lead:03d} (docs/archives.md);
            relative names begin at the archive's folder.
        cycle_hours: from one start of a forecast to the next, counted from 00Z; a divisor of 24.
        shortest_lead: of the forecasts that may be used, hours.
        longest_lead: of the forecasts that may be used, hours.
        lead_minutes: from one file of a forecast to the next.
        holds_minutes: a file of a forecast holds the times from so long before its own lead; 0: one time. Files of an
            hour with its four quarters have lead_minutes 60 and holds_minutes 45.
        latency_minutes: after the start of a cycle (or after the time of a file) at which its file is available;
            the file is used for later times only. 0: no such rule.
        every_minutes: from one file of a {time} pattern to the next, counted from 00Z; a divisor of a day, or days.
        offset_minutes: from 00Z to the first such file.
        before_minutes, after_minutes: reports: files named from so long before the analysis time to so long after it.
        earlier_minutes: gridded files: the file is that of the time so much earlier, such as the analysis of an hour
            ago as a background.
    """

    pattern: str
    cycle_hours: float = 1.0
    shortest_lead: float = 0.0
    longest_lead: float = 18.0
    lead_minutes: int = 60
    holds_minutes: int = 0
    latency_minutes: int = 0
    every_minutes: int = 60
    offset_minutes: int = 0
    before_minutes: int = 0
    after_minutes: int = 0
    earlier_minutes: int = 0

    def __post_init__(self):
        _check_fields(self.pattern)
        cycle = self.cycle_hours * 60
        if not 0 < cycle <= DAY or cycle != round(cycle) or DAY % round(cycle):
            raise ConfigError(f"{self.pattern}: cycle_hours: expected a divisor of 24, got {self.cycle_hours:g}")
        if not 0 <= self.shortest_lead <= self.longest_lead:
            raise ConfigError(
                f"{self.pattern}: expected 0 <= shortest_lead <= longest_lead, got {self.shortest_lead:g} and"
                f" {self.longest_lead:g}"
            )
        if self.every_minutes < 1 or (DAY % self.every_minutes and self.every_minutes % DAY):
            raise ConfigError(
                f"{self.pattern}: every_minutes: expected a divisor or a multiple of {DAY}, got {self.every_minutes}"
            )
        if self.lead_minutes < 1 or not 0 <= self.holds_minutes < self.lead_minutes:
            raise ConfigError(
                f"{self.pattern}: expected lead_minutes >= 1 and holds_minutes from 0 to below it, got"
                f" {self.lead_minutes} and {self.holds_minutes}"
            )
        for name in ("latency", "before", "after", "earlier", "offset"):
            if getattr(self, f"{name}_minutes") < 0:
                raise ConfigError(
                    f"{self.pattern}: {name}_minutes: expected >= 0, got {getattr(self, f'{name}_minutes')}"
                )

    @property
    def is_forecast(self) -> bool:
        """Whether the files are named by the start and the length of a forecast."""
        return any(name == "cycle" for name, _ in FIELD.findall(self.pattern))

    def name(self, time: np.datetime64, lead: int = 0) -> str:
        """The file of a time, or of a forecast's start and its lead in minutes.

        Example:
            >>> FilePattern("gdas.{time:%Y%m%d%H}").name(np.datetime64("2024-02-29T18:00"))
            'gdas.2024022918'
        """
        stamp = time.astype("datetime64[s]").item()

        def text(match: re.Match) -> str:
            field, form = match.groups()
            if field in TIMES:
                return stamp.strftime(form)
            return format(lead if field == "lead_minutes" else -(-lead // 60), form)

        return FIELD.sub(text, self.pattern)

    def resolve(self, time: np.datetime64) -> tuple[Candidate, ...]:
        """Gridded files of an analysis time in the order of preference; the first one that exists is to be used.

        A forecast: the latest cycle whose file is available and whose leads reach the time, then earlier cycles. A
        time between two files of a forecast has both of them. A {time} pattern: the file of the time, or the two files
        around a time between.
        """
        analysed = time.astype("datetime64[s]")
        time = analysed - _minutes(self.earlier_minutes)
        if self.is_forecast:
            return tuple(self._of_cycle(cycle, time) for cycle in self._cycles(time))
        before = self._last(time, self.every_minutes)
        around = (before,) if before == time else (before, before + _minutes(self.every_minutes))
        if self.latency_minutes and around[-1] > analysed - _minutes(self.latency_minutes):
            return ()
        return (Candidate(tuple(self.name(each) for each in around), time, 0),)

    def window(self, time: np.datetime64) -> tuple[str, ...]:
        """Files of reports around an analysis time: those named from `before_minutes` to `after_minutes` around it.

        Raises:
            ConfigError: the pattern is that of a forecast.
        """
        if self.is_forecast:
            raise ConfigError(f"{self.pattern}: expected the field {{time:...}} for reports, got {{cycle:...}}")
        time = time.astype("datetime64[s]")
        last = self._last(time + _minutes(self.after_minutes), self.every_minutes)
        names = []
        while last >= time - _minutes(self.before_minutes):
            names.append(self.name(last))
            last = last - _minutes(self.every_minutes)
        return tuple(reversed(names))

    def near(self, time: np.datetime64, minutes: float) -> tuple[str, ...]:
        """Files of a {time} pattern named from so long before a time to so long after it, the nearest first.

        Those that are not available at the time (`latency_minutes`) are not among them.
        """
        analysed, wide = time.astype("datetime64[s]"), np.timedelta64(round(60 * minutes), "s")
        time = analysed - _minutes(self.earlier_minutes)
        until = analysed - _minutes(self.latency_minutes) if self.latency_minutes else time + wide
        last, times = self._last(min(time + wide, until), self.every_minutes), []
        while last >= time - wide:
            times.insert(0, last)
            last = last - _minutes(self.every_minutes)
        return tuple(self.name(each) for each in sorted(times, key=lambda each: abs(each - time)))

    def time_of(self, name: str) -> np.datetime64 | None:
        """The time in a file's name, datetime64[s]; None: it does not follow this {time} pattern.

        Example:
            >>> FilePattern("gdas.{time:%Y%m%d%H}").time_of("gdas.2024022918")
            np.datetime64('2024-02-29T18:00:00')
        """
        match = self._expression.fullmatch(name)
        if not match:
            return None
        try:
            stamp = _joined_time([form for _, form in FIELD.findall(self.pattern)], match.groups())
        except ValueError:
            return None
        time = np.datetime64(stamp, "s")
        return time if self.name(time) == name else None

    @property
    def glob(self) -> str:
        """The pattern with * in the place of its fields, for listing a folder."""
        return FIELD.sub("*", self.pattern)

    @cached_property
    def _expression(self) -> re.Pattern:
        """Names that follow the pattern, one group per field."""
        parts, end = [], 0
        for match in FIELD.finditer(self.pattern):
            form = re.sub(r"%(\w)", lambda part: DIRECTIVES.get(part.group(1), ".+"), match.group(2))
            parts += [re.escape(self.pattern[end : match.start()]), f"({form})"]
            end = match.end()
        return re.compile("".join(parts) + re.escape(self.pattern[end:]))

    def _cycles(self, time: np.datetime64) -> list[np.datetime64]:
        """Starts of forecasts that reach a time and are available by then, the latest first."""
        step, shortest, longest = (round(60 * h) for h in (self.cycle_hours, self.shortest_lead, self.longest_lead))
        youngest = max(self.latency_minutes - self.earlier_minutes, shortest)
        cycle, oldest = self._last(time - _minutes(youngest), step, 0), time - _minutes(longest)
        cycles = []
        while cycle >= oldest:
            cycles.append(cycle)
            cycle = cycle - _minutes(step)
        return cycles

    def _of_cycle(self, cycle: np.datetime64, time: np.datetime64) -> Candidate:
        """The file of a forecast at a time, or the two around it."""
        lead = int((time - cycle) / _minutes(1))
        later = -(-lead // self.lead_minutes) * self.lead_minutes
        leads = [later]
        if lead < later - self.holds_minutes:
            leads.insert(0, later - self.lead_minutes)
        return Candidate(tuple(self.name(cycle, each) for each in leads), cycle, lead)

    def _last(self, time: np.datetime64, every: int, offset: int | None = None) -> np.datetime64:
        """The last of the times every so many minutes, counted from 1970-01-01 00Z, that is not after a time."""
        offset = self.offset_minutes if offset is None else offset
        minutes = int(np.floor((time - np.datetime64(0, "s")) / _minutes(1))) - offset
        return np.datetime64((minutes // every * every + offset) * 60, "s")


def _minutes(number: int) -> np.timedelta64:
    return np.timedelta64(60 * number, "s")


def _joined_time(forms: list[str], texts: tuple[str, ...]) -> datetime:
    """The time that several fields describe together; a directive that stands twice counts once."""
    values: dict[str, str] = {}
    for form, text in zip(forms, texts, strict=True):
        groups = re.split(r"%(\w)", form)
        expression = "".join(
            re.escape(part) if index % 2 == 0 else f"({DIRECTIVES.get(part, '.+')})"
            for index, part in enumerate(groups)
        )
        match = re.fullmatch(expression, text)
        values |= dict(zip(groups[1::2], match.groups() if match else (), strict=False))
    return datetime.strptime(" ".join(values.values()), " ".join(f"%{key}" for key in values))


def _check_fields(pattern: str) -> None:
    """Check the fields of a pattern.

    Raises:
        ConfigError: names the pattern and the field.
    """
    names = []
    for match in FIELD.finditer(pattern):
        field, form = match.groups()
        if field not in TIMES + LEADS:
            raise ConfigError(f"{pattern}: unknown field {{{field}}}: known are {KNOWN}")
        if not form:
            example = "%Y%m%d%H" if field in TIMES else "02d"
            raise ConfigError(f"{pattern}: the field {{{field}}} has no format: expected e.g. {{{field}:{example}}}")
        _check_format(pattern, field, form)
        names.append(field)
    rest = FIELD.sub("", pattern)
    if "{" in rest or "}" in rest:
        raise ConfigError(f"{pattern}: a brace that belongs to no field: known fields are {KNOWN}")
    if not set(names) & set(TIMES):
        raise ConfigError(
            f"{pattern}: no time field: expected {{time:%Y%m%d%H}}, or {{cycle:%Y%m%d%H}} and {{lead:02d}}"
        )
    if "time" in names and len(set(names)) > 1:
        raise ConfigError(f"{pattern}: the field {{time}} excludes {{cycle}} and {{lead}}: a forecast has no {{time}}")
    if "cycle" in names and not set(names) & set(LEADS):
        raise ConfigError(
            f"{pattern}: the field {{cycle}} needs {{lead:02d}} or {{lead_minutes:04d}}; a file that is named by one"
            " time has the field {time}"
        )


def _check_format(pattern: str, field: str, form: str) -> None:
    try:
        if field in LEADS:
            format(0, form)
            return
        directives = re.findall(r"%(.?)", form)
        if directives and all(each in DIRECTIVES for each in directives):
            return
    except ValueError:
        pass
    expected = f"directives %{', %'.join(DIRECTIVES)}" if field in TIMES else "a format of integers such as 02d"
    raise ConfigError(f"{pattern}: the field {{{field}}}: expected {expected}, got {form!r}")
