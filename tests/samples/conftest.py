"""Where the real files are."""

import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder of real data; skips where it is not named."""
    root = os.environ.get("MLRTMA_REAL_DATA")
    if not root:
        pytest.skip("MLRTMA_REAL_DATA is not set: no real files")
    return pathlib.Path(root)
