"""Real PrepBUFR files, decoded once for all tests, and a small one written by hand."""

import csv
import importlib.util
import os
import pathlib

import pytest

from mlrtma_dist.io.bufr import decode
from mlrtma_dist.observations.prepbufr import read_prepbufr

RAP = "rap.20220824.t06z.adpsfc"
GDAS = "gdas.20201101.t12z.sfcshp"


def _real(*parts: str) -> pathlib.Path:
    root = os.environ.get("MLRTMA_REAL_DATA")
    if not root:
        pytest.skip("MLRTMA_REAL_DATA is not set: no real observation files")
    return pathlib.Path(root, *parts)


@pytest.fixture(scope="session")
def real_file():
    """A path below the folder of real data; skips where there is none."""
    return _real


@pytest.fixture(scope="session")
def rap_bytes() -> bytes:
    return _real("prepbufr", f"{RAP}.prepbufr").read_bytes()


@pytest.fixture(scope="session")
def rap_reports(rap_bytes):
    return decode(rap_bytes, RAP)[0]


@pytest.fixture(scope="session")
def rap(rap_bytes):
    return read_prepbufr(rap_bytes, RAP)


@pytest.fixture(scope="session")
def rap_rows() -> list[dict[str, str]]:
    """The same file decoded by other means."""
    with _real("prepbufr", f"{RAP}.decoded.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def gdas_bytes() -> bytes:
    return _real("prepbufr", f"{GDAS}.prepbufr").read_bytes()


@pytest.fixture(scope="session")
def gdas(gdas_bytes):
    return read_prepbufr(gdas_bytes, GDAS)


@pytest.fixture(scope="session")
def bufr_writer():
    """The module that writes BUFR messages bit by bit."""
    path = pathlib.Path(__file__).parents[1] / "io" / "bufr_writer.py"
    spec = importlib.util.spec_from_file_location("bufr_writer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
