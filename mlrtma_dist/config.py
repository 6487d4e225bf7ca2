"""Configuration: a YAML file becomes a frozen dataclass; an unknown key names the nearest known one.

Shipped files live in ``configs/`` (in the checkout, or inside the installed package). Text such
as ``${MLRTMA_REAL_DATA}`` in a value is replaced by the environment variable of that name; in the fields that a class
lists as EXPANDED_AT_USE only by whoever uses them (`expand`), so that nobody else needs the variable.
"""

import dataclasses
import difflib
import math
import os
import pathlib
import re
import types
import typing

from mlrtma_dist import yaml_text
from mlrtma_dist.errors import UserError


class ConfigError(UserError):
    """A configuration that cannot be used; the message names file and key."""

    exit_code = 2


def configs_root() -> pathlib.Path:
    """The folder that holds the shipped configuration files."""
    package = pathlib.Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def data_root() -> pathlib.Path | None:
    """The folder with real data: ``MLRTMA_REAL_DATA``, else ``../shared/data`` beside the checkout, else None."""
    named = os.environ.get("MLRTMA_REAL_DATA")
    if named:
        return pathlib.Path(named)
    beside = configs_root().parent.parent / "shared" / "data"
    return beside if beside.is_dir() else None


def portable(text: str) -> str:
    """A text that names the folder with real data by ``${MLRTMA_REAL_DATA}``, as other machines have it elsewhere."""
    root = data_root()
    return text.replace(str(root), "${MLRTMA_REAL_DATA}") if root else text


def find(kind: str, name: str) -> pathlib.Path:
    """Find a configuration file.

    Args:
        kind: folder under ``configs/``, e.g. "domains".
        name: a shipped name ("conus") or the path of a YAML file of the user's own.

    Raises:
        ConfigError: neither exists; lists the shipped names.
    """
    if name.endswith((".yaml", ".yml")):
        for path in (pathlib.Path(name), configs_root().parent / name):
            if path.is_file():
                return path
        raise ConfigError(f"no such file: {name}")
    path = configs_root() / kind / f"{name}.yaml"
    if not path.is_file():
        shipped = sorted(p.stem for p in (configs_root() / kind).glob("*.yaml"))
        raise ConfigError(
            f"no {kind} configuration named {name!r}{_nearest(name, shipped)}; shipped are {', '.join(shipped)}. "
            f"A path ending in .yaml names a file of your own."
        )
    return path


def load_yaml(path) -> dict:
    """Read a YAML mapping; environment variables in its text are replaced by ``build``.

    Raises:
        ConfigError: the file cannot be read or is not a mapping; names file and line.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> dict:
    """The YAML mapping that a text says, such as a configuration saved inside another file; an empty text is empty.

    Raises:
        ConfigError: no YAML, a key that stands twice, a word with two meanings (``yaml_text``), or not a mapping;
            ``where`` is named.
    """
    try:
        data = yaml_text.load(text)
    except yaml_text.YamlError as error:
        raise ConfigError(f"{where}: not valid YAML: {error}") from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping of keys to values, got a {type(data).__name__}")
    return data


def expand(text: str) -> str:
    """Replace ``${NAME}`` by the environment variable NAME; MLRTMA_REAL_DATA falls back to ``data_root()``.

    Raises:
        ConfigError: the variable is not set.
    """

    def value(match):
        name = match.group(1)
        setting = os.environ.get(name) or (data_root() if name == "MLRTMA_REAL_DATA" else None)
        if setting is None:
            raise ConfigError(f"{text!r} needs the environment variable {name}, which is not set: export {name}=FOLDER")
        return str(setting)

    return re.sub(r"\$\{(\w+)\}", value, text)


def build(cls, data: dict, where: str):
    """Make the dataclass ``cls`` from a mapping; nested dataclasses from nested mappings.

    Raises:
        ConfigError: an unknown, missing or unconvertible key; ``where`` and the key's path are named.
    """
    hints = typing.get_type_hints(cls)
    keys = {f.name: f for f in dataclasses.fields(cls) if f.init}
    for key in data:
        if key not in keys:
            raise ConfigError(f"{where}: unknown key {key!r}{_nearest(str(key), keys)}; known are {', '.join(keys)}")
    values = {}
    for name, field in keys.items():
        if isinstance(data.get(name), str) and name in getattr(cls, "EXPANDED_AT_USE", ()):
            values[name] = data[name]
        elif name in data:
            values[name] = _convert(hints[name], data[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: the key {name!r} ({_type_name(hints[name])}) is missing")
    try:
        return cls(**values)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def load(cls, path, overrides: typing.Sequence[str] = ()):
    """Read ``path`` (None: all defaults), apply ``key=value`` overrides, make the dataclass ``cls``."""
    data = load_yaml(path) if path is not None else {}
    where = str(path) if path is not None else "command line"
    for override in overrides:
        apply_override(data, override)
    return build(cls, data, where)


def apply_override(data: dict, override: str) -> None:
    """Set a dotted key in a nested mapping from text such as ``schedule.steps=5``; the value is YAML."""
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set expects key=value, got {override!r}")
    *parents, last = key.strip().split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {override}: {parent!r} is a value, not a section")
    try:
        data[last] = yaml_text.load(text) if text.strip() else ""
    except yaml_text.YamlError as error:
        raise ConfigError(f"--set {override}: the value is not valid YAML: {error}") from error


def to_yaml(config) -> str:
    """The resolved configuration as YAML text, ready to be run again."""
    return yaml_text.dump(_plain(config), sort_keys=False, allow_unicode=True)


def _plain(value):
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, pathlib.PurePath) else value


def _convert(hint, value, where: str):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected a section with keys, got {value!r}")
        return build(hint, value, where)
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        kinds = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(items):
            raise ConfigError(f"{where}: expected {len(kinds)} values, got {len(items)}: {value!r}")
        pairs = enumerate(zip(kinds, items, strict=True))
        return tuple(_convert(kind, item, f"{where}[{i}]") for i, (kind, item) in pairs)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected a mapping, got {value!r}")
        return {str(k): _convert(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    return _convert_scalar(hint, value, where)


def _convert_scalar(hint, value, where: str):
    wrong = ConfigError(f"{where}: expected {_type_name(hint)}, got {value!r}")
    if hint is bool:
        if not isinstance(value, bool):
            raise wrong
        return value
    if hint in (int, float):
        if isinstance(value, bool):
            raise wrong
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise wrong from None
        if math.isnan(number) or (hint is int and not number.is_integer()):
            raise wrong
        return hint(number)
    if hint is str:
        if not isinstance(value, (str, int)) or isinstance(value, bool):  # 1.10 is a float, and its text is lost
            raise wrong
        try:
            text = expand(str(value))
            text.encode("utf-8")
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        except UnicodeEncodeError as error:  # bytes of a file's name; the product says by name what it was made of
            raise ConfigError(f"{where}: expected text in UTF-8, got {value!r}: rename the file or folder") from error
        return text
    return value


def _type_name(hint) -> str:
    return getattr(hint, "__name__", None) or str(hint)


def _nearest(name: str, names) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
