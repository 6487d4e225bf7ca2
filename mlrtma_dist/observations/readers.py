"""Reading observations from a file of any supported kind, told from its content."""

from pathlib import Path

from mlrtma_dist import config
from mlrtma_dist.io.file_kind import FileKindError, kind_of, read_unpacked
from mlrtma_dist.observations.csv_mapping import TableError, check_mapping, columns_of
from mlrtma_dist.observations.prepbufr import read_prepbufr
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.table_csv import header_of, read_csv

SUPPORTED = "NCEP PrepBUFR (ADPSFC, SFCSHP, MSONET) and CSV with a mapping of columns, each also gzipped"


def read_observations(path: str | Path, *, mapping: str | Path | dict | None = None) -> Observations:
    """Read the observations of a file.

    Args:
        path: a PrepBUFR or CSV file, gzipped or not.
        mapping: for CSV, the mapping of columns: a shipped name ("asos_csv"), a YAML file, or its content; None: the
            shipped mapping that fits the header.

    Returns:
        The table; ``source`` is the file's name.

    Raises:
        ValueError: FileKindError, BufrError, TableError or ConfigError; names the file and the byte or row.
    """
    path = Path(path)
    data = read_unpacked(path)
    kind = kind_of(data)
    if kind == "BUFR":
        return read_prepbufr(data, path.name)
    if kind != "text":
        raise FileKindError(f"{path}: looks like {kind}; supported are {SUPPORTED}")
    if mapping is None:
        return read_csv(data, path.name, _shipped_mapping(data, path))
    return read_csv(
        data,
        path.name,
        mapping if isinstance(mapping, dict) else config.load_yaml(config.find("observations", str(mapping))),
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
            " variables: {t2m: {column: NAME, unit: degC}}) and pass it as mapping;"
            " configs/observations/generic_csv.yaml is an example."
        )
    return best
