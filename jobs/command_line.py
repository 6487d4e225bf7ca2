"""From the command line to a configuration: the same rules for every verb.

mlrtma <verb> [config.yaml] [--set key=value ...] [--dry-run] [short forms of --set]
"""

import argparse
import sys
from collections.abc import Sequence

from mlrtma_dist import config, yaml_text


class Parser(argparse.ArgumentParser):
    """A parser whose errors are those of a configuration."""

    def error(self, message):
        """Raise ConfigError with the usage instead of leaving the program."""
        raise config.ConfigError(f"{message}\n{self.format_usage().rstrip()}")


def parse(cls, verb: str, description: str, arguments: Sequence[str], options: dict[str, tuple[str, str]]):
    """Read a verb's command line.

    Args:
        cls: the dataclass of the run.
        verb: for the usage line.
        description: for --help.
        arguments: without the verb.
        options: short forms: option -> (key it sets, help); the key "a..." takes one value or more.

    Returns:
        The resolved configuration, or None after a dry run, which has printed it.

    Raises:
        ConfigError: a wrong option, key or value.
    """
    values = _given(verb, description, arguments, options)
    if cls is dict:  # a verb without configuration
        return values
    path, overrides = _configuration(values)
    run = config.load(cls, path, overrides)
    if values["dry_run"]:
        sys.stdout.write(config.to_yaml(run))
        size = run.expected_bytes() if hasattr(run, "expected_bytes") else None
        if size is not None:  # read by `mlrtma submit`
            print(f"# expected output: {size:.0f} bytes")
        return None
    return run


def _given(verb: str, description: str, arguments: Sequence[str], options: dict[str, tuple[str, str]]) -> dict:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=f"mlrtma {verb}", description=description, formatter_class=raw)
    parser.add_argument("config", nargs="?", help="YAML file with the keys of the run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a key: window_minutes=15")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved configuration and stop")
    for option, (key, text) in options.items():
        many = key.endswith("...")
        parser.add_argument(option, nargs="+" if many else None, dest=key.removesuffix("..."), help=text)
    return vars(parser.parse_args(list(arguments)))


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
