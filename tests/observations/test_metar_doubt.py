"""METAR groups that are not understood: missing for what they may concern, never "unlimited" or a wrong number."""

import math
import re

import numpy as np
import pytest

from mlrtma_dist.observations.metar_text import read_report_texts

FOOT, MILE = 0.3048, 1609.344
UNLIMITED = 20000.0


def read(*bodies: str) -> dict[str, np.ndarray]:
    """Each variable of some reports."""
    times = np.full(len(bodies), np.datetime64("2022-08-24T06:00:00"))
    texts = [f"KDEN 240600Z {body}=" for body in bodies]
    values, has_report, _ = read_report_texts(texts, times, np.full(len(bodies), 100.0))
    assert has_report.all()
    return values


@pytest.mark.parametrize(
    ("sky", "feet", "cover"),
    [
        # a layer that is not understood beside one that is
        ("FEW005 0VC010", None, None),
        ("FEW005 OVC01O", None, None),
        ("FEW013 BKN50", None, None),
        ("SCT025 OVC0070", None, None),
        ("FEW020 ///030", None, None),
        ("FEW020 BNK030", None, None),
        ("FEW020 30", None, None),
        ("FEW02 BKN290", None, None),
        ("SCT020 BKN650", None, None),  # 20 km: no cloud is there
        ("CLR 0VC010", None, None),
        ("NSC ///46", None, None),
        ("FEW020 OVC 0070", None, None),
        # what is read below or before it stands
        ("BKN010 ///030", 1000, None),
        ("///030 BKN010", 1000, None),
        ("///010 BKN030", None, None),
        ("OVC010 XYZ", 1000, 1.0),
        ("XYZ BKN010", None, None),
        ("BKN010 0VC010", None, None),
        ("OVC010 //////CB", 1000, 1.0),
        ("FEW020 //////CB", None, None),
        ("FEW020 ///TCU", None, None),
        ("FEW020 //////", None, None),
        ("//////", None, None),
        # forms that say the same as the code's
        ("FEW050CB BKN020CI", 2000, 6 / 8),
        ("BKN300CI", 30000, 6 / 8),
        ("FEW030 CB BKN080", 8000, 6 / 8),
        ("BKN 014", 1400, 6 / 8),
        ("BKN025OVC040", 2500, 1.0),
        ("FEW020SCT040", UNLIMITED / FOOT, 3.5 / 8),
        ("BKN080///", 8000, 6 / 8),
        ("SCT///", UNLIMITED / FOOT, 3.5 / 8),
        ("BKN///", None, 6 / 8),
        ("BKN", None, 6 / 8),
    ],
)
def test_a_sky_group_that_is_not_understood_gives_no_clear_sky_and_no_wrong_ceiling(sky, feet, cover):
    values = read(f"18010KT 9999 {sky} 06/05 Q1012")
    np.testing.assert_allclose(values["ceiling"], math.nan if feet is None else feet * FOOT)
    np.testing.assert_allclose(values["sky_cover"], math.nan if cover is None else cover)


@pytest.mark.parametrize(
    ("body", "feet"),
    [
        ("18010KT 9999 FEW020 06/05 Q1012 NOSIG", UNLIMITED / FOOT),
        ("18010KT 9999 FEW020 06/05 Q1012 TEMPO BKN002", UNLIMITED / FOOT),
        ("18010KT 9999 FEW020 06/05 Q1012 BLU 27015KT 9999 BKN026", UNLIMITED / FOOT),  # a forecast of its own form
        ("18010KT 9999 FEW020 06/05 Q1012 WS R34 RMK BKN002", UNLIMITED / FOOT),
        ("18010KT 9999 FEW020CB 06/05 Q1012 CB TO NW N", UNLIMITED / FOOT),
        ("M 10SM CLR 06/05 A2992", UNLIMITED / FOOT),
        ("18010KT 10SM CLR 06/05 A2992 AO2 SLP132 OVC SKY", UNLIMITED / FOOT),  # RMK is lost
        ("180O5KT 9999 FEW020 06/05 Q1012", None),
        ("18010KT 9999 FEW020 06/05 Q1012 TEMP0 BKN002", None),
        ("18010KT 9999 FEW020 06/05 Q1012 BKN002", None),
        ("18010KT 9999 BKN020 06/05 Q1012 BKN002", None),
        ("18010KT 9999 BKN020 06/05 Q1012 XYZ", 2000),
        ("180O5KT 9999 BKN020 06/05 Q1012", 2000),
        ("18010KT 10SM CLR 22/j RJ$PQ357 SLP163", None),
    ],
)
def test_a_word_of_the_body_or_behind_it_that_is_not_understood_gives_no_clear_sky(body, feet):
    np.testing.assert_allclose(read(body)["ceiling"], math.nan if feet is None else feet * FOOT)


