"""One METAR or SPECI from its text: WMO FM 15, FM 16 (Manual on Codes, volume I.1) and the American remarks (FMH-1).

A pattern an element, searched between blanks: stations write the elements in varying order and with much in between.
What a pattern does not find is missing, never an error: half a report is worth reading.

* Wind in KT, MPS or KMH; VRB has a speed and no direction, 00000KT is calm, P99KT counts as 99.
* Visibility in statute miles ("1 1/2SM"; M1/4SM and P6SM count as the limit that they name), metres (9999: 10 km or
  more, counts as 10 km) or km; CAVOK counts as 10 km. What follows a TEMPO or BECMG is a forecast and is not read.
* Temperature and dew point in tenths from the remark T02330144 where it agrees with the whole degrees to 1 K.
* The altimeter setting stays one: station pressure needs the station's height (``altimeter.station_pressure``).
"""

import re
from typing import NamedTuple

from mlrtma_dist.names import ICE
from mlrtma_dist.observations.csv_mapping import UNITS

KNOT, MILE, FOOT, INCH = (UNITS[name][1] for name in ("knot", "statute_mile", "foot", "inHg"))
SPEEDS = {"KT": KNOT, "KTS": KNOT, "MPS": 1.0, "KMH": 1 / 3.6}
TEN_KM = 10e3  # m, "9999" and "CAVOK"
HIGHEST_HECTOPASCAL = 1100  # a setting above it is in hundredths of an inch, whatever letter stands before
UNKNOWN = float("nan")

_START, _END = r"(?<!\S)", r"(?!\S)"
_TREND = re.compile(_START + r"(?:TEMPO|BECMG|INTER|NOSIG|PROB\d\d|FM\d{4})")
_REMARKS = re.compile(_START + r"RMK\b")
_WIND = re.compile(_START + r"(\d{3}|VRB|///)P?(\d{2,3})(?:GP?(\d{2,3}|//))?(KTS?|MPS|KMH)" + _END)
_VISIBILITY = re.compile(
    _START
    + r"(?:(CAVOK)|(\d{4})(?:NDV|[NSEW]{1,2}|M)?|(\d{1,3})KM"
    + r"|[MP]?(?:(\d{1,3}) ?|(?:(\d{1,2}) )?(\d{1,2})/(\d{1,2}) ?)SM)"
    + _END
)
_TEMPERATURE = re.compile(_START + r"(M?\d{2})/(M?\d{2}(?!\d))?(?://|XX|MM)?" + _END)
_ALTIMETERS = tuple(re.compile(_START + letter + r" ?(\d{4})(?:INS)?" + _END) for letter in ("A", "Q(?:NH)?"))
_SKY = re.compile(_START + r"(CLR|SKC|NCD|NSC|CAVOK|FEW|SCT|BKN|OVC|VV)(\d{3})?(?:/{3})?(?:CB|TCU|/{3})?" + _END)
_TENTHS = re.compile(_START + r"T([01])(\d{3})(?:([01])(\d{3}))?")


class Metar(NamedTuple):
    """What one report says, SI, NaN where it does not.

    Attributes:
        direction: the wind comes from, degrees from north; NaN where variable.
        speed, gust: m/s.
        visibility: m.
        sky: (word of ``sky.WORDS``, base above ground in m) of each layer.
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
    remarks = _REMARKS.search(body)
    trend = _TREND.search(body)
    end = min(m.start() if m else len(body) for m in (remarks, trend))
    measured = _TEMPERATURE.search(body, 0, end)
    temperature, dew_point = _degrees(measured, _TENTHS.search(body, remarks.end()) if remarks else None)
    inches, hectopascals = _ALTIMETERS  # where a station gives both, A is the finer one
    setting = inches.search(body, 0, end) or hectopascals.search(body, 0, end)
    return Metar(
        *_wind(_WIND.search(body, 0, end)),
        # beyond the temperature four digits are no visibility
        _visibility(_VISIBILITY.search(body, 0, measured.start() if measured else end)),
        tuple((word, int(base) * 100 * FOOT if base else UNKNOWN) for word, base in _SKY.findall(body, 0, end)),
        temperature,
        dew_point,
        _setting(setting),
    )


def _wind(match) -> tuple[float, float, float]:
    if match is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    direction, speed, gust, unit = match.groups()
    factor = SPEEDS[unit]
    angle = float(direction) if direction.isdigit() and int(direction) <= 360 else UNKNOWN
    return angle, int(speed) * factor, int(gust) * factor if gust and gust.isdigit() else UNKNOWN


def _visibility(match) -> float:
    if match is None:
        return UNKNOWN
    cavok, metres, kilometres, miles, whole, above, below = match.groups()
    if cavok or metres == "9999":
        return TEN_KM
    if metres:
        return float(metres)
    if kilometres:
        return 1000.0 * int(kilometres)
    if miles:
        return int(miles) * MILE
    return (int(whole or 0) + int(above) / int(below)) * MILE if int(below) else UNKNOWN


def _degrees(match, tenths) -> tuple[float, float]:
    """Temperature and dew point in K, each from the remark's tenths unless the whole degrees contradict them."""
    whole = (None, None) if match is None else match.groups()
    precise = (None, None)
    if tenths is not None:
        first_sign, first, second_sign, second = tenths.groups()
        precise = (first_sign + first, second_sign + second if second else None)
    return _kelvin(whole[0], precise[0]), _kelvin(whole[1], precise[1])


def _kelvin(whole: str | None, precise: str | None) -> float:
    celsius = None if whole is None else float(whole.replace("M", "-"))
    if precise is not None:
        exact = int(precise[1:]) * (-0.1 if precise[0] == "1" else 0.1)
        if celsius is None or abs(exact - celsius) <= 1.0:
            celsius = exact
    return UNKNOWN if celsius is None else celsius + ICE


def _setting(match) -> float:
    if match is None:
        return UNKNOWN
    number = int(match.group(1))
    return number * 100.0 if number <= HIGHEST_HECTOPASCAL else number * 0.01 * INCH
