"""The pages of the documentation, read for tests: their code blocks, and a copy of the tree to try them in."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)(?: (\w+)=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PACKAGES = ("mlrtma_dist", "jobs", "hpc", "configs")


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        language: "python", "bash", ...
        role: "file": the whole of a file; "entry": imports, an empty line and an entry of the registry of a file;
            "": neither.
        path: of that file.
        text: the code.
    """

    language: str
    role: str
    path: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The command lines of the block without their comments."""
        lines = (line.partition("  #")[0].strip() for line in self.text.replace("\\\n", " ").splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def blocks(page: str, language: str = "") -> list[Block]:
    """The code blocks of a page, of one language or of all."""
    text = (ROOT / page).read_text(encoding="utf-8")
    every = (Block(name, role, path, code) for name, role, path, code in FENCE.findall(text))
    return [block for block in every if language in ("", block.language)]


class Copy:
    """A copy of the packages in a folder, to which a page's files and entries are added, and in which commands run."""

    def __init__(self, folder: Path, toy):
        self.folder = folder
        for name in PACKAGES:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "output/demo").mkdir(parents=True)
        for file in (toy.observations, toy.background):
            shutil.copy(file, folder / "output/demo" / file.name)

    def add(self, block: Block) -> None:
        """Write the file of a block, or insert its entry and the import that the entry needs."""
        path = self.folder / block.path
        if block.role == "file":
            path.write_text(block.text, encoding="utf-8")
            return
        imports, entry = block.text.split("\n\n", 1)
        text = path.read_text(encoding="utf-8")
        text, count = re.subn(
            r"^((?:METHODS|READERS): dict\[.*\] = \{\n)", lambda m: m[0] + entry, text, flags=re.MULTILINE
        )
        assert count == 1, f"{block.path}: expected one registry, got {count}"
        path.write_text(text.replace("\nfrom mlrtma_dist", f"\n{imports}\nfrom mlrtma_dist", 1), encoding="utf-8")

    def run(self, command: str) -> str:
        """Run a command as printed, where ``mlrtma`` and ``python`` are this interpreter's; what it prints."""
        name, *arguments = shlex.split(command)
        program = {"mlrtma": ["-m", "jobs.command"], "python": []}[Path(name).name]
        done = subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def run_python(self, code: str) -> str:
        """Run the code of a page; what it prints."""
        (self.folder / "page.py").write_text(code, encoding="utf-8")
        return self.run("python page.py")