@pytest.mark.parametrize(
    ("second", "ceiling"),
    [
        ("KBB 240600Z 20010KT 1/4SM OVC002 15/15", math.nan),  # KBB is not understood
        ("METAR KBBB 2406Z OVC002 15/15", UNLIMITED),
        ("SPECI KBBB OVC002 15/15", UNLIMITED),
    ],
)
def test_a_report_whose_head_is_not_understood_is_no_part_of_the_one_before(second, ceiling):
    values = read(f"18005KT 10SM CLR 22/05 A3012 {second}")
    np.testing.assert_array_equal(values["ceiling"], ceiling)
    assert values["t2m"] == pytest.approx(295.15) and values["visibility"] == pytest.approx(16093.44)


def test_a_time_that_stands_twice_is_passed_over():
    values = read("240600Z 18005KT 10SM OVC010 22/05 A3012", "METAR 18005KT 10SM OVC010 22/05 A3012")
    np.testing.assert_allclose(values["ceiling"], 304.8)
    np.testing.assert_allclose(values["v10"], 5 * 1852 / 3600)


VISIBILITIES = {"10SM": 10, "1/4SM": 0.25, "1 1/2SM": 1.5, "2 3/4SM": 2.75, "15SM": 15, "1 3/8SM": 1.375}
METRES = ("0350", "0800", "4000", "9999")


def random_report(random: np.random.Generator) -> tuple[str, dict[str, float]]:
    """A report in the order of the code, and its values."""
    direction, speed, gust = 10 * random.integers(1, 37), random.integers(3, 30), random.integers(30, 50)
    is_metric, is_gusty = random.random() < 0.4, random.random() < 0.4
    visibility = str(random.choice(METRES)) if is_metric else str(random.choice(list(VISIBILITIES)))
    bases = np.sort(random.choice(np.arange(2, 300), 3, replace=False))[: random.integers(1, 4)]
    words = random.choice(["FEW", "SCT", "BKN", "OVC"], len(bases))
    temperature, dew_point = random.integers(-20, 35), random.integers(-30, -20)
    limits = [100 * base * FOOT for word, base in zip(words, bases, strict=True) if word in ("BKN", "OVC")]
    groups = [
        f"{direction:03d}{speed:02d}" + (f"G{gust}" if is_gusty else "") + "KT",
        *(["180V240"] if random.random() < 0.3 else []),
        visibility,
        *(["R24/2000FT"] if random.random() < 0.3 else []),
        *random.choice(["-RA", "BR", "+TSRAGR", "VCSH", "FZFG"], random.integers(0, 3), replace=False),
        *(f"{word}{base:03d}" for word, base in zip(words, bases, strict=True)),
        f"{'M' if temperature < 0 else ''}{abs(temperature):02d}/M{abs(dew_point):02d}",
        "Q1013" if is_metric else "A2992",
    ]
    cover = {"FEW": 1.5, "SCT": 3.5, "BKN": 6, "OVC": 8}
    speed_si, angle = speed * 1852 / 3600, math.radians(direction)
    return " ".join(groups), {
        "t2m": temperature + 273.15,
        "d2m": dew_point + 273.15,
        "u10": -speed_si * math.sin(angle),
        "v10": -speed_si * math.cos(angle),
        "gust": gust * 1852 / 3600 if is_gusty else math.nan,
        "visibility": min(float(visibility) + (visibility == "9999"), 1e4)
        if is_metric
        else VISIBILITIES[visibility] * MILE,
        "ceiling": min(limits, default=UNLIMITED),
        "sky_cover": max(cover[word] for word in words) / 8,
    }


def test_without_any_one_of_its_blanks_a_report_gives_the_same_values_or_none(seed):
    random = np.random.default_rng(seed)
    complete = values = 0
    for _ in range(60):
        body, truth = random_report(random)
        blanks = [index for index, letter in enumerate(body) if letter == " "]
        texts = [body, *(body[:index] + body[index + 1 :] for index in blanks)]
        columns = read(*texts)
        for variable, value in truth.items():
            column = columns[variable]
            np.testing.assert_allclose(column[0], value, atol=1e-6, err_msg=f"{variable}: {body}")
            equal = np.isclose(column, value, atol=1e-6, equal_nan=True)
            wrong = [text for text, right in zip(texts, equal | np.isnan(column), strict=True) if not right]
            assert not wrong, f"{variable} is {value:g}; seed {seed}"
            complete, values = complete + equal.sum(), values + len(equal)
    assert complete > 0.97 * values  # nearly all are read all the same


WELL_FORMED = re.compile(r"(?:FEW|SCT|BKN|OVC)\d{3}")


def test_a_letter_that_is_wrong_in_a_sky_group_gives_no_other_ceiling(seed):
    random = np.random.default_rng(seed)
    for _ in range(60):
        body, truth = random_report(random)
        damaged = []
        for match in WELL_FORMED.finditer(body):
            for index in range(match.start(), match.end()):
                text = body[:index] + str(random.choice(list("OIBKSXZ07/"))) + body[index + 1 :]
                if not WELL_FORMED.search(text, match.start(), match.end()):
                    damaged.append(text)
        columns = read(*damaged)
        for variable in ("ceiling", "sky_cover"):
            column = columns[variable]
            right = np.isnan(column) | np.isclose(column, truth[variable])
            assert right.all(), f"{variable} is {truth[variable]:g}; seed {seed}: {np.array(damaged)[~right]}"
