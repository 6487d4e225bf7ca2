"""Claim: simulated worlds have the spectra of real fields and the statistics of real stations.

    python benchmarks/weather_spectra.py [--figure docs/images/weather_spectra.png] [--seeds 2]

Fields: 2 m temperature and wind of HRRR (3 km, Idaho), AROME-Arctic (2.5 km, coast) and the National Blend (2.5 km,
CONUS) beside simulated weather on the same grid, over the same terrain, at the same times. Power spectra along rows
and columns, each line detrended and under a Hann window (scipy), averaged. Printed are slopes p of k^-p and the ratio
of variances, simulated over real, in bands of wavelength.

Stations: surface airways observations (SAO) of 1995-03-18 over CONUS beside simulated reports of the same stations
at the same hours: standard deviation by variable and hour, and the correlation against distance of temperatures less
their regression on place and height.
"""

import argparse
import pathlib
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from scipy.signal import detrend, get_window

from mlrtma_dist.config import expand
from mlrtma_dist.fields.static import Static, load_static, make_static
from mlrtma_dist.grid.domain import Size, load_domain
from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.simulation.simulated_hour import simulate_hour
from mlrtma_dist.simulation.sites import observed_sites

matplotlib.use("Agg")
from matplotlib import pyplot as plt

BANDS = ((15e3, 40e3), (40e3, 120e3), (120e3, 600e3))  # wavelengths, m; the last one on CONUS only
HOURS = (0, 6, 12, 18)  # of the day of SAO reports
DISTANCES = np.array([0.0, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0])  # km
COARSE = 4  # CONUS at 10 km serves the stations


@dataclass(frozen=True)
class Case:
    """Real fields on a grid: times, and for each quantity its fields, shape (time, y, x)."""

    name: str
    static: Static
    times: list[np.datetime64]
    fields: dict[str, list[np.ndarray]]


def real_cases(root: pathlib.Path) -> list[Case]:
    """The three sources; every sixth hour of HRRR and AROME."""
    cases = []
    for name, files, every in (
        ("HRRR", sorted((root / "hrrr_swidaho").glob("*.grib2")), 6),
        ("AROME-Arctic", sorted((root / "arome_arctic").glob("*.grib")), 2),
    ):
        gridded = [f for file in files for f in read_gridded(file, ("t2m", "u10", "v10", "terrain", "land"))]
        terrain = next(f for f in gridded if f.name == "terrain")
        land = next((f.values for f in gridded if f.name == "land"), terrain.values > 1.0)
        times = sorted({f.valid_time for f in gridded if f.name == "t2m"})[::every]
        of = {(f.name, f.valid_time): f.values.astype(np.float64) for f in gridded}
        fields = {
            "t2m": [of["t2m", t] for t in times],
            "u10": [of["u10", t] for t in times],
            "v10": [of["v10", t] for t in times],
        }
        cases.append(Case(name, make_static(terrain.domain, terrain.values, land), times, fields))
    conus = load_static(load_domain("conus"))
    blend = read_gridded(next((root / "nbm").glob("*.grib2")), ("t2m",))[0]
    cases.append(Case("NBM", conus, [blend.valid_time], {"t2m": [blend.values.astype(np.float64)]}))
    return cases


def simulated_like(case: Case, seeds: int) -> dict[str, list[np.ndarray]]:
    """Simulated fields at the case's times, of several seeds."""
    fields = {name: [] for name in case.fields}
    for seed in range(1, seeds + 1):
        for time in case.times:
            truth = simulate_hour(case.static, time, seed=seed, stations=1).truth.values
            for name in fields:
                fields[name].append(truth[name].astype(np.float64))
    return fields


