"""Messages that hold no value of an instant, by every means by which GRIB says so, are not taken for one."""

import importlib.util
import pathlib

import numpy as np
import pytest

from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.io.grib import read_grib

_SPEC = importlib.util.spec_from_file_location("grib_writer", pathlib.Path(__file__).with_name("grib_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
LONGLAT, T2M = _writer.LONGLAT, _writer.T2M
WIND = (("indicatorOfParameter", 33), ("indicatorOfTypeOfLevel", 105), ("level", 10))
CLOUD = (("indicatorOfParameter", 71), ("indicatorOfTypeOfLevel", 200))
AIR = (("indicatorOfParameter", 11), ("indicatorOfTypeOfLevel", 105), ("level", 2))
GUST = (("parameterCategory", 2), ("parameterNumber", 22), ("typeOfFirstFixedSurface", 103), ("level", 10))
OURS = ("t2m", "u10", "sky_cover", "gust", "d2m")
SIX_HOURS = (("indicatorOfUnitForTimeRange", 1), ("lengthOfTimeRange", 6))


def edition_1(quantity, value: float, indicator=0, centre=7, keys=(), p1=0, p2=6) -> bytes:
    """A message of edition 1 without a local section, unless keys make one."""
    fixed = [("deleteLocalDefinition", 1), ("centre", centre), ("table2Version", 2), ("indicatorOfUnitOfTimeRange", 1)]
    times = [("timeRangeIndicator", indicator), ("P1", p1), ("P2", p2)]
    grid = np.full(LONGLAT.shape, value)
    return _writer.write_message(LONGLAT, grid, kind="regular_ll, edition 1", keys=(*fixed, *quantity, *times, *keys))


def extended(message: bytes, *octets: int) -> bytes:
    """The message with these octets from 41 on in section 1, as NCEP extends it."""
    length = int.from_bytes(message[8:11])
    more = bytes(40 - length) + bytes(octets)
    section = (length + len(more)).to_bytes(3) + message[11 : 8 + length] + more
    rest = message[8 + length :]
    return b"GRIB" + (8 + len(section) + len(rest)).to_bytes(3) + b"\x01" + section + rest


def edition_2(*keys, quantity=T2M, value=280.0) -> bytes:
    return _writer.write_message(LONGLAT, np.full(LONGLAT.shape, value), keys=(*keys, *quantity))


def those_read(tmp_path, messages: dict[str, bytes], codes=()) -> list[str]:
    """Which of the messages, by their labels, are read as a field of ours; all of one file."""
    fields = read_grib(_writer.save(tmp_path, *messages.values()), OURS, codes=codes)
    return [list(messages)[int(field.source.split("message ")[1].split()[0]) - 1] for field in fields]


def labelled(octet: int, stream: int) -> bytes:
    """A message with ECMWF's local definition 1: type of data and stream."""
    return extended(edition_1(AIR, 280.0, centre=98), 1, 1, octet, *stream.to_bytes(2), *b"0001", 0, 0, 0)


@pytest.mark.parametrize(("quantity", "value"), [(AIR, 280.0), (WIND, 4.0), (CLOUD, 60.0)], ids=["t2m", "u10", "cloud"])
def test_of_edition_1_averages_sums_extremes_and_differences_are_left_out(tmp_path, quantity, value):
    periods = (2, 3, 4, 5, 6, 7, 51, 113, 114, 115, 116, 117, 118, 119, 123, 124, 125, 128, 200)
    messages = {number: edition_1(quantity, value, number) for number in (*periods, 0, 1)}
    assert those_read(tmp_path, messages) == [0, 1]


def test_a_start_in_two_octets_is_an_instant(tmp_path):
    (field,) = read_grib(_writer.save(tmp_path, edition_1(AIR, 280.0, 10, p1=1, p2=44)), ("t2m",))
    assert field.valid_time - field.reference_time == np.timedelta64(300, "h")


def test_indicators_of_a_centre_are_those_of_its_own_table(tmp_path):
    codes = [(78, 13), (78, 14), (98, 14), (7, 13), (7, 14)]
    messages = {code: edition_1(AIR, 280.0, code[1], code[0]) for code in codes}
    assert those_read(tmp_path, messages) == codes[:3]


@pytest.mark.parametrize("centre", [7, 9, 59])
def test_of_ncep_members_and_means_are_read_and_spreads_and_probabilities_left_out(tmp_path, centre):
    products = {
        "control": (1, 1, 1, 1, 0),
        "member": (1, 3, 2, 1, 0),
        "mean": (1, 5, 0, 1, 0),
        "weighted mean": (1, 5, 0, 2, 0),
        "mean in a long section": (1, 5, 0, 1, 0, 0, 0, *bytes(13)),
        "spread": (1, 5, 0, 11, 0),
        "normalised spread": (1, 5, 0, 12, 0),
        "probability": (1, 5, 0, 1, 0, 11, 1, *bytes(13)),
    }
    messages = {label: extended(edition_1(WIND, 1.5, centre=centre), *octets) for label, octets in products.items()}
    assert those_read(tmp_path, messages) == list(products)[:5]


def test_of_ecmwf_the_type_of_data_and_the_stream_decide(tmp_path):
    state = {"fg": 1, "an": 2, "4v": 6, "fc": 9, "cf": 10, "pf": 11, "em": 17}
    other = {"ef": 12, "ea": 13, "es": 18, "cl": 20, "efi": 27, "ep": 30, "4i": 33, "ses": 46, "taem": 47, "sv": 62}
    types = {label: labelled(number, 1025) for label, number in (state | other | {"fcmean": 80, "fcmax": 81}).items()}
    streams = {label: labelled(2, number) for label, number in {"enfo": 1035, "mnth": 1043, "moda": 1071}.items()}
    assert those_read(tmp_path, types | streams) == [*state, "enfo"]


STATISTICS = {8: (), 11: (), 12: (("derivedForecast", 0),)}
PLAIN = {
    "analysis": (),
    "a member": (("productDefinitionTemplateNumber", 1),),
    "the mean of members": (("productDefinitionTemplateNumber", 2), ("derivedForecast", 0)),
    "the weighted mean": (("productDefinitionTemplateNumber", 2), ("derivedForecast", 1)),
    "interpolated in space": (("productDefinitionTemplateNumber", 15), ("statisticalProcess", 255)),
    "a reforecast's member": (("productDefinitionTemplateNumber", 60),),
    "post-processed": (("productDefinitionTemplateNumber", 70),),
    "bias-corrected": (("typeOfGeneratingProcess", 3),),
    "first guess": (("typeOfGeneratingProcess", 19),),
}
NO_INSTANT = {
    **{
        f"statistic {kind} of template {template}": (
            ("productDefinitionTemplateNumber", template),
            ("typeOfStatisticalProcessing", kind),
            *SIX_HOURS,
            *more,
        )
        for template, more in STATISTICS.items()
        for kind in (0, 1, 2, 3, 4, 6)
    },
    **{
        f"derived {kind}": (("productDefinitionTemplateNumber", template), ("derivedForecast", kind))
        for kind in (2, 3, 4, 5, 7, 8, 9, 10, 193, 198)
        for template in (2, 3, 4)
    },
    "a probability": (("productDefinitionTemplateNumber", 5),),
    "a percentile": (("productDefinitionTemplateNumber", 6), ("percentileValue", 90)),
    "an error": (("productDefinitionTemplateNumber", 7),),
    "a probability over time": (("productDefinitionTemplateNumber", 9),),
    "a percentile over time": (("productDefinitionTemplateNumber", 10),),
    "a quantile": (("productDefinitionTemplateNumber", 86),),
    "a local time": (("productDefinitionTemplateNumber", 88),),
    "a category": (("productDefinitionTemplateNumber", 51),),
    "a tile": (("productDefinitionTemplateNumber", 55),),
    "an anomaly": (("productDefinitionTemplateNumber", 128),),
    "a maximum of an area": (("productDefinitionTemplateNumber", 15), ("statisticalProcess", 2)),
    "an event's probability": (("typeOfProcessedData", 8),),
    **{f"process {number}": (("typeOfGeneratingProcess", number),) for number in (5, 6, 7, 9, 18, 20, 21, 23)},
    "NCEP's confidence": (("centre", 7), ("typeOfGeneratingProcess", 192)),
    "DWD's difference": (("centre", 78), ("typeOfGeneratingProcess", 201)),
}
LAYERS = {"a layer": edition_2(quantity=(*T2M, ("typeOfSecondFixedSurface", 103)))}


def test_of_edition_2_values_of_an_instant_alone_are_read(tmp_path):
    messages = {label: edition_2(*keys) for label, keys in (NO_INSTANT | PLAIN).items()}
    assert those_read(tmp_path, messages | LAYERS) == [*PLAIN]


def test_a_code_of_the_users_names_numbers_and_makes_no_average_an_instant(tmp_path):
    messages = {"instant": edition_2(), "average": edition_2(*NO_INSTANT["statistic 0 of template 8"])}
    (field,) = read_grib(_writer.save(tmp_path, *messages.values()), OURS, codes=parse_codes({"0.0.0@103:2": "d2m"}))
    assert field.name == "d2m" and "message 1 " in field.source


def test_a_gust_is_the_maximum_of_a_period_and_no_other_statistic(tmp_path):
    period = (("productDefinitionTemplateNumber", 8), *SIX_HOURS)
    messages = {
        kind: edition_2(*period, ("typeOfStatisticalProcessing", kind), quantity=GUST, value=12.0)
        for kind in (0, 1, 2, 4)
    }
    assert those_read(tmp_path, messages) == [2]


def test_where_the_reference_time_is_the_verifying_time_the_field_is_valid_then(tmp_path):
    keys = (("significanceOfReferenceTime", 2), ("dataDate", 20220824), ("dataTime", 600), ("forecastTime", 12))
    (field,) = read_grib(_writer.save(tmp_path, edition_2(*keys)), ("t2m",))
    assert str(field.valid_time) == "2022-08-24T06:00:00"


def test_cloud_of_a_layer_is_not_that_of_the_whole_sky(tmp_path):
    quantity = (("parameterCategory", 6), ("parameterNumber", 1), ("typeOfFirstFixedSurface", 1))
    messages = {
        second: edition_2(quantity=(*quantity, ("typeOfSecondFixedSurface", second)), value=60.0)
        for second in (255, 8, 100)
    }
    assert those_read(tmp_path, messages) == [255, 8]
