"""The pages that add a method or a source, and the README, are run as printed in a copy of the tree."""

import csv
import re
import shlex

import netCDF4
import numpy as np
import pytest
from pages import ROOT, Copy, blocks

from jobs import command

pytestmark = pytest.mark.slow  # a minute: every command starts an interpreter
SHORT = 45  # lines of the method of docs/adding_a_method.md
PLACEHOLDER = re.compile(r"\b(FILE|CONFIG|DIR|NAME|TRAINING|VERB)\b|--domain D\b|\[CONFIG|\.\.\.|inverse_distance")
# By commands of the same page, or data that are not part of the project.
MADE_BEFORE = (
    "Make one with `mlrtma samples`",
    "Train it first with `mlrtma train`",
    "or MLRTMA_REAL_DATA to the folder",
    "set MLRTMA_REAL_DATA to the folder that holds terrain",
)
VERBS = re.compile(r"(?:mpiexec -n \d+ )?(?:\.venv/bin/)?mlrtma ((?:analyse|cycle|verify|samples|train|estimate) .*)")


def shown_commands() -> list[str]:
    """The commands of all pages that name shipped configurations, once each, without their program."""
    pages = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
    lines = [line for page in pages for block in blocks(page) for line in block.commands]
    commands = [match[1] for line in lines if (match := VERBS.match(line)) and not PLACEHOLDER.search(line)]
    return list(dict.fromkeys(commands))


@pytest.mark.parametrize("command_line", shown_commands())
def test_a_command_that_a_page_shows_has_known_options_keys_and_values(command_line, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLRTMA_REAL_DATA", "/nowhere")
    code = command.main([*shlex.split(command_line), "--dry-run"])
    words = capsys.readouterr().err
    assert code == 0 or any(way_out in words for way_out in MADE_BEFORE), words


@pytest.fixture
def copy(tmp_path, toy) -> Copy:
    return Copy(tmp_path, toy)


def error(copy: Copy, product: str, toy, name: str = "t2m") -> float:
    """Root mean square error of a product's field against the truth of the simulated hour."""
    with netCDF4.Dataset(copy.folder / product) as file:
        return float(np.sqrt(np.mean((file[name][0] - toy.world.truth.values[name]) ** 2)))


def test_the_page_on_methods_adds_one_by_one_file_and_one_entry(copy, toy):
    file, entry = blocks("docs/adding_a_method.md", "python")
    assert (file.role, entry.role) == ("file", "entry")
    assert len([line for line in file.text.splitlines() if line.strip()]) <= SHORT
    for block in (file, entry):
        copy.add(block)
    for block in blocks("docs/adding_a_method.md", "bash"):
        for line in block.commands:
            copy.run(line)
    before = np.sqrt(np.mean((toy.world.background.values["t2m"] - toy.world.truth.values["t2m"]) ** 2))
    after = error(copy, "output/inverse_distance/toy_20220824T0600Z/toy_20220824T0600Z.nc", toy)
    assert after < 0.9 * before
    with (copy.folder / "output/compared/scores.csv").open() as scores:
        rmse = {row["method"]: float(row["rmse"]) for row in csv.DictReader(scores) if row["region"] == "all"}
    assert set(rmse) == {"first_guess", "nearest", "inverse_distance", "threedvar"}
    assert max(rmse["threedvar"], rmse["inverse_distance"]) < rmse["first_guess"]
    assert "inverse distance weighting of departures" in (copy.folder / "output/compared/report.html").read_text()


def test_the_page_on_sources_adds_a_format_and_a_source_of_cases(copy):
    page = "docs/adding_a_source.md"
    file, entry, *cases = blocks(page, "python")
    assert (file.role, entry.role) == ("file", "entry")
    for block in (file, entry):
        copy.add(block)
    (copy.folder / "roads.txt").write_text(blocks(page, "text")[0].text)
    (line,) = blocks(page, "bash")[0].commands
    copy.run(line)
    (quality,) = (copy.folder / "output/roads").rglob("quality.txt")
    assert re.search(r"t2m +road_weather +1 ", quality.read_text()), quality.read_text()
    means = re.findall(r"case \d: mean of t2m ([\d.]+) K", copy.run_python("".join(block.text for block in cases)))
    assert len(set(means)) == 2  # other reports are missing, so the analyses differ


def test_the_first_analysis_of_the_readme_works_as_printed(copy, toy):
    (first,) = (line for block in blocks("README.md", "bash") for line in block.commands if "mlrtma analyse" in line)
    copy.run(first)
    (product,) = (copy.folder / "output/first").rglob("*.nc")
    assert error(copy, product.relative_to(copy.folder), toy) < 1.0


def test_the_python_example_of_the_readme_works_as_printed(copy, toy):
    (example,) = blocks("README.md", "python")
    assert len(example.text.splitlines()) <= 15
    shape, low, high = re.search(r"\((\d+, \d+)\) ([\d.]+) ([\d.]+)", copy.run_python(example.text)).groups()
    assert shape == "{}, {}".format(*toy.static.domain.shape) and 250.0 < float(low) < float(high) < 320.0
