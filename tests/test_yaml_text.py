"""YAML text: words have one meaning, whatever version of YAML a reader follows."""

import datetime
import math

import pytest
import yaml

from mlrtma_dist import yaml_text
from mlrtma_dist.config import ConfigError, apply_override, build, load, load_yaml
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.samples.station_hours import Reports


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("12:30", "12:30"),
        ("190:20:30", "190:20:30"),
        ("-07:00", "-07:00"),
        ("01:00:00", "01:00:00"),
        ("1e3", 1000.0),
        ("1E-8", 1e-8),
        ("-2.5e+3", -2500.0),
        ("1.10", 1.1),
        (".5", 0.5),
        ("2022-08-24", "2022-08-24"),
        ("2022-08-24T06:00:00Z", "2022-08-24T06:00:00Z"),
        ("2022-08-24 06:00:00", "2022-08-24 06:00:00"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("0b11", "0b11"),
        ("0o17", "0o17"),
        ("10000", 10000),
        ("-5", -5),
        ("0", 0),
        ("0.5", 0.5),
        ("00.5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("y", "y"),
        ("n", "n"),
        ("'no'", "no"),
        ('"010000"', "010000"),
        ("norway", "norway"),
        ("KDEN", "KDEN"),
    ],
)
def test_a_word_has_the_meaning_of_the_core_schema(word, value):
    read = yaml_text.load(f"key: {word}\n")["key"]
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize("place", ["key: {}", "- {}", "key: [a, {}]", "{}: 5", "{{a: {}}}"])
@pytest.mark.parametrize("word", ["no", "No", "NO", "yes", "on", "Off", "010000", "-010", "00", "0_7", "0900"])
def test_a_word_with_two_meanings_is_refused_with_its_line_and_both_ways_out(place, word):
    with pytest.raises(yaml_text.YamlError, match=f"{word} is .* to some readers of YAML .*in quotes") as error:
        yaml_text.load("# a remark\n" + place.format(word) + "\n")
    assert "line 2" in str(error.value)


TEXTS = (
    "no",
    "on",
    "010000",
    "0900",
    "12:30",
    "1e3",
    "1e-8",
    "1.10",
    "2022-08-24",
    "null",
    "~",
    "",
    "true",
    "0x10",
    "1_0",
    "a",
)
VALUES = [*TEXTS, 5, 1e-8, 1e22, 0.1, -3, True, False, None, math.inf]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read_as_the_same_also_by_readers_of_yaml_1_1(value):
    text = yaml_text.dump({"key": value, "list": [value]})
    for read in (yaml_text.load(text), yaml.safe_load(text)):
        assert read == {"key": value, "list": [value]} and type(read["key"]) is type(value)


def test_a_date_is_no_text_to_pyyaml_and_one_here():
    assert yaml.safe_load("2022-08-24") == datetime.date(2022, 8, 24) and yaml_text.load("2022-08-24") == "2022-08-24"


DOMAIN = """
name: {name}
title: small
projection: "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"
corner: {{latitude: 39.0, longitude: -106.0}}
spacing: {spacing}
size: {{x: 24, y: 20}}
"""


@pytest.mark.parametrize(
    ("name", "spacing", "message"),
    [
        ("co", "010000", "line 6.*|010000 is an octal number .* write 10000"),
        ("no", "10000", "no is false to some readers .* write false, or 'no' in quotes"),
        ("1.10", "10000", "name: expected str, got 1.1"),
        ("true", "10000", "name: expected str, got True"),
        ("co", "12:30", "spacing: expected float, got '12:30'"),
        ("co", "0x2710", "spacing: expected float, got '0x2710'"),
    ],
)
def test_a_domain_whose_words_are_read_in_two_ways_is_refused(tmp_path, name, spacing, message):
    (tmp_path / "dom.yaml").write_text(DOMAIN.format(name=name, spacing=spacing))
    with pytest.raises(ConfigError, match=f"(?s)dom.yaml.*{message}"):
        load(Domain, tmp_path / "dom.yaml")


@pytest.mark.parametrize(
    ("name", "spacing"), [("co", "1e4"), ("2022", "10000.0"), ("'no'", "10_000"), ("12:30", "10000")]
)
def test_a_domain_has_the_name_and_the_spacing_that_are_written(tmp_path, name, spacing):
    (tmp_path / "dom.yaml").write_text(DOMAIN.format(name=name, spacing=spacing))
    domain = load(Domain, tmp_path / "dom.yaml")
    assert (domain.name, domain.spacing) == (name.strip("'"), 10000.0)


def test_times_of_a_configuration_are_its_text(tmp_path):
    (tmp_path / "run.yaml").write_text("time: [2022-08-24 06:00:00, 2022-08-24T07:00, 2022082408]\n")
    reports = build(Reports, load_yaml(tmp_path / "run.yaml"), "run.yaml")
    assert reports.time == ("2022-08-24 06:00:00", "2022-08-24T07:00", "2022082408")


def test_a_setting_of_the_command_line_is_read_by_the_same_rules():
    data: dict = {}
    for override in ("rate=1e-3", "clock=12:30", "quick=true", "name='no'"):
        apply_override(data, override)
    assert data == {"rate": 1e-3, "clock": "12:30", "quick": True, "name": "no"}
    for override in ("maps=no", "spacing=010000"):
        with pytest.raises(ConfigError, match=f"--set {override}: .*to some readers of YAML"):
            apply_override(data, override)
