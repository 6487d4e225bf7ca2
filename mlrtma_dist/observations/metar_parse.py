"""One METAR or SPECI from its text: WMO FM 15, FM 16 (Manual on Codes, volume I.1) and the American remarks (FMH-1).

The words of the body become groups (``metar_groups``). What no group fits is missing, never an error: half a report is
worth reading. It is also a doubt about what it may have been: a word that is not understood may hide a cloud layer, so
that no sky beside it is clear or unlimited, and a number beside a visibility may be a part of it.

* Wind in KT, MPS or KMH; VRB has a speed and no direction, 00000KT is calm, P99KT counts as 99.
* Visibility in statute miles ("1 1/2SM"; M1/4SM and P6SM count as the limit that they name), metres (9999: 10 km or
  more, counts as 10 km) or km; CAVOK counts as 10 km. What follows a TEMPO or BECMG is a forecast and is not read.
* Temperature and dew point in tenths from the remark T02330144 where it agrees with the whole degrees to 1 K.
* The altimeter setting stays one: station pressure needs the station's height (``altimeter.station_pressure``).
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from mlrtma_dist.names import ICE
from mlrtma_dist.observations.metar_groups import Group, read_word
from mlrtma_dist.observations.sky import DOUBTFUL, WORDS
from mlrtma_dist.units import UNITS

KNOT, MILE, FOOT, INCH = (UNITS[name].factor for name in ("knot", "mile", "foot", "inHg"))
SPEEDS = {"KT": KNOT, "KTS": KNOT, "MPS": 1.0, "KMH": 1 / 3.6}
TEN_KM = 10e3  # m, "9999" and "CAVOK"
HIGHEST_HECTOPASCAL = 1100  # a setting above it is in hundredths of an inch, whatever letter stands before
SETTINGS = (85e3, 110e3)  # Pa; the records of sea-level pressure are 870 and 1085 hPa
AGREEING = 200.0  # Pa; Q is rounded down to whole hPa, A to 0.34 hPa
HIGHEST_LAYER = 600  # hundreds of feet, 18 km: no cloud is higher
UNKNOWN, ABOVE = float("nan"), float("inf")

_REMARKS = re.compile(r"(?<![A-Z])RMK|(?<!\S)REMARKS?\b")
_NEXT = re.compile(r"(?<!\S)(?:METAR|SPECI|\d{6}Z)\b")
_TENTHS = re.compile(r"(?<!\S)T([01])(\d{3})(?:(?!\d)|([01])(\d{3})(?:\d{5})*(?!\d))")  # 5 digits: the blank is lost
# Blanks within a group: "1 1/2SM" (kept as "_"), "10 SM", "A 2992", "BKN 025", "18005 KT"; and what they all have.
_BLANK = re.compile(r"(?<=\d) (?:\d{1,2}/\d|SM|KT|MPS|KMH)|(?<!\S)(?:A|Q|QNH|FEW|SCT|BKN|OVC|VV) \d")
_BLANKS = (
    (re.compile(r"(?<!\S)([MP]?\d{1,2}) (\d{1,2}/\d{1,2}) ?(?=SM)"), r"\1_\2"),
    (re.compile(r"(?<!\S)([MP]?(?:\d{1,3}|\d{1,2}/\d{1,2})) (?=SM(?!\S))"), r"\1"),
    (re.compile(r"(?<!\S)(A|Q|QNH|FEW|SCT|BKN|OVC|VV) (?=\d{3,4}(?!\S))"), r"\1"),
    (re.compile(r"(?<!\S)((?:\d{3}|VRB)\d{2,3}(?:G\d{2,3})?) (?=(?:KT|MPS|KMH)(?!\S))"), r"\1"),
)
# What a word that is not understood may have been: a cloud layer; a part of a visibility; temperatures of which one
# lacks a digit.
_LAYER = re.compile(r".*(?:FEW|SCT|BKN|[O0]VC|VV).*|[A-Z0/]{2,3}\d{2,4}\D*")
_NUMBER = re.compile(r"[MP]?(?:\d{1,2}|\d{0,2}/\d{0,2})(?:SM|KM)?")
_DEGREES = re.compile(r"([M-]?)(\d{2})/[M-]?(?:\d|\d{3})")


class Metar(NamedTuple):
    """What one report says, SI, NaN where it does not.

    Attributes:
        direction: the wind comes from, degrees from north; NaN where variable.
        speed, gust: m/s.
        visibility: m.
        sky: (word, base above ground in m) of each layer: words of ``sky.WORDS``, or ``sky.DOUBTFUL``, whose base is
            infinite where it cannot be below the layers that were read.
        temperature, dew_point: K.
        altimeter: altimeter setting, Pa.
    """

    direction: float
    speed: float
    gust: float
    visibility: float
    sky: tuple[tuple[str, float], ...]
    temperature: float
    dew_point: float
    altimeter: float


def parse_metar(body: str) -> Metar:
    """Read what follows station and time in a report; blanks between its groups are single."""
    start = _REMARKS.search(body)
    main, remarks = (body[: start.start()], body[start.end() :]) if start else (body, "")
    for pattern, joined in _BLANKS if _BLANK.search(main) else ():
        main = pattern.sub(joined, main)
    report = _Body()
    for word in main.split():
        ended = False
        for group in read_word(word):
            ended = ended or not report.take(group)
        if ended:
            remarks = "" if report.is_cut else main + remarks
            break
    other = _NEXT.search(remarks)
    return report.result(_TENTHS.search(remarks, 0, other.start() if other else len(remarks)))


@dataclass
class _Body:
    """What the groups of a body that were read up to now say; see ``Metar``."""

    winds: list[tuple] = field(default_factory=list)  # as the groups have them
    visibility: float | None = None
    sky: list[tuple[str, float]] = field(default_factory=list)
    temperatures: list[tuple] = field(default_factory=list)
    partial: float = UNKNOWN
    inches: list[float] = field(default_factory=list)
    hectopascals: list[float] = field(default_factory=list)
    is_begun: bool = False
    is_cut: bool = False  # whether another report begins in this one
    before: str = ""  # the word before, where it is not understood

    @property
    def is_over(self) -> bool:
        """Whether the groups of wind, visibility and sky are over, by the order of the code."""
        return bool(self.temperatures or self.inches or self.hectopascals)

    def take(self, group: Group) -> bool:
        """Read one group; False where it ends the body."""
        kind, parts = group
        if kind in ("trend", "remark", "next"):
            self.is_cut = kind == "next" and self.is_begun
            return kind == "next" and not self.is_begun  # a time or a word METAR that stands twice
        if kind == "wind" and self.is_over:  # of a forecast without a TEMPO before it
            return False
        if kind == "wind":
            self.winds.append(parts)
        elif kind in ("cavok", "metres", "kilometres", "miles", "fraction"):
            self._see(kind, parts)
        elif kind in ("layer", "clear", "detected", "unobserved"):
            self._cover(kind, parts)
        elif kind == "temperature":
            self.temperatures.append(parts)
        elif kind == "inches":
            self.inches.append(_setting(parts[0]))
        elif kind == "pressure":
            self.hectopascals.append(_setting(parts[0]))
        elif kind == "unread":
            self._doubt(parts[0])
        self.before = parts[0] if kind == "unread" else ""
        self.is_begun = True
        return True

    def _see(self, kind: str, parts) -> None:
        if self.is_over:  # four digits behind the temperature are no visibility
            return
        if kind == "cavok":
            self.sky.append(("CAVOK", UNKNOWN))
        is_part = _NUMBER.fullmatch(self.before) if kind != "fraction" else self.before[-1:].isdigit()
        value = UNKNOWN if is_part and self.before else _visibility(kind, parts)
        # The metres of a second group are those of the worst direction; miles stand once.
        if self.visibility is None:
            self.visibility = value
        elif kind in ("miles", "fraction") and value != self.visibility:
            self.visibility = UNKNOWN

    def _cover(self, kind: str, parts) -> None:
        if kind == "clear":
            self.sky.append((parts[0], UNKNOWN))
        elif kind == "layer":
            word, base = parts[0], _base(parts[1])
            possible = base is not None and not (self.is_over and WORDS[word][1])  # behind: perhaps a forecast's
            self.sky.append((word if possible else DOUBTFUL, UNKNOWN if base is None else base))
        else:
            base = _base(parts[0]) if kind == "unobserved" and parts[0] else ABOVE
            self.sky.append((DOUBTFUL, UNKNOWN if base is None else base))

    def _doubt(self, word: str) -> None:
        """A word that is not understood: it may be a layer, and below the others unless the order forbids it."""
        if not self.is_over and (match := _DEGREES.fullmatch(word)) and (self.visibility is not None or self.sky):
            self.partial = _kelvin(match.group(1), match.group(2))
            return
        expected = (self.visibility is not None or bool(self.sky)) and not self.is_over
        has_ceiling = any(layer != DOUBTFUL and WORDS[layer][1] for layer, _ in self.sky)
        may_be_lower = not self.is_over and _LAYER.fullmatch(word) is not None
        self.sky.append((DOUBTFUL, UNKNOWN if may_be_lower or (expected and not has_ceiling) else ABOVE))

    def result(self, tenths) -> Metar:
        """The report; ``tenths`` is a match of the remark of tenths, or None."""
        temperature, dew_point = (
            _degrees(self.temperatures[0]) if _agree(self.temperatures) else (self.partial, UNKNOWN)
        )
        if tenths is not None:
            first_sign, first, second_sign, second = tenths.groups()
            temperature = _finer(temperature, first_sign, first)
            dew_point = _finer(dew_point, second_sign, second) if second else dew_point
        wind = _wind(*self.winds[0]) if _agree(self.winds) else (UNKNOWN, UNKNOWN, UNKNOWN)
        return Metar(
            *wind,
            UNKNOWN if self.visibility is None else self.visibility,
            tuple(self.sky),
            temperature,
            dew_point,
            self._altimeter(),
        )

    def _altimeter(self) -> float:
        settings = [value for value in (*self.inches, *self.hectopascals) if value == value]
        return settings[0] if settings and max(settings) - min(settings) <= AGREEING else UNKNOWN


def _agree(groups: list[tuple]) -> bool:
    """Whether there is a group of a kind, and no second one that contradicts it."""
    return bool(groups) and all(group == groups[0] for group in groups[1:])


def _wind(direction: str, speed: str, gust: str | None, unit: str) -> tuple[float, float, float]:
    factor = SPEEDS[unit]
    angle = float(direction) if direction.isdigit() and int(direction) <= 360 else UNKNOWN
    mean = int(speed) * factor if speed.isdigit() else UNKNOWN
    peak = int(gust) * factor if gust and gust.isdigit() else UNKNOWN
    return angle, mean, peak if not peak < mean else UNKNOWN  # a gust below the mean is a slip of the keyboard


def _visibility(kind: str, parts) -> float:
    if kind == "cavok":
        return TEN_KM
    if kind == "fraction":
        return _miles(*parts) * MILE
    number = parts[0]
    if not number.isdigit():
        return UNKNOWN
    if kind == "metres":
        step = 50 if int(number) >= 100 else 10  # reported in steps of 50 m and coarser, by some stations of 10 m
        return TEN_KM if number == "9999" else float(number) if int(number) % step == 0 else UNKNOWN
    return int(number) * (MILE if kind == "miles" else 1000.0)


def _miles(whole: str | None, above: str, below: str) -> float:
    """Miles with a fraction; of "11/2SM", whose blank is lost, the one reading with a fraction below 1, else NaN."""
    cuts = [(whole, above)] if whole else [(above[:cut], above[cut:]) for cut in range(len(above))]
    values = {
        int(ones or 0) + int(part) / int(below) for ones, part in cuts if 0 < int(part) < int(below)
    }  # fmt: skip
    return values.pop() if len(values) == 1 else UNKNOWN


def _base(hundreds: str | None) -> float | None:
    """A base in m, NaN where the station gives none; None where no cloud is so high."""
    if hundreds is None or not hundreds.isdigit():
        return UNKNOWN
    return int(hundreds) * 100 * FOOT if int(hundreds) <= HIGHEST_LAYER else None


def _degrees(parts) -> tuple[float, float]:
    sign, temperature, *dew_points = parts
    dew_point = next((pair for pair in zip(dew_points[::2], dew_points[1::2], strict=True) if pair[1]), (None, None))
    return _kelvin(sign, temperature), _kelvin(*dew_point)


def _kelvin(sign: str | None, digits: str | None) -> float:
    return UNKNOWN if digits is None else ICE + (-int(digits) if sign else int(digits))


def _finer(kelvin: float, sign: str, tenths: str) -> float:
    """The tenths of a remark, unless the whole degrees contradict them."""
    exact = ICE + int(tenths) * (-0.1 if sign == "1" else 0.1)
    return kelvin if abs(exact - kelvin) > 1.0 + 1e-6 else exact


def _setting(digits: str | None) -> float:
    if digits is None:
        return UNKNOWN
    number = int(digits)
    pascals = number * 100.0 if number <= HIGHEST_HECTOPASCAL else number * 0.01 * INCH
    return pascals if SETTINGS[0] <= pascals <= SETTINGS[1] else UNKNOWN
