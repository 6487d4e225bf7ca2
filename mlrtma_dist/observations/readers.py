"""Reading observations from a file of any supported kind, told from its content."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.io.file_kind import FileKindError, kind_of, read_unpacked
from mlrtma_dist.io.netcdf_reports import is_netcdf, variable_names
from mlrtma_dist.observations import madis, sao
from mlrtma_dist.observations.csv_mapping import TableError, check_mapping, columns_of
from mlrtma_dist.observations.metar_text import is_metar_text, read_metar_text
from mlrtma_dist.observations.prepbufr import read_prepbufr
from mlrtma_dist.observations.stations import StationList
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.table_csv import header_of, read_csv

SUPPORTED = (
    "NCEP PrepBUFR (ADPSFC, SFCSHP, MSONET), MADIS METAR netCDF, SAO netCDF, METAR text and CSV with a mapping of"
    " columns, each also gzipped"
)

# Which copy of a report stays when several sources hold it: the one named first. PrepBUFR has been through a centre's
# quality control and carries errors; MADIS carries marks; METAR text has neither; SAO is a decoder's output with gross
# errors; of a CSV nothing is known.
PRECEDENCE = ("prepbufr", "madis", "metar", "sao", "csv")


def read_observations(
    path: str | Path,
    *,
    mapping: str | Path | dict | None = None,
    stations: StationList | None = None,
    near: np.datetime64 | None = None,
    precedence: Sequence[str] = PRECEDENCE,
) -> Observations:
    """Read the observations of a file.

    Args:
        path: a file of any kind of ``SUPPORTED``.
        mapping: for CSV, the mapping of columns: a shipped name ("asos_csv"), a YAML file, or its content; None: the
            shipped mapping that fits the header.
        stations: for METAR text, where the stations stand; for SAO, where those stand whose position is missing.
        near: for METAR text, a time within two weeks of the reports; None: the date in the file's name.
        precedence: the kinds of source, the most trusted first.

    Returns:
        The table; ``source`` is the file's name.

    Raises:
        ValueError: FileKindError, BufrError, ReportFileError, TableError, InputError or ConfigError; names the file
            and the byte or row.
    """
    path = Path(path)
    data = read_unpacked(path)
    kind, table = _read(data, path, mapping, stations, near)
    rank = list(precedence).index(kind) if kind in precedence else len(precedence)
    return replace(table, precedence=np.full(len(table), rank, dtype=np.int32))


def _read(data: bytes, path: Path, mapping, stations, near) -> tuple[str, Observations]:
    """The kind of source, and its table."""
    if is_netcdf(data):
        return _read_netcdf(data, path, stations)
    kind = kind_of(data)
    if kind == "BUFR":
        return "prepbufr", read_prepbufr(data, path.name)
    if kind != "text":
        raise FileKindError(f"{path}: looks like {kind}; supported are {SUPPORTED}")
    if mapping is None and is_metar_text(data):
        return "metar", read_metar_text(data, path.name, stations=stations, near=near)
    if mapping is None:
        mapping = _shipped_mapping(data, path)
    elif not isinstance(mapping, dict):
        mapping = config.load_yaml(config.find("observations", str(mapping)))
    return "csv", read_csv(data, path.name, mapping)


def _read_netcdf(data: bytes, path: Path, stations) -> tuple[str, Observations]:
    names = variable_names(data, path.name)
    if names >= madis.SIGNATURE:
        return "madis", madis.read_madis(data, path.name)
    if names >= sao.SIGNATURE:
        return "sao", sao.read_sao(data, path.name, stations=stations)
    raise FileKindError(
        f"{path}: looks like netCDF without the variables of a MADIS METAR file ({', '.join(sorted(madis.SIGNATURE))})"
        f" or a SAO file ({', '.join(sorted(sao.SIGNATURE))}); it has {', '.join(sorted(names))[:300]}."
        " A gridded file is given with --background"
    )


def _shipped_mapping(data: bytes, path: Path) -> dict:
    """The shipped mapping that finds most of its columns in the file's header."""
    best, most = None, 0
    tried = []
    header = set(header_of(data, path.name))
    for file in sorted((config.configs_root() / "observations").glob("*.yaml")):
        candidate = config.load_yaml(file)
        check_mapping(candidate, file.name)
        needed, optional = columns_of(candidate)
        found = len(needed) + len(optional & header)
        if needed <= header and found > most and (not optional or optional & header):
            best, most = candidate, found
        tried.append(f"{file.stem} lacks {', '.join(sorted(needed - header)) or 'every variable'}")
    if best is None:
        raise TableError(
            f"{path.name}: row 1: no shipped mapping fits the columns {', '.join(sorted(header))[:500]}"
            f" ({'; '.join(tried)}). Declare one in a YAML file (station, time, latitude, longitude: {{column: NAME}};"
            " variables: {t2m: {column: NAME, unit: degC}}) and name it: --set mapping=FILE.yaml;"
            " configs/observations/generic_csv.yaml is an example."
        )
    return best
