"""What every output holds of its making: configuration, software, time, input."""

import datetime
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


def provenance(resolved: str, section: CasesSection, trained=None) -> dict[str, str | int]:
    """What a product holds of its making: configuration, software, input."""
    attributes: dict[str, str | int] = dict(origin(resolved))
    if section.reports is not None:
        files = section.reports
        attributes["observation_files"] = " ".join(Path(f).name for f in files.observations)
        attributes["background_files"] = " ".join(Path(f).name for f in files.background + files.ensemble)
    if section.store is not None:
        attributes["store"] = Path(section.store.file).name
    if trained is not None:
        manifest = trained.manifest
        folder = str(trained.folder.resolve())  # of which a part may not be UTF-8, as attributes must be
        attributes["checkpoint"] = folder.encode("utf-8", "backslashreplace").decode("utf-8")
        attributes["checkpoint_step"], attributes["checkpoint_commit"] = manifest.state.step, manifest.run.commit
    return attributes


def commit() -> str:
    """The commit of the checkout that runs, see `hpc.journal.commit`."""
    return journal.commit(Path(__file__).resolve().parent.parent)
