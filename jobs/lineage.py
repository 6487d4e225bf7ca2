"""Say what a product, a release or a checkpoint was made of: weights, their ancestors, data, configurations, commits.

    mlrtma lineage output/conus_20220824T0600Z/conus_20220824T0600Z.nc
    mlrtma lineage /site/weights/current
    mlrtma lineage output/vit/checkpoints/best --json          # with the whole configurations

Of a product its weights are looked for where they were, a relative path below this folder, and among the releases of a
weights folder; that they are still the same is told by their checksum.
"""

import json
from pathlib import Path
from typing import Any

from jobs.command_line import parse
from mlrtma_dist import config
from mlrtma_dist.errors import InputError

LONG = "configuration"  # that only --json prints
MAKING = ("created", "software", "commit", "observation_files", "background_files", "store")  # of a product


def main(arguments: list[str]) -> None:
    """Run the verb."""
    as_json = "--json" in arguments
    path = parse(dict, "lineage", __doc__, [each for each in arguments if each != "--json"])["config"]
    if path is None:
        raise config.ConfigError("expected a product, or the folder of a release or of a checkpoint, got none")
    facts = of_weights(Path(path)) if Path(path).is_dir() else of_product(Path(path))
    print(json.dumps(facts, indent=1) if as_json else "\n".join(lines_of(facts)))


def of_product(path: Path) -> dict:
    """What a netCDF product was made of.

    Raises:
        InputError: no such file, or no product of this software.
    """
    from mlrtma_dist.io.netcdf import read_attributes

    attributes = read_attributes(path)
    if LONG not in attributes or "software" not in attributes:
        raise InputError(f"{path}: expected a product of this software, its attributes do not say what it was made of")
    facts: dict[str, Any] = {"product": str(path), **{key: attributes[key] for key in MAKING if key in attributes}}
    names = [key for key in attributes if key.startswith("checkpoint") and f"{key}_step" in attributes]
    weights = [_weights_of_product(attributes, key) for key in names]
    return {**facts, **({"weights": weights} if weights else {}), LONG: attributes[LONG]}


def _weights_of_product(attributes: dict, key: str) -> dict:
    """The weights that a product names, with their lineage if they can still be found."""
    place, checksum = attributes[key], attributes.get(f"{key}_sha256")
    named = {"folder": place, "sha256": checksum, "step": attributes[f"{key}_step"]}
    named["commit"] = attributes[f"{key}_commit"]
    now = ""
    for folder in _folders(place):
        try:
            facts = of_weights(folder)
        except InputError as error:
            now = now or f"not there any more: {error}"
            continue
        if checksum is None:
            return {**facts, "now": "the product holds no checksum of its weights: these may be others"}
        if facts["sha256"] == checksum:
            return facts
        now = now or f"replaced by {facts['sha256']}"
    return {**named, "now": now}


def _folders(place: str) -> list[Path]:
    """Where weights may be: as they were named, in this installation, or beside a link that leads elsewhere by now."""
    from mlrtma_dist.weights.release import FOLDER, place_of

    folder, shipped = Path(place), FOLDER / Path(place).name
    own = shipped if place == place_of(shipped) else folder
    return [own, *sorted((folder.parent / "releases").glob("*"))]


def of_weights(folder: Path) -> dict:
    """What the weights of a checkpoint or release were made of.

    Raises:
        CheckpointError: none, or damaged.
    """
    from mlrtma_dist.verification.gate import read_decision
    from mlrtma_dist.weights.checkpoint import Checkpoint  # here: it needs torch, whose import takes seconds
    from mlrtma_dist.weights.folder import GATE
    from mlrtma_dist.weights.identity import weights_checksum

    saved = Checkpoint(folder.resolve()).verify()
    run, release = saved.manifest.run, saved.manifest.release or {}
    facts: dict[str, Any] = {
        "folder": str(saved.folder),
        "sha256": weights_checksum(saved),
        "method": run.method,
        "step": saved.manifest.state.step,
        "commit": run.commit,
        "data_period": list(run.data_period),
        "cases": run.statistics.get("cases"),
        **{key: release[key] for key in ("command", "data") if key in release},
    }
    if (saved.folder / GATE).is_file():
        decision = read_decision(saved.folder / GATE)
        against, ratio = decision["reference"]["sha256"] or decision["reference"]["method"], decision["checks"][0]
        facts["gate"] = {"passed": decision["passed"], "against": against, "rmse_ratio": ratio["value"]}
    ancestors = [{**each, LONG: each["config"]} for each in run.ancestors]
    for each in ancestors:
        del each["config"]
    if run.transfer is not None:
        facts["transfer"] = run.transfer
    return {**facts, "stores": list(run.stores), "ancestors": ancestors, LONG: run.config}


def lines_of(facts: dict, indent: str = "") -> list[str]:
    """Facts as lines, what belongs to a fact below it; configurations are told by their length."""
    lines = []
    for key, value in facts.items():
        if key in (LONG, "made_by"):
            lines.append(f"{indent}{key}: {len(value.splitlines())} lines, with --json")
        elif isinstance(value, dict):
            lines += [f"{indent}{key}:", *lines_of(value, f"{indent}  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                lines += [f"{indent}{key}:", *lines_of(each, f"{indent}  ")]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}: {'; '.join(map(str, value)) or 'none'}")
        else:
            lines.append(f"{indent}{key}: {value}")
    return lines
