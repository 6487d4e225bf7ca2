"""Weights of an emulator say at which grid spacing they were trained, and warn at another one."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.weights.manifest import Manifest
from mlrtma_dist.weights.release import released
from mlrtma_dist.weights.spacing import spacings_of
from mlrtma_dist.weights.trained import load_trained


def with_stores(*made_by):
    """The Manifest of the released emulator with other stores."""
    manifest = Manifest.read(Path(str(released("lam"))))
    stores = tuple({"file": "s.h5", "made_by": text} for text in made_by)
    return replace(manifest, run=replace(manifest.run, stores=stores))


def test_spacings_are_those_of_the_domains_of_the_stores():
    assert spacings_of(Manifest.read(Path(str(released("lam"))))) == pytest.approx([20320.0], rel=1e-3)
    both = with_stores("cases: {domain: conus}", "cases: {domain: [plains_20km, conus]}")
    assert spacings_of(both) == pytest.approx([2540.0, 20320.0], rel=0.01)


@pytest.mark.parametrize(
    "made_by",
    ["", None, "cases: {}", "cases: {domain: [gone.yaml, null]}", "cases: {domain: 5}", "cut: [", "gaussian_plane: {}"],
)
def test_of_a_domain_that_is_not_recorded_or_gone_nothing_is_known(made_by):
    assert spacings_of(with_stores(made_by)) == ()


@pytest.mark.parametrize(("domain", "warned"), [("conus_20km", False), ("alaska_24km", False), ("conus", True)])
def test_another_spacing_is_warned_of_with_both(caplog, domain, warned):
    trained = load_trained(released("lam"))
    trained.settle(load_domain(domain), "checkpoint")
    assert warned == bool(caplog.text)
    if warned:
        assert "checkpoint: mlrtma_dist/weights/released/lam was trained at a spacing of 20.3 km" in caplog.text
        assert "conus has 2.54 km" in caplog.text


def test_weights_without_stores_and_ranks_that_are_not_the_first_say_nothing(caplog, monkeypatch):
    trained, fine = load_trained(released("lam")), load_domain("conus")
    replace(trained, manifest=with_stores("")).settle(fine, "checkpoint")
    monkeypatch.setenv("PMIX_RANK", "1")
    trained.settle(fine, "checkpoint")
    assert not caplog.text
