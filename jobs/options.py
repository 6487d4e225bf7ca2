"""The options of every verb: short forms of --set. Nothing is imported here, so that help is immediate.

An option is (the key that it sets, help); "...": it takes one value or more; an empty key: the verb looks for the flag.
"""

Options = dict[str, tuple[str, str]]

CASES: Options = {
    "--domain": ("cases.domain...", "shipped domains (conus, alaska, ...) or YAML files; estimate, forecast: one"),
    "--observations": (
        "cases.reports.observations...",
        "observation files: PrepBUFR, MADIS or SAO netCDF, METAR text, CSV; .gz too",
    ),
    "--stations": (
        "cases.reports.stations...",
        "lists of stations, before the known aerodromes: not all files have positions",
    ),
    "--station-lists": (
        "cases.reports.station_lists...",
        "operational reject and use lists and error tables, for quality control",
    ),
    "--background": (
        "cases.reports.background...",
        "gridded first guess: GRIB, CF netCDF, an earlier analysis; none: a regression",
    ),
    "--ensemble": (
        "cases.reports.ensemble...",
        "gridded files, one per member or netCDF of all, for letkf, envar, hybrid",
    ),
    "--time": (
        "cases.reports.time...",
        "analysis times in UTC, 2022-08-24T06:00, or ranges START/END, every hour, START/END/PT15M;"
        " none: the full hour nearest to the reports",
    ),
    "--store": ("cases.store.file", "instead of observation files: a store of cases"),
}
ANALYSIS: Options = {
    **CASES,
    "--checkpoint": (
        "checkpoint",
        "folder of a trained network; none: the method's own weights, where they come with it",
    ),
    "--grid": ("grid...", "gridded files that method grid takes as its answer; none: those of --background"),
    "--members": ("diffusion.members", "members that method diffusion draws; default: 20"),
    "--require-observations": (
        "require.observations",
        "reports that each time must rest on, else the exit code is 4; 0: none; default: climatology alone is refused",
    ),
    "--output": ("output", "folder to write to"),
}
WEIGHTS = "folder with the releases of a site and the link `current`"
MACHINE = "a profile of configs/machines, or a YAML file"

# What the first argument of a verb is where it need not be a configuration: the key that it sets, and help.
ARGUMENTS = {
    "promote": ("release", "folder of the release, or a YAML file with the keys of the run"),
    "lineage": ("path", "a netCDF product, or the folder of a release or of a checkpoint"),
}
OPTIONS: dict[str, Options] = {
    "analyse": {
        **ANALYSIS,
        "--method": ("method", "one of the methods below"),
        "--format": ("formats...", "of the product: netcdf, grib2"),
        "--quantiles": ("ensemble.quantiles...", "levels such as 0.1 0.5 0.9 that the product has of each variable"),
    },
    "verify": {
        **ANALYSIS,
        "--method": ("method...", "of the methods below, to compare; none: all that suit the cases"),
        "--folds": ("folds", "parts into which the stations are divided"),
        "--blocks": ("blocks", "withhold whole boxes of so many km instead of single stations"),
    },
    "reanalysis": {
        "--domain": CASES["--domain"],
        "--method": ("method", "one of the methods below"),
        "--checkpoint": ANALYSIS["--checkpoint"],
        "--output": ANALYSIS["--output"],
        "--element": ("element", "number of the array element, from 0, such as $SLURM_ARRAY_TASK_ID"),
        "--of": ("elements", "number of array elements that share the slots"),
        "--report": ("report", "analyse nothing; write what is complete, scores and rates to this HTML file"),
        "--audit": ("", "analyse nothing; hash every product again and name those that differ from their manifest"),
    },
    "cycle": {
        "--domain": CASES["--domain"],
        "--output": ("output", "folder to write to"),
        "--once": ("", "make what is due and end, for cron and scrontab"),
        "--until": ("until", "end at this time, UTC, of the clock or of the replay"),
        "--replay": ("replay", "begin at the archive's start; waiting passes so many times as fast as real time"),
    },
    "forecast": {
        **{name: CASES[name] for name in ("--domain", "--store")},
        "--states": ("cases.states.files...", "gridded states of two consecutive times: GRIB, netCDF, our products"),
        "--time": ("cases.states.time...", "their times in UTC, or a range START/END; the forecast begins at the last"),
        "--start": ("start...", "other times of the cases at which forecasts begin"),
        "--checkpoint": ("checkpoint", "folder of a trained network that forecasts"),
        "--hours": ("hours", "how far ahead"),
        "--members": ("drawing.members", "members of an ensemble, by a network that draws them"),
        "--boundary": ("boundary.files...", "gridded files of the coming states, for the outer cells"),
        "--boundary-time": ("boundary.time...", "their times in UTC, or a range START/END"),
        "--output": ("output", "folder to write to"),
    },
    "domain": {
        "--domain": ("domain", "a shipped domain or a YAML file"),
        "--elevation": ("elevation...", "heights above sea level: netCDF, GRIB, GeoTIFF, HGT, or what else GDAL reads"),
        "--land": ("land...", "shares of land, 0 to 1, in files of the same kinds; none: the shores of GSHHG"),
        "--output": ("output", "folder to write to"),
    },
    "demo": {"--output": ("output", "folder to write to")},
    "estimate": {
        **{name: CASES[name] for name in ("--domain", "--observations", "--stations", "--time", "--store")},
        "--output": ("output", "YAML file to write"),
    },
    "samples": {
        "--labels": ("cases.archive.labels.method", "of an archive: the classical method whose analyses are the truth"),
        "--output": ("output", "the store to write, an HDF5 file"),
        "--part": ("part", "of an archive: number of the part to make, from 0, such as $SLURM_ARRAY_TASK_ID"),
        "--parts": ("parts", "of an archive: number of contiguous parts, each its own store"),
    },
    "train": {
        "--samples": ("samples...", "the stores, HDF5 files"),
        "--output": ("output", "folder to write to"),
        "--from": ("begin_from", "folder of a checkpoint or release whose weights the first step begins with"),
        "--resume": ("", "go on from the newest whole checkpoint"),
    },
    "release": {
        "--checkpoint": ("checkpoint", "folder of the trained network"),
        "--gate": ("gate", "decision.json of a gate, whose candidate and matches serve where none are named"),
        "--output": ("output", "folder to write"),
    },
    "gate": {
        "--candidate": ("candidate...", "folders of checkpoints or releases, of which one is the candidate"),
        "--matches": ("matches...", "matches.csv of verifications"),
        "--weights": ("weights", WEIGHTS),
        "--output": ("output", "folder to write to"),
    },
    "promote": {
        "--release": ("release", "folder of the release, as the first argument"),
        "--weights": ("weights", WEIGHTS),
        "--gate": ("gate", "decision.json of the gate that the release passed"),
        "--without-gate": ("without_gate", "reason for promoting it without one, which the log keeps"),
        "--back": ("", "put the release to use that was in use before"),
    },
    "lineage": {"--json": ("", "as JSON")},
    "plan": {
        "--machine": ("machine", f"{MACHINE}, with a section hardware:"),
        "--config": ("training", "a training configuration, as the first argument"),
        "--domain": ("domain", "instead of the samples' own"),
        "--ranks": ("ranks...", "numbers of ranks, 4 to 4096 by default"),
    },
    "check": {"--machine": ("machine", f"{MACHINE}: check there, by a job")},
}
