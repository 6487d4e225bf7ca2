"""A campaign as a suite of ecFlow: the same steps and dependencies, kept by a site's own workflow engine.

The definition has one task per step, with a trigger on the steps that it comes after. A task's script submits that step
and waits for its end, so that ecFlow shows what Slurm and the outputs say; where the step is done or queued already, by
whomever, nothing is submitted twice.
"""

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from hpc.chain import ChainError, Step
from hpc.machine import ROOT

# %...% is ecFlow's to fill in, but not between %nopp and %end.
SCRIPT = """\
#!/usr/bin/env bash
set -eu
export ECF_HOST=%ECF_HOST% ECF_PORT=%ECF_PORT% ECF_NAME=%ECF_NAME% ECF_PASS=%ECF_PASS% ECF_TRYNO=%ECF_TRYNO% ECF_RID=$$
ecflow_client --init=$$
trap 'ecflow_client --abort="exit code $?"' EXIT
%nopp
export PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}}
cd {folder}
{command}
%end
trap - EXIT
ecflow_client --complete
"""


def write(path: Path, steps: Sequence[Step], command_of: Callable[[Step], Sequence[str]]) -> Path:
    """Write the definition of a suite and the folder of its scripts.

    Args:
        path: of the definition; its name without suffix is the suite's; the scripts lie beside it in <name>_tasks.
        steps: of the campaign.
        command_of: what runs a step from the present folder to its end, with an exit code other than 0 if it fails.

    Returns:
        The folder of the scripts.

    Raises:
        ChainError: a folder or command that ecFlow's files cannot hold, or two steps of one name there.
        OSError: a file cannot be written.
    """
    path = Path(path).absolute()
    suite, folder = _name(path.stem), path.with_name(f"{path.stem}_tasks")
    if re.search(r"['%\n]", str(folder)):
        raise ChainError(f"{folder}: ecFlow takes no quote, % or line's end in a folder's name: choose another one")
    names = {step.name: _name(step.name) for step in steps}
    for name in (twice := list(names.values())):
        if twice.count(name) > 1:
            alike = ", ".join(step for step, own in names.items() if own == name)
            raise ChainError(f"steps {alike}: in ecFlow both would be {name!r}, as it takes letters, digits, _ and .")
    lines = [f"suite {suite}", f"  edit ECF_FILES '{folder}'", f"  edit ECF_HOME '{folder}'", "  edit ECF_TRIES '1'"]
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        lines.append(f"  task {names[step.name]}")
        if step.after:
            # whole paths, as a name may begin with a digit
            lines.append(f"    trigger {' and '.join(f'/{suite}/{names[name]} == complete' for name in step.after)}")
        (folder / f"{names[step.name]}.ecf").write_text(_script(command_of(step)), encoding="utf-8")
    path.write_text("\n".join([*lines, "endsuite", ""]), encoding="utf-8")
    return folder


def _name(text: str) -> str:
    """A name as ecFlow takes it."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", text).lstrip(".") or "_"


def _script(command: Sequence[str]) -> str:
    words = [shlex.quote(str(ROOT)), shlex.quote(str(Path.cwd())), shlex.join(command)]
    if any("\n" in word for word in words):
        raise ChainError(f"ecFlow's scripts take no line's end in a file's name: {shlex.join(command)!r}")
    root, folder, line = words
    return SCRIPT.format(root=root, folder=folder, command=line)
