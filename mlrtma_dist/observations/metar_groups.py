"""The groups of a METAR's body: what one word between blanks is, also where the blanks between groups are lost.

WMO FM 15 (Manual on Codes, volume I.1, section A) and FMH-1, chapter 12. A word is read as a whole or not at all: a
pattern fits all of it, or it falls into groups that each fit (10SMCLR, BKN025OVC040). Everything else is unread, and
the caller decides what an unread word may have been.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

_COVER = r"FEW|SCT|BKN|OVC|VV"
# Genera (WMO code table 0500), as some stations write them behind a base.
_GENUS = r"(?:TCU|CB|ACC|CI|CC|CS|AC|AS|NS|SC|ST|CU)?"
_WEATHER = (
    r"(?:[+-]|VC|RE)*(?:MI|PR|BC|DR|BL|SH|TS|FZ)*"
    r"(?:DZ|RA|SN|SG|IC|PL|GR|GS|UP|BR|FG|FU|VA|DU|SA|HZ|PY|PO|SQ|FC|SS|DS|NSW)*"
)
_RUNWAY = r"R(?:\d\d[LCR]{0,2}|MID)"
# Kind -> pattern of a group; the first that fits counts. "1_1/2SM" is "1 1/2SM", whose blank is none between groups.
_PATTERNS = {
    "wind": r"E?(\d{3}|VRB|///)P?(\d{2,3}|//)(?:GP?(\d{2,3}|//))?(KTS?|MPS|KMH)",
    "cavok": r"CAVOK",
    "metres": r"[MP]?(\d{4}|////)(?:NDV|M|N|NE|E|SE|S|SW|W|NW|O|NO|SO)?",
    "kilometres": r"(\d{1,3})KM",
    "miles": r"[MP]?(\d{1,3}|////?)SM",
    "fraction": r"[MP]?(?:(\d{1,2})_)?(\d{1,3})/(\d{1,2})SM",
    "layer": rf"({_COVER})(\d{{3}}|///)(?:///)?{_GENUS}",
    "clear": r"(CLR|SKC|NCD|NSC)",
    "detected": r"(?:///){1,2}(?:CB|TCU)",  # a convective cloud whose amount and base are not observed
    "unobserved": r"///(\d{3})(?:///|CB|TCU)?|/{6}|/{9}|///",  # a layer, or a sky, whose amount is not observed
    "temperature": r"(M|-)?(\d{2})/(?:(M|-)?(\d{2})|//|XX|MM?)?|(?:MM?|XX)/(?:(M|-)?(\d{2})|//|XX|MM?)",
    "inches": r"A(?:(\d{4})(?:INS)?|////)",
    "pressure": r"Q(?:NH)?(?:(\d{4})(?:INS)?|////)",
    "next": r"METAR|SPECI|TAF|\d{4,6}Z",  # another report without an end of this one
    "trend": r"TEMPO|BECMG|INTER|NOSIG|PROB\d\d|FM\d{4}|AT\d{4}",
    "remark": r"AO[12]A?|A0[12]A?|SLP(?:\d{3}|NO)|T[01]\d{3}[01]\d{3}",  # of remarks that RMK does not introduce
    # What is understood, and no variable of ours.
    "ignored": (
        r"AUTO|CORR?|CC[A-Z]|RTD|NIL|\$|(?:CB|TCU)(?:/[NSEW]{1,3})*"
        r"|\d{3}V(?:RB)?\d{3}|///V///|//|/{5}|/{7}"
        rf"|{_RUNWAY}/(?:[MP]?\d{{4}}(?:V[MP]?\d{{4}})?(?:FT)?/?[UDN]?|////(?:FT)?|[\d/]{{6}}|CLRD(?:\d\d|//)|SNOCLO|(?:\d\d)?D)"
        rf"|{_RUNWAY}/[MP]?\d{{4}}[UDN]V[MP]?\d{{4}}[UDN]?|\d{{2}}(?:[\d/]{{6}}|CLRD(?:\d\d|//))|R/SNOCLO|R/{{6,8}}"
        rf"|WS|ALL|RWY(?:\d\d[LCR]?)?|{_RUNWAY}|RE//|W(?:\d\d|//)/(?:S[\d/]|H[\d/]{{1,3}}|//)"
        r"|RF\d\d\.\d/\d{3}\.\d|QF[EF]\d{3,4}(?:[./]\d+)*|(?:BLACK)?(?:BLU\+?|WHT|GRN|YLO[12]?|AMB|RED)+"
    ),
    "weather": _WEATHER,
}
_FULL = {kind: re.compile(pattern) for kind, pattern in _PATTERNS.items()}
# Only as words of their own: marks of a missing element, a layer without a base, places of clouds.
_ALONE = {
    "missing": re.compile(r"MM?|/|////"),
    "layer": re.compile(rf"({_COVER})()"),
    "ignored": re.compile(r"[NSEW]{1,3}|TO|HZ"),  # where a cloud is seen: "CB TO NW N"
}
# The order of the code, in which groups follow each other where their blanks are lost: 4,000 m are not behind a layer.
_ORDER = {
    "wind": 0, "cavok": 1, "metres": 1, "kilometres": 1, "miles": 1, "fraction": 1, "layer": 2, "clear": 2,
    "detected": 2, "unobserved": 2, "temperature": 3, "inches": 4, "pressure": 4, "trend": 5,
}  # fmt: skip
LONGEST = 60  # characters of a word that is taken apart


class Group(NamedTuple):
    """One group: its kind, a key of the patterns or "unread", and the parts that its pattern names, each a text or None
    (of an unread word the word)."""

    kind: str
    parts: tuple[Any, ...]


@lru_cache(maxsize=1 << 17)
def read_word(word: str) -> tuple[Group, ...]:
    """The groups of a word, which has no blank; one of the kind "unread" where it is none and falls into none."""
    for kind, pattern in _ALONE.items():
        if match := pattern.fullmatch(word):
            return (Group(kind, match.groups()),)
    return _run_together(word, 0) or (Group("unread", (word,)),)


def _run_together(word: str, least: int) -> tuple[Group, ...] | None:
    """The groups of a word of which the blanks may be lost, the longest group first at each place.

    Args:
        least: the place in the order of the code that the groups must not precede.

    Returns:
        None where a rest remains.
    """
    if len(word) > LONGEST:
        return None
    for end in range(len(word), 0, -1):
        for kind, pattern in _FULL.items():
            match = pattern.fullmatch(word, 0, end)
            place = _ORDER.get(kind, least)
            if match is None or place < least:
                continue
            if end == len(word):
                return (Group(kind, match.groups()),)
            if rest := _run_together(word[end:], place):
                return (Group(kind, match.groups()), *rest)
            break
    return None
