"""Records: the file that a job leaves when it came to its end, by which the same step is recognised as done later.

A step is its verb, its configuration and the changes of it, in the folder from which it is submitted. Its record names
its output: a step whose output was removed is no longer done.
"""

import hashlib
import json
import os
from pathlib import Path

from hpc import journal
from hpc.machine import ROOT
from hpc.whole_file import write_whole

FOLDER = "output/done"


def key_of(verb: str, config: str, changes: tuple[str, ...]) -> str:
    """The name of a step: the verb and a digest of all that decides what it makes.

    Args:
        config: path of its configuration, from here or from the checkout; changes: key=value.
    """
    path = next((path for path in (Path(config), ROOT / config) if path.is_file()), None)
    content = path.read_bytes() if path else b""
    parts = [verb, str(Path.cwd()), config, *changes]
    return f"{verb}-{hashlib.sha256(chr(0).join(parts).encode() + content).hexdigest()[:16]}"


def path_of(key: str) -> Path:
    """Where the record of a step lies."""
    return Path(FOLDER) / f"{key}.json"


def is_done(key: str) -> bool:
    """Whether the step came to its end and its output is there."""
    return (facts := read(path_of(key))) is not None and os.path.exists(facts["output"])


def read(path: Path) -> dict[str, str] | None:
    """What a record holds: the job that left it, and its output; None: there is none that is whole."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return {"job": str(facts["job"]), "output": str(facts["output"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def clear(key: str) -> None:
    """Remove the record of a step that is about to run."""
    path_of(key).unlink(missing_ok=True)


def variables(key: str, output: str) -> dict[str, str]:
    """The environment variables by which a job is told where to leave its record, and of which output."""
    return {"MLRTMA_RECORD": str(path_of(key).absolute()), "MLRTMA_OUTPUT": str(Path(output).absolute())}


def write(job: str) -> None:
    """Leave the record that this job was told to leave; where that is not possible, warn."""
    name, output = os.environ.get("MLRTMA_RECORD"), os.environ.get("MLRTMA_OUTPUT")
    if not name or not output:
        return
    path = Path(name)
    try:
        write_whole(path, json.dumps({"job": job, "output": output}) + "\n")
    except OSError as error:
        journal.warn(f"{path}: {error.strerror}: not recorded that {output} is done")
