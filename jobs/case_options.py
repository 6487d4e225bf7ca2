"""Options and sections by which verbs name their cases."""

from dataclasses import dataclass

from mlrtma_dist import clock
from mlrtma_dist.samples.sources import CasesSection

OPTIONS = {
    "--domain": (
        "cases.domain...",
        "shipped domains (conus, alaska, hawaii, guam, puerto_rico, *_1km) or YAML files; analyse, verify: several",
    ),
    "--observations": (
        "cases.reports.observations...",
        "observation files: PrepBUFR, MADIS or SAO netCDF, METAR text, CSV; .gz too",
    ),
    "--stations": (
        "cases.reports.stations...",
        "lists of stations: METAR text names no positions, SAO not all",
    ),
    "--station-lists": (
        "cases.reports.station_lists...",
        "operational reject and use lists and error tables, for quality control",
    ),
    "--background": (
        "cases.reports.background...",
        "gridded first guess: GRIB, CF netCDF, an earlier analysis; none: a regression",
    ),
    "--grid": ("grid...", "gridded files that method grid takes as its answer; none: those of --background"),
    "--ensemble": ("cases.reports.ensemble...", "gridded files, one per member, for letkf, envar, hybrid"),
    "--time": (
        "cases.reports.time...",
        "analysis times in UTC, 2022-08-24T06:00, or ranges START/END, every hour, START/END/PT15M;"
        " none: the full hour nearest to the reports",
    ),
    "--store": ("cases.store.file", "instead of observation files: a store of cases"),
    "--checkpoint": ("checkpoint", "folder of a trained network, for learned methods"),
}


@dataclass(frozen=True)
class TrainingCasesSection:
    """The section ``training:``, cases that methods estimate covariances from.

    Attributes:
        cases: their source; before: cases from this date on are not used; null: all are.
    """

    cases: CasesSection
    before: str | None = None

    def __post_init__(self):
        if self.before is not None:
            clock.parse_time(self.before)
