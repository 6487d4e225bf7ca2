"""Whether a GRIB message holds values of its quantity at an instant, by all means by which the format says so.

An average, extreme or difference over time, a spread, probability or quantile of members, an error, an increment or
an anomaly has the same code numbers as the quantity itself. Edition 1 tells them by the time range indicator (code
table 5), by ECMWF's labels and by NCEP's extension of section 1 (Office Note 388, appendix C); edition 2 by the product
definition template (code table 4.0), what is derived of members (4.7), the generating process (4.3) and the type of
data (1.4). A template that is not listed here is not taken for one of instants.
"""

import eccodes

GUST = "gust"  # the maximum of a period by its nature
MAXIMUM = 2  # code table 4.10 of edition 2, and of edition 1 what is valid for a range of time

# edition 2, code table 4.0: analyses, forecasts, members, means of members, post-processed or not, at a point in time
POINT_TEMPLATES = (0, 1, 2, 3, 4, 60, 70, 71, 117, 137, 65533)
INTERVAL_TEMPLATES = (8, 11, 12, 13, 14, 61, 72, 73, 118, 138, 65534)  # the same, of statistics over a time
SPATIAL_TEMPLATE, NO_STATISTIC = 15, 255  # interpolated in space, or a statistic of an area
MEANS = (0, 1)  # code table 4.7: mean and weighted mean of members; others are spreads, extremes, indices
# code table 4.3: probability, forecast and analysis error, climatology, differences, increments, anomaly
NOT_THE_STATE = (5, 6, 7, 9, 18, 20, 21, 23)
NOT_THE_STATE_LOCALLY = {  # by centre: NCEP's confidence and probabilities, DWD's differences, biases and model errors
    7: (192, 194, 197),
    78: (199, 200, 201, 206, 207, 208, 221),
}
LOCAL_TIME = 4  # code table 1.2

# ECMWF's types (and code table 1.4): analyses, forecasts, members, means and representatives of members
TYPES = (
    *("an", "ia", "oi", "3v", "4v", "fg", "fc", "cf", "pf", "em", "wem", "cm", "cr", "bf", "gbf", "pa", "if", "cv"),
    *("si", "or", "af", "cp", "sa", "ra"),
    *("unknown", "missing", "none"),  # it is not stated
)
# ECMWF's and SMHI's streams of means, climatologies, anomalies and statistics over days and months
STATISTIC_STREAMS = (
    *("mnth", "moda", "monr", "mnvr", "msdc", "msda", "mdfa", "dacl", "dame", "clmn", "sfmm", "smma", "mofm", "mnfa"),
    *("mnfm", "mfhm", "mfam", "msmm", "mmsa", "mmam", "esmm", "ehmm", "edmm", "edmo", "efhs", "eehs", "sttd", "stte"),
    *("sfmd", "shmd", "sfdp", "shdp", "seme", "secy"),
)
NCEP_EXTENDED = (7, 8, 9, 46, 54, 57, 58, 59, 60, 161)  # centres that extend section 1 of edition 1 as NCEP does
FULL_FIELD_OR_MEAN = (1, 2)  # NCEP's product identifier: full field or unweighted mean, weighted mean


def get(handle, key: str, default=None, kind=None):
    """A key of a message, ``default`` where the message has none."""
    try:
        return eccodes.codes_get(handle, key, kind)
    except eccodes.CodesInternalError:
        return default


def is_instant(handle, kind: str) -> bool:
    """Whether a message's values are those of its quantity at its valid time; of a gust the maximum of a time, too.

    Args:
        handle: of eccodes.
        kind: "gust", or anything else.
    """
    if get(handle, "stream", "", str) in STATISTIC_STREAMS or get(handle, "marsStream", "", str) in STATISTIC_STREAMS:
        return False
    if not all(is_state_type(get(handle, key, "unknown", str)) for key in ("dataType", "marsType")):
        return False
    return _instant_of_edition_1(handle, kind) if get(handle, "edition", 0, int) == 1 else _of_edition_2(handle, kind)


def is_state_type(label: str) -> bool:
    """Whether a type of data is one of the state of the air; a number is one of a centre's own table, and may be."""
    return label.isdigit() or label in TYPES


def _instant_of_edition_1(handle, kind: str) -> bool:
    maximum = kind == GUST and get(handle, "timeRangeIndicator", -1, int) == MAXIMUM
    if get(handle, "stepType", "", str) != "instant" and not maximum:
        return False
    length = get(handle, "section1Length", 0, int)
    if length < 44 or get(handle, "centre", -1, int) not in NCEP_EXTENDED:
        return True
    section = eccodes.codes_get_message(handle)[8 : 8 + length]  # eccodes has the keys for some of these centres alone
    is_ensemble, product, probability = section[40] == 1, section[43], length > 45 and section[45] != 0
    return not is_ensemble or (product in FULL_FIELD_OR_MEAN and not probability)


def _of_edition_2(handle, kind: str) -> bool:
    template = get(handle, "productDefinitionTemplateNumber", -1, int)
    process, centre = get(handle, "typeOfGeneratingProcess", -1, int), get(handle, "centre", -1, int)
    if process in NOT_THE_STATE or process in NOT_THE_STATE_LOCALLY.get(centre, ()):
        return False
    if get(handle, "derivedForecast", 0, int) not in MEANS:
        return False
    if get(handle, "significanceOfReferenceTime", 0, int) == LOCAL_TIME:
        return False
    if template == SPATIAL_TEMPLATE:
        return get(handle, "statisticalProcess", NO_STATISTIC, int) == NO_STATISTIC
    maximum = get(handle, "typeOfStatisticalProcessing", -1, int) == MAXIMUM
    one_range = get(handle, "numberOfTimeRanges", 1, int) == 1
    return template in POINT_TEMPLATES or (kind == GUST and template in INTERVAL_TEMPLATES and maximum and one_range)
