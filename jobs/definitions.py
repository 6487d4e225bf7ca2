"""Definitions of names, read from the source of this project: classes, dictionaries and the values of defaults.

Nothing is imported: the modules of a verb import numpy, pyproj, eccodes, some torch, which takes seconds, and help is
to be immediate.
"""

import ast
import functools
import operator
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the checkout, or of the installed packages
PACKAGES = ("mlrtma_dist", "hpc", "jobs")
NOT_TEXT = re.compile(r"[-+.:\d]*|true|false|null")  # what YAML takes for something else
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@functools.cache
def source(module: str) -> ast.Module:
    """The syntax tree of a module of this project."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def locate(module: str, name: str) -> tuple[str, ast.AST] | None:
    """The module that defines a name, and its definition or value, from a module that uses it; None: it is not ours."""
    for node in source(module).body:
        match node:
            case ast.ClassDef(name=own) if own == name:
                return module, node
            case ast.Assign(targets=[ast.Name(id=own)], value=value) if own == name:
                return module, value
            case ast.AnnAssign(target=ast.Name(id=own), value=ast.expr() as value) if own == name:
                return module, value
            case ast.ImportFrom(module=str(origin)) if origin.split(".")[0] in PACKAGES:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return locate(origin, alias.name)
    return None


def class_of(module: str, name: str) -> tuple[str, ast.ClassDef]:
    """The module that defines a class which a module uses, and its definition."""
    place = locate(module, name)
    if place is None or not isinstance(place[1], ast.ClassDef):
        raise LookupError(f"{module} has no class {name} of this project")
    return place[0], place[1]


def entries(module: str, name: str) -> dict[str, str]:
    """The keys of a dictionary of a module, each with the first text of its value: the methods with their words."""
    place = locate(module, name)
    if place is None or not isinstance(place[1], ast.Dict):
        raise LookupError(f"{module} has no dictionary {name}")
    texts = {}
    for key, value in zip(place[1].keys, place[1].values, strict=True):
        words = [node.value for node in getattr(value, "args", ()) if isinstance(node, ast.Constant)]
        if isinstance(key, ast.Constant):
            texts[str(key.value)] = next((text for text in words if isinstance(text, str)), "")
    return texts


def fields_of(definition: ast.ClassDef) -> dict[str, ast.AnnAssign]:
    """The attributes of a dataclass, in their order."""
    nodes = [node for node in definition.body if isinstance(node, ast.AnnAssign)]
    return {node.target.id: node for node in nodes if isinstance(node.target, ast.Name)}


def default_of(module: str, node: ast.expr | None) -> str | None:
    """A default as YAML."""
    if node is None:
        return None
    try:
        return _yaml(_value(module, node))
    except (ValueError, LookupError):
        return ast.unparse(node)


def _value(module: str, node: ast.AST):
    """The value of an expression of literals, names of such, and calls of dataclasses, of ``field`` and of ``tuple``.

    Raises:
        ValueError: another expression. LookupError: a call of something else.
    """
    match node:
        case ast.Constant():
            return node.value
        case ast.Tuple() | ast.List():
            return [_value(module, each) for each in node.elts]
        case ast.Dict():
            return {_value(module, key): None for key in node.keys if key is not None}
        case ast.UnaryOp(op=ast.USub()):
            return -_value(module, node.operand)
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(module, node.left), _value(module, node.right))
        case ast.Name() if place := locate(module, node.id):
            return _value(*place)
        case ast.Call(func=ast.Name(id="tuple"), args=[inner]):
            return list(_value(module, inner))
        case ast.Call(
            func=ast.Name(id="field"), keywords=[ast.keyword(arg="default_factory", value=ast.Name(id=kind))]
        ):
            return {"dict": {}, "list": [], "tuple": []}.get(kind, {})
        case ast.Call(func=ast.Name(id=name)):
            values = zip(
                fields_of(class_of(module, name)[1]), (_value(module, each) for each in node.args), strict=False
            )
            return {**dict(values), **{str(each.arg): _value(module, each.value) for each in node.keywords}}
    raise ValueError(f"no literal: {ast.unparse(node)}")


def _yaml(value) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = str(value)
    return f'"{text}"' if isinstance(value, str) and NOT_TEXT.fullmatch(text) else text
