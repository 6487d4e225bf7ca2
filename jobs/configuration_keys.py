"""Every key of a configuration with its default and meaning, read from the source of its dataclass.

The annotated attributes of a class are its keys, and the section ``Attributes:`` of its docstring says what they mean;
an attribute whose type is another dataclass is a section with keys of its own.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.definitions import class_of, default_of, fields_of, locate

REFERENCE = re.compile(r" \(``[^`]*``\)|``")  # to a name of the code, which says nothing to a user; code as such
ENTRY = re.compile(r" {4}(\w+(?:, \w+)*): (.*)")


@dataclass(frozen=True)
class Key:
    """One key of a configuration.

    Attributes:
        path: dotted, with [] for each of a list and <name> for each of a mapping.
        default: as YAML; None: the key is needed.
        meaning: in words, with the unit.
        kind: the annotation of its type.
    """

    path: str
    default: str | None
    meaning: str
    kind: str


def keys_of(module: str, name: str, prefix: str = "", expanded: dict[str, str] | None = None) -> Iterator[Key]:
    """The keys of a dataclass and of the sections in it, in their order.

    Args:
        module, name: of the class; prefix: of the paths.
        expanded: class -> path where its keys are listed already, which is extended.
    """
    expanded = {} if expanded is None else expanded
    module, definition = class_of(module, name)
    fields = fields_of(definition)
    meanings = _meanings(definition, list(fields))
    for own, node in fields.items():
        key, kind = prefix + own, ast.unparse(node.annotation)
        section, meaning = _section(module, node.annotation), meanings.get(own, "")
        if section in expanded:
            meaning = f"{meaning.rstrip('.')}; its keys are those of {expanded[section]}."
        yield Key(key, default_of(module, node.value), meaning, kind)
        if section is not None and section not in expanded:
            inner = key + ("[]" if kind.startswith("tuple") else ".<name>" if kind.startswith("dict") else "")
            expanded[section] = inner
            origin, _, inside = section.rpartition(".")
            yield from keys_of(origin, inside, f"{inner}.", expanded)


def _section(module: str, annotation: ast.expr) -> str | None:
    """Module and name of the dataclass in an annotation, with a dot between; None: there is none."""
    for node in ast.walk(annotation):
        place = locate(module, node.id) if isinstance(node, ast.Name) else None
        if place is not None and isinstance(place[1], ast.ClassDef):
            return f"{place[0]}.{place[1].name}"
    return None


def _meanings(definition: ast.ClassDef, names: list[str]) -> dict[str, str]:
    """What a class's docstring says of each of its attributes; "a, b: text" and "a: text; b: text" are two each."""
    text = ast.get_docstring(definition) or ""
    block = text.partition("Attributes:\n")[2].split("\n\n")[0]
    items: list[tuple[list[str], str]] = []
    for line in block.splitlines():
        if match := ENTRY.match(line):
            items.append((match[1].split(", "), match[2]))
        elif items:
            items[-1] = items[-1][0], f"{items[-1][1]} {line.strip()}"
    meanings: dict[str, str] = {}
    other = rf"(?:{'|'.join(names)})"
    for own, words in items:
        parts = [", ".join(own), *re.split(rf"[;.] ({other}(?:, {other})*): ", words)]
        for keys, meaning in zip(parts[::2], parts[1::2], strict=True):
            meanings |= dict.fromkeys(keys.split(", "), REFERENCE.sub("", meaning))
    return meanings
