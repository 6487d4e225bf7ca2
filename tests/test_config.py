"""Configuration: YAML becomes the dataclass it describes, and a mistake is named with its place."""

import dataclasses
import pathlib

import pytest

from hpc.chain import load_campaign
from hpc.machine import load_machine
from jobs import analyse, cycle, estimate, forecast, gate, reanalysis, release, samples, train, verify
from mlrtma_dist import config
from mlrtma_dist.config import ConfigError, apply_override, build, expand, find, load, load_yaml, portable, to_yaml
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.inference.map_settings import load_map_settings
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.observations.csv_mapping import check_mapping

SHIPPED = sorted(config.configs_root().rglob("*.yaml"))
RUNS = {  # what a folder's files describe
    "cycles": cycle.Run,
    "inference": analyse.Run,
    "forecasts": forecast.Run,
    "verification": verify.Run,
    "samples": samples.Run,
    "training": train.Run,
    "estimation": estimate.Run,
    "gates": gate.Run,
    "reanalysis": reanalysis.Run,
}


@dataclasses.dataclass(frozen=True)
class Schedule:
    steps: int
    rate: float = 0.5


@dataclasses.dataclass(frozen=True)
class Plan:
    name: str
    schedule: Schedule
    box: tuple[int, float] = (1, 2.0)
    files: tuple[str, ...] = ()
    parts: dict[str, Schedule] = dataclasses.field(default_factory=dict)
    limit: float | None = None
    quick: bool = False

    def __post_init__(self):
        if self.name == "forbidden":
            raise ValueError("name: not this one")


FULL = {
    "name": "a",
    "schedule": {"steps": 3, "rate": "1e-3"},
    "box": [4, 5],
    "files": ["x", "y"],
    "parts": {"first": {"steps": 1}},
    "limit": None,
    "quick": True,
}


def test_a_nested_mapping_becomes_nested_dataclasses_of_the_declared_types():
    plan = build(Plan, FULL, "plan.yaml")
    assert plan == Plan("a", Schedule(3, 0.001), (4, 5.0), ("x", "y"), {"first": Schedule(1, 0.5)}, None, True)
    assert isinstance(plan.box[1], float) and isinstance(plan.schedule.steps, int)


def test_what_is_saved_loads_again_to_the_same(tmp_path):
    plan = build(Plan, FULL, "plan.yaml")
    (tmp_path / "saved.yaml").write_text(to_yaml(plan))
    assert load(Plan, tmp_path / "saved.yaml") == plan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nmae": "b"}, ["unknown key 'nmae'", "did you mean 'name'", "known are name, schedule"]),
        ({"schedule": {"steps": 3, "rates": 1}}, ["schedule: unknown key 'rates'", "did you mean 'rate'"]),
        ({"schedule": {}}, ["schedule: the key 'steps' (int) is missing"]),
        ({"schedule": 3}, ["schedule: expected a section with keys, got 3"]),
        ({"schedule": {"steps": 2.5}}, ["schedule: steps: expected int, got 2.5"]),
        ({"schedule": {"steps": "nan"}}, ["schedule: steps: expected int, got 'nan'"]),
        ({"schedule": {"steps": "inf"}}, ["schedule: steps: expected int, got 'inf'"]),
        ({"schedule": {"steps": True}}, ["schedule: steps: expected int, got True"]),
        ({"schedule": {"steps": 1, "rate": "fast"}}, ["schedule: rate: expected float, got 'fast'"]),
        ({"schedule": {"steps": 1, "rate": float("nan")}}, ["schedule: rate: expected float, got nan"]),
        ({"quick": 1}, ["quick: expected bool, got 1"]),
        ({"name": ["a"]}, ["name: expected str, got ['a']"]),
        ({"box": [1, 2, 3]}, ["box: expected 2 values, got 3"]),
        ({"parts": {"one": {"step": 1}}}, ["parts.one: unknown key 'step'", "did you mean 'steps'"]),
        ({"name": "forbidden"}, ["name: not this one"]),
    ],
)
def test_a_mistake_is_named_with_file_key_and_what_came(change, words):
    with pytest.raises(ConfigError) as caught:
        build(Plan, FULL | change, "plan.yaml")
    assert str(caught.value).startswith("plan.yaml: ")
    for word in words:
        assert word in str(caught.value)