def spectrum(fields: list[np.ndarray], spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Wave number in cycles per m and mean power per wave number along both directions, shapes (k,).

    The longer direction's wave numbers are used; the other's power is interpolated to them where it has them.
    """
    parts = []
    for axis in (-1, -2):
        size = fields[0].shape[axis]
        window = get_window("hann", size)
        lines = np.concatenate([detrend(np.moveaxis(f, axis, -1), axis=-1) * window for f in fields])
        power = (np.abs(np.fft.rfft(lines, axis=-1)) ** 2).mean(0) * 2.0 * spacing / (window**2).sum()
        parts.append((np.fft.rfftfreq(size, spacing)[1:-1], power[1:-1]))
    (k, power), other = sorted(parts, key=lambda part: -len(part[0]))
    across = np.interp(np.log(k), np.log(other[0]), np.log(other[1]), left=np.nan)
    return k, np.nanmean([power, np.exp(across)], axis=0)


def in_band(k: np.ndarray, power: np.ndarray, band: tuple[float, float]) -> tuple[float, float]:
    """Slope p of k^-p, and variance, in a band of wavelengths."""
    inside = (k > 1.0 / band[1]) & (k < 1.0 / band[0])
    slope = -np.polyfit(np.log(k[inside]), np.log(power[inside]), 1)[0]
    return slope, float((power[inside] * np.gradient(k)[inside]).sum())


def compare_fields(case: Case, seeds: int, axes) -> list[float]:
    """Print a case's table, draw it, and return the ratios of variance."""
    simulated, spacing, ratios = simulated_like(case, seeds), case.static.domain.spacing_metres, []
    for name, parts in {"t2m": ("t2m",), "wind": ("u10", "v10")}.items():
        if parts[0] not in case.fields:
            continue
        spectra = {}
        for kind, source in (("real", case.fields), ("simulated", simulated)):
            each = [spectrum(source[part], spacing) for part in parts]
            spectra[kind] = each[0][0], sum(power for _, power in each)
        for band in BANDS:
            if band[1] > 0.7 * max(case.static.domain.shape) * spacing:
                continue
            (one, real_variance), (other, simulated_variance) = (
                in_band(*spectra[kind], band) for kind in ("real", "simulated")
            )
            ratios.append(simulated_variance / real_variance)
            print(
                f"{case.name:<14}{name:<6}{band[0] / 1e3:>5.0f} to {band[1] / 1e3:<4.0f} km"
                f"{one:>9.2f}{other:>9.2f}{ratios[-1]:>9.2f}"
            )
        axis = axes[0 if name == "t2m" else 1]
        colour = axis.loglog(1e-3 / spectra["real"][0], spectra["real"][1], label=case.name)[0].get_color()
        axis.loglog(
            1e-3 / spectra["simulated"][0],
            spectra["simulated"][1],
            "--",
            color=colour,
            label=f"simulated, as {case.name}",
        )
    return ratios


def departures(table: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Places on the earth in km, shape (n, 3), and temperatures less their regression on place and height, (n,)."""
    table = table.of("t2m")
    table = table[np.isfinite(table.elevation)]
    y, x, z = ((a - a.mean()) / a.std() for a in (table.latitude, table.longitude, table.elevation))
    cubic = [x**i * y**j for i in range(4) for j in range(4 - i)]
    basis = np.stack([*cubic, z, x * z, y * z], 1)
    rest, keep = table.value, np.ones(len(table), bool)
    for _ in range(3):  # without gross errors
        rest = table.value - basis @ np.linalg.lstsq(basis[keep], table.value[keep], rcond=None)[0]
        keep = np.abs(rest) < 4.0 * np.std(rest[keep])
    return cartesian(table.latitude, table.longitude)[keep] / 1e3, rest[keep]


def correlation(tables: list[Observations]) -> tuple[np.ndarray, float]:
    """Of departures at two stations, in the bins of ``DISTANCES``, shape (bins,); and the departures' deviation, K."""
    sums, counts, square = np.zeros(len(DISTANCES) - 1), np.zeros(len(DISTANCES) - 1), []
    for table in tables:
        place, rest = departures(table)
        distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
        one, other = np.triu_indices(len(rest), 1)
        number = np.digitize(distance[one, other], DISTANCES) - 1
        inside = number < len(sums)
        sums += np.bincount(number[inside], (rest[one] * rest[other])[inside], len(sums))
        counts += np.bincount(number[inside], minlength=len(sums))
        square.append((rest**2).mean())
    return sums / counts / np.mean(square), float(np.sqrt(np.mean(square)))


def station_tables(root: pathlib.Path) -> tuple[list[Observations], list[Observations]]:
    """Real reports of the hours, and simulated ones of these stations, both on land and without impossible values."""
    fine = load_domain("conus")
    coarse = replace(fine, size=Size(fine.size.x // COARSE, fine.size.y // COARSE), spacing=COARSE * fine.spacing)
    static, real, simulated = load_static(coarse), [], []
    for hour in HOURS:
        table = read_observations(root / "sao" / f"950318{hour:02d}_sao.cdf")
        table = table[table.good & coarse.contains(table.latitude, table.longitude)]
        sites = observed_sites(static, table)
        time = np.datetime64("1995-03-18T00:00:00") + np.timedelta64(hour, "h")
        real.append(table)
        simulated.append(simulate_hour(static, time, seed=1, stations=sites).observations)
    return real, simulated


def compare_stations(root: pathlib.Path, axes) -> list[float]:
    """Print and draw the stations' statistics; the ratios of standard deviation."""
    real, simulated = station_tables(root)
    ratios = []
    print(f"\n{'stations':<12}{'hour':>5}{'SAO mean':>12}{'simulated':>10}{'SAO std':>12}{'simulated':>10}{'ratio':>8}")
    for name, variable in VARIABLES.items():
        for hour, one, other in zip(HOURS, real, simulated, strict=True):
            values = [np.asarray(variable.to_analysis(t.of(name).value)) for t in (one, other)]
            if min(map(len, values)) < 100:
                continue
            spread = [0.7413 * float(np.subtract(*np.percentile(v, [75, 25]))) for v in values]
            spread = spread if min(spread) > 0.0 else [float(v.std()) for v in values]
            ratios.append(spread[1] / spread[0])
            print(
                f"{name:<12}{hour:>5}{np.median(values[0]):>12.2f}{np.median(values[1]):>9.2f}"
                f"{spread[0]:>12.2f}{spread[1]:>9.2f}{ratios[-1]:>8.2f}"
            )
    correlations, deviation = zip(*(correlation(tables) for tables in (real, simulated)), strict=True)
    middle = 0.5 * (DISTANCES[1:] + DISTANCES[:-1])
    print(f"\n{'distance km':<14}{'SAO':>9}{'simulated':>10}  (deviation {deviation[0]:.2f} and {deviation[1]:.2f} K)")
    for distance, one, other in zip(middle, *correlations, strict=True):
        print(f"{distance:<14.0f}{one:>9.2f}{other:>9.2f}")
    axes.semilogx(middle, correlations[0], "o-", label="SAO 1995-03-18")
    axes.semilogx(middle, correlations[1], "s--", label="simulated, same stations")
    return ratios


def main() -> None:
    """Print and draw fields and stations; the median ratio of variance is last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", default="docs/images/weather_spectra.png", help="PNG file to write")
    parser.add_argument("--seeds", type=int, default=2, help="simulated fields for every real one")
    options = parser.parse_args()
    root = pathlib.Path(expand("${MLRTMA_REAL_DATA}"))
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.6), constrained_layout=True)
    print(f"{'fields':<20}{'wavelengths':<14}{'real p':>9}{'simul. p':>9}{'variance':>9}")
    ratios = [ratio for case in real_cases(root) for ratio in compare_fields(case, options.seeds, axes)]
    spread = compare_stations(root, axes[2])
    for axis, title, unit in (
        (axes[0], "2 m temperature", "K$^2$ m"),
        (axes[1], "10 m wind, both components", "m$^3$ s$^{-2}$"),
    ):
        axis.set(title=title, xlabel="wavelength (km)", ylabel=f"power ({unit})")
        axis.invert_xaxis()
        axis.legend(fontsize=8)
    axes[2].set(title="temperature less regression, stations", xlabel="distance (km)", ylabel="correlation")
    axes[2].set_xticks(DISTANCES[1:], [f"{distance:.0f}" for distance in DISTANCES[1:]])
    axes[2].minorticks_off()
    axes[2].legend(fontsize=8)
    figure.savefig(options.figure, dpi=110)
    print(f"\nstandard deviation at stations, simulated over real, median of {len(spread)}: {np.median(spread):.2f}")
    print(
        f"variance in a band, simulated over real, median of {len(ratios)} ({min(ratios):.2f} to {max(ratios):.2f}):"
        f" {np.median(ratios):.2f}"
    )


if __name__ == "__main__":
    main()
