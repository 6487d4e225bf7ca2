"""How far analyses of stations lie from a field that is known at every point, and how much of each scale they keep.

    python benchmarks/full_size_truth.py [--methods oi threedvar vit vit_hybrid] [--error 0.5]

2 m temperature of the National Blend of Models on CONUS at 2.5 km (2025-09-01 01 UTC) is the truth. It is read at the
places of the surface stations of the RAP hour 2022-08-24 06 UTC, with a random error; no other variable is reported.
Printed are the rms error at all points, on land, and on land farther than 100 km from a station; and in a box in the
middle of the country, for bands of wavelength, the variance of the analysis and that of its error, both over the
truth's. Last the ratio of each method's error on land to that of 3D-Var.
"""

import argparse

import numpy as np
from scipy.spatial import cKDTree
from weather_spectra import BANDS, in_band, spectrum

from mlrtma_dist.config import data_root
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.weights.trained import load_released

STATIONS = "prepbufr/rap.20220824.t06z.adpsfc.prepbufr"
TRUTH = "nbm/conus_t2m_valid_20250901_01z.grib2"
MIDDLE = slice(350, 1250), slice(650, 1850)  # of the grid: land
FAR = 100e3  # m from the nearest station
THIN = 4  # every so many points of the grid's distances to stations


def sampled(root, static, truth: np.ndarray, time: np.datetime64, error: float) -> Observations:
    """Reports of the truth at real stations, each once, at the height of the grid's terrain there."""
    table = read_observations(root / STATIONS).of("t2m")
    table = table[static.domain.contains(table.latitude, table.longitude)]
    table = table[np.unique(table.station, return_index=True)[1]]
    place = static.domain.index(table.latitude, table.longitude)
    noise = np.random.default_rng(0).normal(scale=error, size=len(table))
    return Observations.build(
        station=table.station,
        latitude=table.latitude,
        longitude=table.longitude,
        elevation=bilinear(static.terrain.astype(np.float64), *place),
        time=time,
        variable="t2m",
        value=bilinear(truth, *place) + noise,
    )


def analyses(names: list[str], case: Case):
    """Name and field of every method, K."""
    settings = load_settings("classical", ("t2m",))
    trained = load_released(names, case.domain)
    for name, method in build(names, Means(settings, trained=trained)).items():
        yield name, method.analyse(case).fields().values["t2m"].astype(np.float64)


def distance_to_station(static, table: Observations) -> np.ndarray:
    """From every grid point to the nearest station, m, of every `THIN`-th row and column repeated, shape (y, x)."""
    tree = cKDTree(cartesian(table.latitude, table.longitude))
    rows, columns = static.domain.shape
    latitude, longitude = static.domain.latitude_longitude(slice(0, rows, THIN), slice(0, columns, THIN))
    thin = tree.query(cartesian(latitude.ravel(), longitude.ravel()))[0].reshape(latitude.shape)
    return np.repeat(np.repeat(thin, THIN, 0), THIN, 1)[:rows, :columns]


def main() -> None:
    """Print a row for every method; the ratios are last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["oi", "threedvar", "vit", "vit_hybrid"])
    parser.add_argument("--error", type=float, default=0.5, help="standard deviation of a report's error, K")
    options = parser.parse_args()
    root = data_root()
    if root is None:
        raise SystemExit("full_size_truth needs MLRTMA_REAL_DATA, the folder of the real fields")
    static = load_static(load_domain("conus"))
    (field,) = read_gridded(root / TRUTH, ("t2m",))
    truth, time = field.values.astype(np.float64), field.valid_time
    table = sampled(root, static, truth, time, options.error)
    judge = Judge(assumptions(load_settings("classical", ("t2m",))), np.timedelta64(3600, "s"))
    case = judge.case(static, time, table, None, Box.whole(static.domain.shape))
    has_value = np.isfinite(truth)
    land = has_value & (static.land > 0.5)
    far = land & (distance_to_station(static, table) > FAR)
    spacing = static.domain.spacing_metres
    true = spectrum([truth[MIDDLE]], spacing)
    bands = [f"{low / 1e3:.0f} to {high / 1e3:.0f} km" for low, high in BANDS]
    print(f"{case.used.sum()} stations; land {land.mean():.0%}, far from stations {far.mean():.1%} of the grid")
    heads = ["method", "all points K", "land", "far", *(f"variance, error {band}" for band in bands)]
    print("|", " | ".join(heads), "|")
    print("|---" * len(heads) + "|")
    on_land = {}
    for name, analysed in analyses(options.methods, case):
        error = analysed - truth
        rms = [float(np.sqrt(np.mean(error[where] ** 2))) for where in (has_value, land, far)]
        own, wrong = (spectrum([part[MIDDLE]], spacing) for part in (analysed, error))
        shares = [
            f"{in_band(*own, band)[1] / in_band(*true, band)[1]:.2f}, "
            f"{in_band(*wrong, band)[1] / in_band(*true, band)[1]:.2f}"
            for band in BANDS
        ]
        print("|", " | ".join([name, *(f"{each:.2f}" for each in rms), *shares]), "|", flush=True)
        on_land[name] = rms[1]
    ratios = [f"{name} {each / on_land['threedvar']:.3f}" for name, each in on_land.items()]
    print(f"rms error on land over that of 3D-Var: {', '.join(ratios)}")


if __name__ == "__main__":
    main()
