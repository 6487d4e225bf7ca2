"""Write small GRIB messages with eccodes, for tests: any kind of grid, any scanning mode; the grids they share."""

import eccodes
import numpy as np

from mlrtma_dist.grid.domain import Corner, Domain, Size

GRIDS = {  # kind -> sample, keys besides size, first and last point
    "lambert": (
        "regular_ll_sfc_grib2",
        {
            "gridType": "lambert",
            "LaDInDegrees": 40,
            "LoVInDegrees": 255,
            "Latin1InDegrees": 40,
            "Latin2InDegrees": 40,
            "DxInMetres": 5000,
            "DyInMetres": 5000,
            "shapeOfTheEarth": 1,
            "scaleFactorOfRadiusOfSphericalEarth": 0,
            "scaledValueOfRadiusOfSphericalEarth": 6371200,
        },
    ),
    "polar_stereographic": (
        "regular_ll_sfc_grib2",
        {
            "gridType": "polar_stereographic",
            "LaDInDegrees": 60,
            "orientationOfTheGridInDegrees": 210,
            "DxInMetres": 3000,
            "DyInMetres": 3000,
            "shapeOfTheEarth": 6,
        },
    ),
    "regular_ll": ("regular_ll_sfc_grib2", {"shapeOfTheEarth": 6}),
    "rotated_ll": (
        "regular_ll_sfc_grib2",
        {
            "gridType": "rotated_ll",
            "shapeOfTheEarth": 6,
            "latitudeOfSouthernPoleInDegrees": -39.25,
            "longitudeOfSouthernPoleInDegrees": 18,
        },
    ),
    "regular_ll, edition 1": ("regular_ll_sfc_grib1", {}),
}


def in_scanning_order(grid: np.ndarray, mode: int) -> np.ndarray:
    """Values (y, x), rows northward, in the order of a scanning mode: flag table 3.4, spelt out point by point."""
    rows, columns = grid.shape
    westward, northward, columns_first, boustrophedon = (bool(mode & bit) for bit in (0x80, 0x40, 0x20, 0x10))
    ys = list(range(rows)) if northward else list(range(rows - 1, -1, -1))
    xs = list(range(columns - 1, -1, -1)) if westward else list(range(columns))
    outer, inner = (xs, ys) if columns_first else (ys, xs)
    result = []
    for line, o in enumerate(outer):
        along = inner[::-1] if boustrophedon and line % 2 else inner
        result += [grid[i, o] if columns_first else grid[o, i] for i in along]
    return np.array(result)


def write_message(domain, grid, *, kind="regular_ll", mode=0x40, keys=(), first=None, missing=None) -> bytes:
    """One message on the grid of ``domain`` with values ``grid`` (y, x).

    Args:
        first: degrees of the south-west point in the message's own coordinates (those of a rotated grid are rotated).
        keys: further (key, value) pairs, set before the values.
    """
    sample, fixed = GRIDS[kind]
    handle = eccodes.codes_grib_new_from_samples(sample)
    for key, value in fixed.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set(handle, "Nx" if "ll" not in kind else "Ni", domain.size.x)
    eccodes.codes_set(handle, "Ny" if "ll" not in kind else "Nj", domain.size.y)
    row, column = (0 if mode & 0x40 else -1), (-1 if mode & 0x80 else 0)
    if first is None:
        corner = [[a[r, c] for a in domain.latitude_longitude()] for r, c in ((row, column), (-1 - row, -1 - column))]
    else:
        far = [f + domain.spacing * (n - 1) for f, n in zip(first, domain.shape, strict=True)]
        ends = [(f, e) for f, e in zip(first, far, strict=True)]
        corner = [(ends[0][row], ends[1][column]), (ends[0][-1 - row], ends[1][-1 - column])]
    for name, (latitude, longitude) in zip(("First", "Last"), corner, strict=True):
        if name == "First" or "ll" in kind:
            eccodes.codes_set(handle, f"latitudeOf{name}GridPointInDegrees", latitude)
            eastward = longitude if "edition 1" in kind else longitude % 360  # edition 2 counts from 0 to 360
            eccodes.codes_set(handle, f"longitudeOf{name}GridPointInDegrees", eastward)
    if "ll" in kind:
        eccodes.codes_set(handle, "iDirectionIncrementInDegrees", domain.spacing)
        eccodes.codes_set(handle, "jDirectionIncrementInDegrees", domain.spacing)
    eccodes.codes_set(handle, "scanningMode", mode)
    for key, value in keys:
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set(handle, "bitsPerValue", 24)
    if missing is not None:
        eccodes.codes_set(handle, "missingValue", missing)
        eccodes.codes_set(handle, "bitmapPresent", 1)
    eccodes.codes_set_values(handle, in_scanning_order(np.asarray(grid, dtype=float), mode))
    message = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return message


LONGLAT = Domain("t", "t", "+proj=longlat +R=6371229", Size(7, 5), 0.25, Corner(40.0, -10.0))
DOMAINS = {
    "lambert": Domain(
        "t",
        "t",
        "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200",
        Size(7, 5),
        5000.0,
        Corner(37.2, 250.4),
    ),
    "polar_stereographic": Domain(
        "t", "t", "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=210 +R=6371229", Size(6, 7), 3000.0, Corner(60.0, 200.0)
    ),
    "regular_ll": LONGLAT,
    "regular_ll, edition 1": LONGLAT,
}
T2M = (("parameterCategory", 0), ("parameterNumber", 0), ("typeOfFirstFixedSurface", 103), ("level", 2))


def save(tmp_path, *messages: bytes):
    """A file of these messages."""
    path = tmp_path / "file.grib"
    path.write_bytes(b"".join(messages))
    return path


def pattern(domain):
    """A value of its own for every point."""
    return 280.0 + np.arange(domain.size.y * domain.size.x, dtype=float).reshape(domain.shape)


def sections(message: bytes) -> dict[int, bytes]:
    """The sections of an edition-2 message of one field, by number."""
    by_number, position = {}, 16
    while message[position:] != b"7777":
        length = int.from_bytes(message[position : position + 4])
        by_number[message[position + 4]] = message[position : position + length]
        position += length
    return by_number
