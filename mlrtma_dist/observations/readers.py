"""Reading observations from a file of any supported kind, told from its content; the registry of those kinds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.io.file_kind import FileKindError, kind_of, read_unpacked
from mlrtma_dist.io.netcdf_reports import is_netcdf, variable_names
from mlrtma_dist.observations import madis, sao
from mlrtma_dist.observations.csv_mapping import TableError, check_mapping, columns_of
from mlrtma_dist.observations.csv_table import header_of
from mlrtma_dist.observations.metar_text import is_metar_text, read_metar_text
from mlrtma_dist.observations.prepbufr import read_prepbufr
from mlrtma_dist.observations.stations import StationList
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.table_csv import read_csv


@dataclass(frozen=True)
class Content:
    """A file's bytes, and what kind of file they are.

    Attributes:
        path: of the file; data: its bytes, unpacked.
    """

    path: Path
    data: bytes

    @property
    def name(self) -> str:
        """The file's name, for errors and the column ``source``."""
        return self.path.name

    @cached_property
    def kind(self) -> str:
        """ "netCDF", else as `io.file_kind.kind_of` names it."""
        return "netCDF" if is_netcdf(self.data) else kind_of(self.data)

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names of the variables of a netCDF file; empty of other files."""
        return frozenset(variable_names(self.data, self.name)) if self.kind == "netCDF" else frozenset()


@dataclass(frozen=True)
class Hints:
    """What a reader cannot take from the file: mapping, stations and near as of `read_observations`."""

    mapping: str | Path | dict | None = None
    stations: StationList | None = None
    near: np.datetime64 | None = None


@dataclass(frozen=True)
class Reader:
    """One kind of report file.

    Attributes:
        words: what it is, for people.
        recognises: whether a file is of this kind, from its content.
        read: makes the table.
    """

    words: str
    recognises: Callable[[Content, Hints], bool]
    read: Callable[[Content, Hints], Observations]


def _read_csv(content: Content, hints: Hints) -> Observations:
    mapping = _shipped_mapping(content.data, content.path) if hints.mapping is None else hints.mapping
    if not isinstance(mapping, dict):
        mapping = config.load_yaml(config.find("observations", str(mapping)))
    return read_csv(content.data, content.name, mapping, hints.stations)


# The registry of report files, in the order in which a file is tried, and in which copies of a report are trusted where
# several sources hold it: the copy of the kind named first stays. PrepBUFR has been through a centre's quality control
# and carries errors; MADIS carries marks; METAR text has neither; SAO is a decoder's output with gross errors; of a CSV
# nothing is known. CSV is tried last, because every text can be a table.
READERS: dict[str, Reader] = {
    "prepbufr": Reader(
        "NCEP PrepBUFR (ADPSFC, SFCSHP, MSONET)",
        lambda content, hints: content.kind == "BUFR",
        lambda content, hints: read_prepbufr(content.data, content.name),
    ),
    "madis": Reader(
        "MADIS METAR netCDF",
        lambda content, hints: content.variables >= madis.SIGNATURE,
        lambda content, hints: madis.read_madis(content.data, content.name),
    ),
    "metar": Reader(
        "METAR text",
        lambda content, hints: content.kind == "text" and hints.mapping is None and is_metar_text(content.data),
        lambda content, hints: read_metar_text(content.data, content.name, stations=hints.stations, near=hints.near),
    ),
    "sao": Reader(
        "SAO netCDF",
        lambda content, hints: content.variables >= sao.SIGNATURE,
        lambda content, hints: sao.read_sao(content.data, content.name, stations=hints.stations),
    ),
    "csv": Reader("CSV with a mapping of columns", lambda content, hints: content.kind == "text", _read_csv),
}
PRECEDENCE = tuple(READERS)


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
        path: a file of any kind of ``READERS``, also gzipped.
        mapping: for CSV, the mapping of columns: a shipped name ("asos_csv"), a YAML file, or its content; None: the
            shipped mapping that fits the header.
        stations: for METAR text and tables without positions, where the stations stand, before the list of aerodromes;
            for SAO, where those stand whose position is missing.
        near: for METAR text, a time within two weeks of the reports; None: the date in the file's name.
        precedence: the kinds of source, the most trusted first.

    Returns:
        The table; ``source`` is the file's name.

    Raises:
        ValueError: FileKindError, BufrError, ReportFileError, TableError, InputError or ConfigError; names the file
            and the byte or row.
    """
    content, hints = Content(Path(path), read_unpacked(path)), Hints(mapping, stations, near)
    kind = next((name for name, reader in READERS.items() if reader.recognises(content, hints)), None)
    if kind is None:
        raise FileKindError(_unreadable(content))
    table = READERS[kind].read(content, hints)
    rank = list(precedence).index(kind) if kind in precedence else len(precedence)
    return replace(table, precedence=np.full(len(table), rank, dtype=np.int32))


def _unreadable(content: Content) -> str:
    """Why no reader reads a file."""
    if content.kind != "netCDF":
        supported = ", ".join(reader.words for reader in READERS.values())
        return f"{content.path}: looks like {content.kind}; supported are {supported}, each also gzipped"
    return (
        f"{content.path}: looks like netCDF without the variables of a MADIS METAR file"
        f" ({', '.join(sorted(madis.SIGNATURE))}) or a SAO file ({', '.join(sorted(sao.SIGNATURE))}); it has"
        f" {', '.join(sorted(content.variables))[:300]}. A gridded file is given with --background"
    )


def _shipped_mapping(data: bytes, path: Path) -> dict:
    """The shipped mapping that finds most of its columns in the file's header."""
    best, most, tried, header = None, 0, [], header_of(data, {})
    for file in sorted((config.configs_root() / "observations").glob("*.yaml")):
        candidate = config.load_yaml(file)
        check_mapping(candidate, file.name)
        if "header" in candidate:  # of files without one, which are only read where the mapping is named
            continue
        columns = header_of(data, candidate)
        absent, present = columns_of(candidate, set(columns))
        without_values, _ = columns_of({**candidate, "variables": {}, "report": None}, set())
        if not absent and present - without_values and len(present) > most:
            best, most = candidate, len(present)
        tried.append(f"{file.stem} lacks {', '.join(sorted(absent)) or 'every variable'}")
        header = max(header, columns, key=len)
    if not any(header):
        raise TableError(f"{path.name}: row 1: expected the names of the columns, found an empty line")
    if best is None:
        raise TableError(
            f"{path.name}: row 1: no shipped mapping fits the columns {', '.join(sorted(header))[:500]}"
            f" ({'; '.join(tried)}). Declare one in a YAML file (station, time, latitude, longitude: {{column: NAME}};"
            " variables: {t2m: {column: NAME, unit: degC}}) and name it: --set cases.reports.mapping=FILE.yaml;"
            " configs/observations/generic_csv.yaml is an example."
        )
    return best
