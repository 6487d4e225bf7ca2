"""Help: immediate, and complete -- every key of every configuration with the default that the program itself uses."""

import dataclasses
import importlib
import re
import typing
from pathlib import Path

import pytest

from jobs import command
from jobs.configuration_keys import keys_of
from jobs.definitions import entries
from jobs.options import OPTIONS
from jobs.verb_help import FILES, sections
from mlrtma_dist import config
from mlrtma_dist.methods.registry import METHODS

ROOT = Path(__file__).parents[2]
SECTIONS = sorted({(module, name) for files in FILES.values() for _, module, name in files})
# Words by which a number is measured; a key may carry its unit in its own name.
UNITS = re.compile(
    r"(?<![\w-])(m|km|K|K/m|K per m|Pa|m/s|m s-1|s|s-1|1/s|bytes|bytes/s|degrees|hours|days|minutes|metres|seconds"
    r"|SI|megabytes|shares?|fraction|factor|without unit|unit|grid points|highest one|in observation errors"
    r"|analysis space|0 to 1)"
    r"(?![\w-])"
)


def needed_or_default(field: dataclasses.Field):
    """The value of a field that is left out; ``MISSING``: it is needed."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def sections_of(hint) -> list[tuple[str, type]]:
    """The dataclasses in a type, each with what stands between its key and theirs."""
    if dataclasses.is_dataclass(hint):
        return [("", hint)]
    inner = [section for part in typing.get_args(hint) for section in sections_of(part)]
    between = {tuple: "[]", dict: ".<name>"}.get(typing.get_origin(hint), "")
    return [(between + before, cls) for before, cls in inner]


def true_keys(cls: type, prefix: str, expanded: set[type]) -> dict[str, object]:
    """Path -> default of every key of a dataclass, from the imported classes themselves; each section once."""
    keys, hints = {}, typing.get_type_hints(cls)
    for field in (each for each in dataclasses.fields(cls) if each.init):
        path = prefix + field.name
        keys[path] = needed_or_default(field)
        for between, inner in sections_of(hints[field.name]):
            if inner not in expanded:
                expanded.add(inner)
                keys |= true_keys(inner, f"{path}{between}.", expanded)
    return keys


def plain(value):
    """A default as YAML would hold it."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return list(map(plain, value)) if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize(("module", "name"), SECTIONS, ids=lambda text: str(text).rpartition(".")[2])
def test_keys_and_defaults_are_those_of_the_dataclasses_themselves(module, name):
    cls = getattr(importlib.import_module(module), name)
    expected = true_keys(cls, "", {cls})
    keys = {key.path: key for key in keys_of(module, name)}
    assert list(keys) == list(expected)
    for path, value in expected.items():
        text = keys[path].default
        if value is dataclasses.MISSING:
            assert text is None, path
            continue
        read = config.parse_yaml(f"value: {text}", path)["value"]
        if dataclasses.is_dataclass(value):  # what is not named there is the section's own default
            whole = plain(value)
            assert read.items() <= whole.items() and plain(type(value)(**read)) == whole, path
        else:
            assert read == plain(value), path


@pytest.mark.parametrize(("module", "name"), SECTIONS, ids=lambda text: str(text).rpartition(".")[2])
def test_every_key_has_a_meaning_and_every_measured_number_a_unit(module, name):
    keys = list(keys_of(module, name))
    unexplained = [key.path for key in keys if len(key.meaning) < 9 or key.meaning.startswith("as in")]
    numbers = [key for key in keys if "float" in key.kind]
    words = {key.path: f"{key.path.replace('_', ' ')} {key.meaning}" for key in numbers}
    assert not unexplained
    assert not {path: text for path, text in words.items() if not UNITS.search(text)}, "name the unit in the docstring"


@pytest.mark.parametrize("verb", command.VERBS)
def test_the_help_of_a_verb_names_its_options_methods_keys_and_defaults(verb, capsys):
    assert command.main([verb, "--help"]) == 0 == command.main([verb, "x.yaml", "-h"])
    text = capsys.readouterr().out
    assert f"usage: mlrtma {verb}" in text
    assert all(f"\n  {option} " in text for option in OPTIONS.get(verb, {}))
    for _, module, name in FILES.get(verb, ()):
        for key in keys_of(module, name):
            default = "!" if key.default is None else key.default
            assert f"\n  {key.path}: {default}" in text, key
            assert " ".join(key.meaning.split()) in " ".join(text.split()), key
    if verb in ("analyse", "verify"):
        assert all(f"\n  {name} " in text and entry.words in text for name, entry in METHODS.items())


def test_the_page_of_commands_has_every_verb_in_its_table_and_its_usage_with_options_that_there_are(capsys):
    page = (ROOT / "docs" / "commands.md").read_text()
    usage = next(block for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) if block.startswith("mlrtma analyse"))
    calls = [call.split(maxsplit=2)[1:] for call in re.sub(r"\n +", " ", usage).splitlines()]
    assert {verb for verb, _ in calls} == set(command.VERBS)
    table = re.findall(r"^\| `(\w+)`", page.partition("\n\n```")[0], re.MULTILINE)  # the first one
    assert set(table) == set(command.VERBS)
    for verb, arguments in calls:
        command.main([verb, "--help"])
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert set(re.findall(r"--[a-z-]+", arguments)) <= options, verb


def test_methods_and_their_words_are_those_of_the_registry():
    assert entries("mlrtma_dist.methods.registry", "METHODS") == {n: entry.words for n, entry in METHODS.items()}


def test_keys_of_a_run_come_first_and_a_mapping_of_columns_is_explained():
    parts = sections("analyse")
    assert [part.splitlines()[0].split(" (")[0] for part in parts] == [
        "methods:",
        "keys of the configuration",
        "keys of a domain's file, which cases.domain or domain names:",
        "keys of a file of configs/methods, which settings names:",
        "keys of a file of configs/maps, which map_style names:",
        "keys of a mapping of CSV columns, which cases.reports.mapping names:",
    ]
    assert "delimiter" in parts[-1]


def test_every_option_sets_a_key_that_there_is():
    for verb in ("analyse", "cycle", "verify", "estimate", "samples", "train", "domain", "demo"):
        paths = {key.path for key in keys_of(f"jobs.{verb}", "Run")}
        for option, (key, words) in OPTIONS[verb].items():
            assert words and (not key or key.removesuffix("...") in paths), (verb, option)
