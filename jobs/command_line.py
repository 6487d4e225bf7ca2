"""From the command line to a configuration: the same rules for every verb.

    mlrtma <verb> [config.yaml] [--set key=value ...] [--dry-run] [short forms of --set]
"""

import argparse
import sys
from collections.abc import Sequence

import yaml

from mlrtma_dist import config


class _Parser(argparse.ArgumentParser):
    def error(self, message):
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
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog=f"mlrtma {verb}", description=description, formatter_class=raw)
    parser.add_argument("config", nargs="?", help="YAML file with the keys of the run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a key: window_minutes=15")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved configuration and stop")
    for option, (key, text) in options.items():
        many = key.endswith("...")
        parser.add_argument(option, nargs="+" if many else None, dest=key.removesuffix("..."), help=text)
    given = vars(parser.parse_args(list(arguments)))
    if cls is dict:  # a verb without configuration
        return given
    path, sets, dry = given.pop("config"), given.pop("set"), given.pop("dry_run")
    short = [f"{key}={_one_line(value)}" for key, value in given.items() if value is not None]
    run = config.load(cls, path, [*sets, *short])
    if dry:
        sys.stdout.write(config.to_yaml(run))
        if hasattr(run, "expected_bytes"):  # read by `mlrtma submit`
            print(f"# expected output: {run.expected_bytes():.0f} bytes")
        return None
    return run


def _one_line(value: str | list[str]) -> str:
    """A value as YAML on one line, quoted where it would else be read as a number or a date."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).replace("\n...", "").strip()
