"""The station lists of an operational surface analysis, in their own formats; given by the user, none is shipped.

Each kind is told from the content, but for plain lists of names, which say nothing of themselves: there the file's name
must hold "vis" (visibility) or "wind" or "stn" (wind).

* reject list: three lines of heading, whose middle one says what is rejected ("reject list for temperature obs",
  "... for t-obs during day hours"); then a quoted line a station, its name in the first eight columns before a bar;
* provider use list: three lines of heading ("Use list for mesonet data"), then eight columns of provider and as many of
  its part, "allsprvs" for all parts; these mesonets' winds may be used;
* wind direction use list: "number of bins = 8", then name, provider, latitude, longitude and bin a line: the wind of
  that mesonet station may be used when it blows from that bin, counted from north, clockwise, from 1;
* station use list: a name a line;
* observation errors by report type and variational quality control (``error_table``).
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.file_kind import read_unpacked
from mlrtma_dist.observations.error_table import ErrorTable, is_error_table, read_error_table

log = logging.getLogger(__name__)
NAME = 8  # columns of a station's name, of a provider and of its part
ALL_PARTS = "allsprvs"
HEADING = 3  # lines of reject and provider lists
BINS = re.compile(r"number of bins\s*=\s*(\d{1,2})\s*$")
WIND_BIN = re.compile(r"(.{8})   (.{8})   \s*(-?\d+\.\d+)\s+(-?\d+\.\d+)\s+(\d{1,2})\s*$")
QUANTITIES = {"temperature": "t", "t": "t", "specific humidity": "q", "q": "q", "surface pressure": "p", "wind": "w"}


@dataclass(frozen=True)
class StationLists:
    """What the given lists say; an absent use list (None) allows everybody.

    Attributes:
        rejected: quantity t, q, p, w, and with "_day" or "_night" -> names.
        providers: (provider, its part) of the mesonets whose winds may be used.
        wind_stations: mesonet stations whose winds may be used.
        wind_bins: station -> bins from which its wind may be used, ``bins`` of them around the compass.
        bins: number of bins, 0 without such a list.
        visibility_stations: mesonet stations whose visibility may be used.
        errors: observation errors by report type; None: not given.
        files: names of what was read, for messages.
    """

    rejected: dict[str, frozenset[str]] = field(default_factory=dict)
    providers: frozenset[tuple[str, str]] | None = None
    wind_stations: frozenset[str] | None = None
    wind_bins: dict[str, frozenset[int]] = field(default_factory=dict)
    bins: int = 0
    visibility_stations: frozenset[str] | None = None
    errors: ErrorTable | None = None
    files: tuple[str, ...] = ()


NO_LISTS = StationLists()


def read_station_lists(paths: Sequence[str | Path]) -> StationLists:
    """Read lists of any kind; several of one kind add up, of observation errors the last one counts.

    Raises:
        InputError: a file that is none of them, or damaged; names file, line and what was expected.
    """
    lists = StationLists()
    for path in map(Path, paths):
        try:
            text = read_unpacked(path).decode("ascii")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: byte {error.start} is not ASCII; expected a station list") from error
        lists = replace(_read(path, text.splitlines(), lists), files=(*lists.files, path.name))
    return lists


def _read(path: Path, lines: list[str], lists: StationLists) -> StationLists:
    title = lines[1].strip() if len(lines) > 1 else ""
    if is_error_table(lines):
        table = read_error_table(path, lines)
        return lists if table is None else replace(lists, errors=table)
    if title.startswith("reject list for "):
        quantity = _quantity(path, title.removeprefix("reject list for "))
        names = lists.rejected.get(quantity, frozenset()) | _rejected(path, lines)
        return replace(lists, rejected=lists.rejected | {quantity: names})
    if title.lower().startswith("use list"):
        return replace(lists, providers=(lists.providers or frozenset()) | _providers(path, lines))
    if BINS.match(lines[0]):
        return _wind_bins(path, lines, lists)
    names = _names(path, lines)
    if "vis" in path.name.lower():
        return replace(lists, visibility_stations=(lists.visibility_stations or frozenset()) | names)
    if "wind" in path.name.lower() or "stn" in path.name.lower():
        return replace(lists, wind_stations=(lists.wind_stations or frozenset()) | names)
    raise InputError(
        f"{path}: a plain list of stations does not say of what; expected 'vis' (visibility), 'wind' or 'stn' (wind)"
        f" in the file's name, got {path.name!r}: rename it"
    )


def _quantity(path: Path, words: str) -> str:
    """The quantity of a reject list and its time of day, from "temperature obs" or "t-obs during day hours"."""
    match = re.match(r"(.+?)[ -]obs(?: during (day|night) hours)?\b", words)
    if not match or match[1] not in QUANTITIES:
        raise InputError(
            f"{path}: line 2: expected 'reject list for' {', '.join(QUANTITIES)} 'obs', with 'during day hours' or"
            f" 'during night hours' or without, got {words!r}"
        )
    return QUANTITIES[match[1]] + (f"_{match[2]}" if match[2] else "")


def _rejected(path: Path, lines: list[str]) -> frozenset[str]:
    names = set()
    for number, line in enumerate(lines[HEADING:], start=HEADING + 1):
        if not line.strip():
            continue
        if line[:1] != "'" or line[NAME + 1 : NAME + 2] != "|" or not line[1 : NAME + 1].strip():
            raise _wrong(path, number, "a quote, a station's name in eight columns and a bar", line)
        names.add(line[1 : NAME + 1].strip())
    return frozenset(names)


def _providers(path: Path, lines: list[str]) -> frozenset[tuple[str, str]]:
    pairs = set()
    for number, line in enumerate(lines[HEADING:], start=HEADING + 1):
        if not line.strip():
            continue
        pair = line[:NAME].strip(), line[NAME : 2 * NAME].strip()
        if not all(pair) or line[2 * NAME :].strip():
            raise _wrong(path, number, "a provider in eight columns and its part, or allsprvs, in eight more", line)
        pairs.add(pair)
    return frozenset(pairs)


def _wind_bins(path: Path, lines: list[str], lists: StationLists) -> StationLists:
    heading = BINS.match(lines[0])
    bins = int(heading[1]) if heading else 0
    if bins < 1 or lists.bins not in (0, bins):
        raise _wrong(path, 1, f"{lists.bins or 'at least 1'} bins", lines[0])
    by_station = dict(lists.wind_bins)
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = WIND_BIN.match(line)
        if not cells or not 1 <= int(cells[5]) <= bins:
            raise _wrong(path, number, f"name, provider, latitude, longitude and a bin from 1 to {bins}", line)
        name = cells[1].strip()
        by_station[name] = by_station.get(name, frozenset()) | {int(cells[5])}
    return replace(lists, wind_bins=by_station, bins=bins)


def _names(path: Path, lines: list[str]) -> frozenset[str]:
    names = set()
    for number, line in enumerate(lines, start=1):
        word = line.strip()
        if not word:
            continue
        if len(word) > NAME or len(word.split()) != 1:
            raise _wrong(path, number, "a reject list, a use list, an error table, or a station's name a line", line)
        names.add(word)
    if not names:
        raise InputError(f"{path}: expected a list of stations, found no line of one")
    return frozenset(names)


def _wrong(path: Path, number: int, expected: str, line: str) -> InputError:
    return InputError(f"{path}: line {number}: expected {expected}, got {line[:80]!r}")
