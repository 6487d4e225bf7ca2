"""YAML text: read and written so that every word means to us what it means to other readers of YAML.

PyYAML follows YAML 1.1, in which 010000 is 4096, 12:30 is 750, ``no`` is false, 1e3 is a text and 2022-08-24 is none.
Here a word that is not in quotes has the meaning of YAML 1.2's core schema (section 10.3.2 of its specification), and
is refused where a reader of 1.1 would take it for an octal number or a truth value: either may be meant.
"""

import re

import yaml

# tag -> its words, and the characters with which they begin
_WORDS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class YamlError(ValueError):
    """A text that is no YAML; the message names line and column."""


class _Loader(yaml.SafeLoader):
    """The safe loader with these words; a key that stands twice is an error, which PyYAML does not see."""

    yaml_implicit_resolvers = {}  # none of YAML 1.1

    def construct_mapping(self, node, deep=False):
        """The mapping of a node."""
        seen = []
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.append(key.value)
        return super().construct_mapping(node, deep)

    def compose_scalar_node(self, anchor):
        """A word, a number or a text."""
        node = super().compose_scalar_node(anchor)
        if node.style is None and (meaning := _other_meaning(node.value)):
            problem = f"{node.value} is {meaning}, or {node.value!r} in quotes where it is text"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node


class _Dumper(yaml.SafeDumper):
    """The safe dumper, which puts into quotes what one version of YAML or the other takes for no text."""


for _tag, (_pattern, _first) in _WORDS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(rf"{_OCTAL.pattern}\Z"), list("-+0"))


def _other_meaning(word: str) -> str | None:
    """What a word is to a reader of YAML 1.1 alone, and what to write instead."""
    if word.lower() in _TRUTHS:
        return f"{_TRUTHS[word.lower()]} to some readers of YAML and a text to others: write {_TRUTHS[word.lower()]}"
    if _OCTAL.fullmatch(word):
        decimal = word.lstrip("+-").lstrip("0_") or "0"
        return f"an octal number to some readers of YAML and a decimal one to others: write {decimal}"
    return None


def load(text: str):
    """The value that a YAML text stands for; None for an empty text.

    Raises:
        YamlError: no YAML, a key that stands twice, or a word with two meanings.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise YamlError(str(error)) from error


def dump(value, **options) -> str:
    """A value of plain types as YAML text, which ``load`` and readers of YAML 1.1 read as the same."""
    return yaml.dump(value, Dumper=_Dumper, **options)
