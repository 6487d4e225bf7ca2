"""`mlrtma plan` answers for a machine that it has not seen, and says which key is missing where it cannot."""

import pytest
import yaml

from jobs.command import main
from mlrtma_dist.config import configs_root

TRAINING = str(configs_root() / "training" / "unet_exercise1_ci.yaml")
LINK = {"latency": 1e-5, "bandwidth": 1e10}
HARDWARE = {
    "peak_bf16": "9e14",
    "peak_float32": 4e14,
    "utilisation": 0.5,
    "memory": "80e9",
    "memory_bandwidth": 3e12,
    "call": 1e-6,
    "within_node": LINK,
    "between_nodes": LINK,
}


@pytest.fixture
def machine(tmp_path):
    def write(**changes):
        path = tmp_path / "mine.yaml"
        parts = {key: value for key, value in {**HARDWARE, **changes}.items() if value is not None}
        path.write_text(yaml.safe_dump({"gpus_per_node": 4, "nodes": 1, "hardware": parts}))
        return str(path)

    return write


def test_a_machine_never_seen_gets_both_tables_without_a_store(machine, capsys):
    assert main(["plan", "--machine", machine(), "--config", TRAINING, "--domain", "conus", "--ranks", "4", "16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.split()[:1] in (["4"], ["16"])]
    assert [row[0] for row in rows] == ["4", "16", "4", "16"]
    assert rows[1][-5:] == ["4", "nodes;", "mine", "lends", "1"]
    for row, samples, ranks in zip(rows, (8, 8, 8, 32), (4, 16, 4, 16), strict=True):
        data = int(row[1].split("(")[1][:-1])
        assert samples % data == 0 and ranks % data == 0
    assert any(line.startswith("recommended") for line in lines)


def test_the_domain_is_that_of_the_samples_recipe_where_none_is_named(machine, capsys):
    assert main(["plan", TRAINING, "--machine", machine(), "--ranks", "1"]) == 0
    assert "plane 64 x 64" in capsys.readouterr().out


def test_no_data_are_needed_for_a_domain_whose_terrain_is_a_file(machine, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MLRTMA_REAL_DATA", "")
    monkeypatch.setattr("mlrtma_dist.config.data_root", lambda: None)
    (tmp_path / "recipe.yaml").write_text(
        "cases: {domain: conus_1km, count: 8, simulated_weather: {variables: [t2m], stations: {random: 300}}}\n"
        "output: none.h5\n"
    )
    recipe = ["--set", f"samples=[{tmp_path}/none.h5]", "--set", f"make_samples={tmp_path}/recipe.yaml"]
    for where in (["--domain", "conus_1km"], recipe):
        assert main(["plan", TRAINING, "--machine", machine(), "--ranks", "16", *where]) == 0
        assert "conus_1km 4054 x 5954" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory": None}, "missing: memory"),
        ({"within_node": {"latency": 1e-5}}, "within_node: expected the keys latency, bandwidth; missing: bandwidth"),
        ({"utilisation": 1.5}, "utilisation: expected a share of the peak up to 1, got 1.5"),
        ({"cal": 1.0}, r"unknown key 'cal' (did you mean 'call'?)"),
        ({"memory": "much"}, "hardware: memory: expected a number, got 'much'"),
        ({"call": 0.0}, "call: expected a finite number above 0, got 0"),
        ({"memory_bandwidth": float("inf")}, "memory_bandwidth: expected a finite number above 0, got inf"),
    ],
)
def test_a_wrong_section_is_refused_with_file_and_key(machine, capsys, changes, message):
    path = machine(**changes)
    assert main(["plan", "--machine", path, "--config", TRAINING, "--domain", "guam"]) == 2
    error_output = capsys.readouterr().err
    assert path in error_output and message in error_output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--machine", "local", "--config", TRAINING], "the section hardware: is missing"),
        (["--config", TRAINING], "expected --machine NAME and --config TRAINING"),
        (["--machine", "gpu_cluster", "--config", TRAINING, "--ranks", "many"], "--ranks: expected whole numbers"),
        (["--machine", "gpu_clutser", "--config", TRAINING], "shipped are gpu_cluster"),
    ],
)
def test_wrong_command_lines_are_refused_by_name(capsys, arguments, message):
    assert main(["plan", *arguments]) == 2
    assert message in capsys.readouterr().err
