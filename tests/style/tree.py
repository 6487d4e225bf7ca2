"""The tree of the project as a page: every file with the first line of its docstring. Run it to renew docs/tree.md."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tree.md"
FOLDERS = {
    "jobs": "the verbs, one file each, and what they share",
    "hpc": "what happens outside the Python process: batch scripts, queues, machines",
    "mlrtma_dist": "what happens inside the Python process; imports go down the rooms",
    "mlrtma_dist/diffusion": "samplers of a prior and of its posterior given observations",
    "mlrtma_dist/fields": "gridded fields: backgrounds, members, terrain, first guesses",
    "mlrtma_dist/grid": "domains, boxes, points, interpolation",
    "mlrtma_dist/inference": "analyses, products, maps",
    "mlrtma_dist/io": "file formats",
    "mlrtma_dist/linalg": "covariances as operators, kernels, solvers, random fields",
    "mlrtma_dist/methods": "cases, methods and their registry",
    "mlrtma_dist/nn": "networks and layers, which work on tensors and do not depend on ranks",
    "mlrtma_dist/observations": "readers of reports and quality control",
    "mlrtma_dist/parallel": "ranks, tiles, halos, messages; no other room uses MPI",
    "mlrtma_dist/physics": "equations of motion, moist air",
    "mlrtma_dist/samples": "sources of cases: hours of report files, stores",
    "mlrtma_dist/simulation": "simulated weather, and the worlds of the exercises",
    "mlrtma_dist/training": "the loop, the engine, the schedule, the average of the weights",
    "mlrtma_dist/verification": "scores, diagnostics, the report",
    "mlrtma_dist/verification/templates": "the report's page",
    "mlrtma_dist/weights": "checkpoints at rest",
    "configs": "the choices, one file each",
    "configs/campaigns": "jobs that wait for jobs",
    "configs/cycles": "what mlrtma cycle reads",
    "configs/domains": "grids",
    "configs/estimation": "what mlrtma estimate reads",
    "configs/inference": "what mlrtma analyse reads",
    "configs/forecasts": "what mlrtma forecast reads",
    "configs/machines": "what mlrtma submit and mlrtma plan need of a machine",
    "configs/methods": "what the classical methods assume",
    "configs/observations": "how the columns of a table of reports are read",
    "configs/samples": "what mlrtma samples makes",
    "configs/training": "what mlrtma train reads",
    "configs/verification": "what mlrtma verify reads",
    "benchmarks": "claims: each prints its figure last",
    "tests": "tests, in the folders of what they test",
    "docs": "pages; the index is docs/index.md",
}
ROOTS = ("jobs", "hpc", "mlrtma_dist", "configs", "benchmarks", "tests", "docs")
SUFFIXES = (".py", ".yaml", ".sbatch", ".sh", ".md")
HEADING = """# The tree

Every file with the first line of its docstring. `python tests/style/tree.py` writes this page, and a test compares it.

"""


def first_line(path: Path) -> str:
    """The first line of a file's docstring, heading or comment; "" where it has none."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        words = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
    elif path.suffix == ".md":
        words = text.split("\n")[0].lstrip("# ")
    else:
        comments = (line.lstrip("# ") for line in text.splitlines() if line.startswith("#") and line[:2] != "#!")
        words = next((line for line in comments if line and not line.startswith("SBATCH")), "")
    return words.rstrip(".")


def lines_of(folder: Path) -> list[str]:
    """A folder as lines of Markdown: its heading, its files, then its folders."""
    name = folder.relative_to(ROOT).as_posix()
    words = FOLDERS.get(name, "")
    files = [p for p in sorted(folder.iterdir()) if p.suffix in SUFFIXES and p.name != "__init__.py"]
    lines = [f"## {name}", "", *([f"{words[0].upper()}{words[1:]}.", ""] if words else [])]
    if files:
        lines += ["| file | what it is |", "|---|---|"]
        lines += [f"| [{p.name}](../{p.relative_to(ROOT).as_posix()}) | {_cell(first_line(p))} |" for p in files]
        lines.append("")
    for inner in sorted(p for p in folder.iterdir() if p.is_dir()):
        if any(p.suffix in SUFFIXES for p in inner.rglob("*")):
            lines += lines_of(inner)
    return lines


def tree() -> str:
    """The whole page."""
    return HEADING + "\n".join(line for name in ROOTS for line in lines_of(ROOT / name))


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(tree(), encoding="utf-8")
