"""From the command line to a configuration: the same rules for every verb.

mlrtma <verb> [config.yaml] [--set key=value ...] [--dry-run] [short forms of --set]
"""

import argparse
import sys
from collections.abc import Sequence

from jobs.options import ARGUMENTS, OPTIONS, Options
from jobs.window import check_window
from mlrtma_dist import config, yaml_text

WIDTH, MARGIN = 118, 42  # of help: characters of a line, and before its second column


class Parser(argparse.ArgumentParser):
    """A parser whose errors are those of a configuration."""

    def error(self, message):
        """Raise ConfigError with the usage instead of leaving the program."""
        raise config.ConfigError(f"{message}\n{self.format_usage().rstrip()}")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of one width, whatever the terminal."""

    def __init__(self, prog: str):
        super().__init__(prog, width=WIDTH, max_help_position=MARGIN)


def parse(cls, verb: str, description: str, arguments: Sequence[str]):
    """Read a verb's command line.

    Args:
        cls: the dataclass of the run.
        verb: whose options they are (`jobs.options`).
        description: of the verb.
        arguments: without the verb.

    Returns:
        The resolved configuration, or None after a dry run, which has printed it.

    Raises:
        ConfigError: a wrong option, key or value.
    """
    values = vars(parser_of(verb, description, OPTIONS[verb]).parse_args(list(arguments)))
    if cls is dict:  # a verb without configuration
        return values
    path, overrides = _configuration(values)
    word, _ = ARGUMENTS.get(verb, ("config", ""))
    if word != "config" and path is not None and not path.endswith((".yaml", ".yml")):  # the value of a key
        overrides, path = [*overrides, f"{word}={_one_line(path)}"], None
    run = config.load(cls, path, overrides)
    check_window(run, verb)
    if values["dry_run"]:
        sys.stdout.write(config.to_yaml(run))
        size = run.expected_bytes() if hasattr(run, "expected_bytes") else None
        if size is not None:  # read by `mlrtma submit`
            print(f"# expected output: {size:.0f} bytes")
        if hasattr(run, "array"):  # its elements of which something remains, and the number of all
            print(f"# array elements: {run.array()}")
        return None
    return run


def parser_of(verb: str, description: str, options: Options) -> Parser:
    """The parser of a verb's command line."""
    parser = Parser(prog=f"mlrtma {verb}", description=description, formatter_class=_Formatter)
    word, text = ARGUMENTS.get(verb, ("config", "YAML file with the keys of the run"))
    parser.add_argument("config", nargs="?", metavar=word, help=text)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a key: window_minutes=15")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved configuration and stop")
    for option, (key, text) in options.items():
        text = text.replace("%", "%%")
        if not key:
            parser.add_argument(option, action="store_const", const=None, help=text)
            continue
        name = key.removesuffix("...")
        many, word = "+" if name != key else None, name.rpartition(".")[2].upper()
        parser.add_argument(option, nargs=many, dest=name, metavar=word, help=text)
    return parser


def _configuration(values: dict) -> tuple[str | None, list[str]]:
    """The file of a command line, and what it changes in it; short options win over --set."""
    short = [
        f"{key}={_one_line(value)}"
        for key, value in values.items()
        if key not in ("config", "set", "dry_run") and value is not None
    ]
    return values["config"], [*values["set"], *short]


def _one_line(value: str | list[str]) -> str:
    """A value as YAML on one line, quoted where it would else be read as a number or a date."""
    return yaml_text.dump(value, default_flow_style=True, width=10**6).replace("\n...", "").strip()
