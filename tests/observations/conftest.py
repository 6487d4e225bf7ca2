"""Real PrepBUFR files, decoded once for all tests, and a small one written by hand."""

import csv
import importlib.util
import pathlib

import pytest

from mlrtma_dist.io.bufr import decode
from mlrtma_dist.observations.prepbufr import read_prepbufr

RAP = "rap.20220824.t06z.adpsfc"
GDAS = "gdas.20201101.t12z.sfcshp"


@pytest.fixture(scope="session")
def real_file(real_data):
    """A path below the folder of real data."""
    return real_data.joinpath


@pytest.fixture(scope="session")
def rap_bytes(real_file) -> bytes:
    return real_file("prepbufr", f"{RAP}.prepbufr").read_bytes()


@pytest.fixture(scope="session")
def rap_reports(rap_bytes):
    return decode(rap_bytes, RAP)[0]


@pytest.fixture(scope="session")
def rap(rap_bytes):
    return read_prepbufr(rap_bytes, RAP)


@pytest.fixture(scope="session")
def rap_rows(real_file) -> list[dict[str, str]]:
    """The same file decoded by other means."""
    with real_file("prepbufr", f"{RAP}.decoded.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def gdas_bytes(real_file) -> bytes:
    return real_file("prepbufr", f"{GDAS}.prepbufr").read_bytes()


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
