"""What every output holds of its making: configuration, software, time, input."""

import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path

import mlrtma_dist
from hpc import journal
from mlrtma_dist.samples.sources import CasesSection


def origin(resolved: str) -> dict[str, str]:
    """What every product holds of its making, whatever its input: configuration, software, time."""
    return {
        "configuration": resolved,
        "software": f"mlrtma {mlrtma_dist.__version__}",
        "commit": commit(),
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def provenance(resolved: str, section: CasesSection, trained: Mapping) -> dict[str, str | int]:
    """What a product holds of its making: configuration, software, input, and the trained methods by name."""
    attributes: dict[str, str | int] = dict(origin(resolved))
    if section.reports is not None:
        files = section.reports
        attributes["observation_files"] = names_of(files.observations)
        attributes["background_files"] = names_of(files.background + files.ensemble)
    if section.imagery is not None:
        patterns = tuple(each.pattern for each in section.imagery.patterns)
        attributes["imagery_files"] = names_of(section.imagery.files + patterns)
    if section.gridded is not None:
        attributes["gridded_files"] = names_of(section.gridded.files)
    if section.states is not None:
        attributes["state_files"] = names_of(section.states.files)
    if section.store is not None:
        attributes["store"] = Path(section.store.file).name
    for name, each in trained.items():
        weights = weights_of(each)
        key = "checkpoint" if len(trained) == 1 else f"checkpoint_{name}"
        attributes[key] = weights.pop("checkpoint")
        attributes |= {f"{key}_{fact}": value for fact, value in weights.items()}
    return attributes


def weights_of(trained) -> dict[str, str | int]:
    """Which weights a `weights.trained.TrainedMethod` has: folder as it was named, its name, steps, commit, checksum.

    No path of this machine is added to what was named, so that a product is the same at another site.
    """
    return {
        "checkpoint": _attribute(trained.place),
        "name": _attribute(trained.folder.name),
        "step": trained.manifest.state.step,
        "commit": trained.manifest.run.commit,
        "sha256": trained.checksum,
    }


def names_of(files: Iterable[str]) -> str:
    """The names of files without their folders, as an attribute."""
    return _attribute(" ".join(Path(file).name for file in files))


def _attribute(text: str) -> str:
    """A text of which a part may not be UTF-8, as attributes must be; that part is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def commit() -> str:
    """The commit of the checkout that runs, see `hpc.journal.commit`."""
    return journal.commit(Path(__file__).resolve().parent.parent)
