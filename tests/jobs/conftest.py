"""Fixtures of the verbs' tests."""

import pytest

from jobs import reanalysis_work
from mlrtma_dist.inference.slot_reader import CaseSource


@pytest.fixture
def here(monkeypatch):
    """A reanalysis reads its cases in this process: another one takes seconds to start."""
    monkeypatch.setattr(
        reanalysis_work,
        "_reader",
        lambda run, prepared, *_: CaseSource({name: each.cases for name, each in prepared.items()}),
    )