def test_overrides_set_dotted_keys_with_yaml_values_and_later_ones_win(tmp_path):
    (tmp_path / "plan.yaml").write_text("name: a\nschedule: {steps: 3}\n")
    overrides = ["schedule.steps=7", "schedule.rate=1e-2", "files=[p, q]", "limit=null", "parts.new.steps=9"]
    plan = load(Plan, tmp_path / "plan.yaml", [*overrides, "name=b", "name=c"])
    assert plan == Plan("c", Schedule(7, 0.01), files=("p", "q"), parts={"new": Schedule(9)})


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("name", "expects key=value"),
        ("=3", "expects key=value"),
        ("name.first=1", "'name' is a value, not a section"),
        ("files=[a", "not valid YAML"),
    ],
)
def test_an_override_that_cannot_be_applied_says_why(override, words):
    with pytest.raises(ConfigError, match=words):
        apply_override({"name": "a"}, override)


def test_environment_variables_are_replaced_in_any_text_of_the_file(monkeypatch):
    monkeypatch.setenv("PLACE", "/data")
    plan = build(Plan, FULL | {"name": "${PLACE}/x", "files": ["${PLACE}/a", "b"]}, "plan.yaml")
    assert (plan.name, plan.files) == ("/data/x", ("/data/a", "b"))


def test_a_variable_that_is_not_set_is_named_with_file_and_key(monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(ConfigError, match=r"plan.yaml: name: .*NOWHERE.*export NOWHERE="):
        build(Plan, FULL | {"name": "${NOWHERE}/x"}, "plan.yaml")


def test_the_real_data_are_found_by_their_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("MLRTMA_REAL_DATA", str(tmp_path))
    assert config.data_root() == tmp_path
    assert expand("${MLRTMA_REAL_DATA}/terrain") == f"{tmp_path}/terrain"
    assert portable(f"files: [{tmp_path}/a.nc]") == "files: [${MLRTMA_REAL_DATA}/a.nc]"


def test_an_unknown_domain_names_the_nearest_and_lists_the_shipped():
    with pytest.raises(ConfigError) as caught:
        find("domains", "conas")
    shipped = sorted(path.stem for path in (config.configs_root() / "domains").glob("*.yaml"))
    assert "did you mean 'conus'" in str(caught.value)
    assert ", ".join(shipped) in str(caught.value)
    assert {"conus", "alaska", "hawaii", "guam", "puerto_rico"} <= set(shipped)


def test_a_path_that_ends_in_yaml_is_the_users_own_file(tmp_path):
    own = tmp_path / "mine.yaml"
    with pytest.raises(ConfigError, match=f"no such file: {own}"):
        find("domains", str(own))
    own.write_text("name: mine\n")
    assert find("domains", str(own)) == own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\n", "not valid YAML.*line"),
        ("a: 1\nb: {c: 1, c: 2}\n", "not valid YAML: the key 'c' stands twice.*line 2"),
        ("- 1\n", "expected a mapping of keys to values, got a list"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, words):
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"(?s)broken.yaml: {words}"):
        load_yaml(tmp_path / "broken.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_file_is_what_its_folder_says(path: pathlib.Path, monkeypatch):
    monkeypatch.setenv("MLRTMA_REAL_DATA", "/anywhere")  # the paths need not exist to be read
    kind = path.parent.name
    if kind == "domains":
        domain = load(Domain, path)
        assert domain.name == path.stem and min(domain.shape) >= 2
    elif kind == "methods":
        settings = load(Classical, path)
        assert all(s.observation_error > 0 and s.covariance for s in settings.variables.values())
    elif kind in RUNS:
        run = load(RUNS[kind], path)
        assert run.output.startswith("output/"), "what is shipped writes where .gitignore looks away"
    elif kind == "releases":
        run = load(release.Run, path)
        assert run.output == f"mlrtma_dist/weights/released/{path.stem}" or run.output.startswith("output/")
    elif kind == "maps":
        assert load_map_settings(path.stem).scales
    elif kind == "machines":
        assert load_machine(path.stem).scheduler in ("slurm", "none")
    elif kind == "campaigns":
        steps = load_campaign(path)
        for step in steps:
            if step.config.startswith("output/"):  # which the steps that it comes after make
                assert step.after
            else:
                kind = pathlib.Path(step.config).parent.name
                load({**RUNS, "releases": release.Run}[kind], config.configs_root().parent / step.config, step.set)
    else:
        assert kind == "observations", f"{path}: no test knows this folder"
        mapping = load_yaml(path)
        assert check_mapping(mapping, path.name) is None and (mapping["variables"] or mapping["report"])
