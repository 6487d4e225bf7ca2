"""The help of a verb: its description, its options, and every key of its configuration with default and meaning."""

import ast
import contextlib
import importlib
import textwrap

from jobs.command_line import MARGIN, WIDTH, parser_of
from jobs.configuration_keys import Key, keys_of
from jobs.definitions import entries, source
from jobs.options import OPTIONS

# Files that a configuration names, with keys of their own: title -> module and class.
DOMAIN = "a domain's file, which cases.domain or domain names", "mlrtma_dist.grid.domain", "Domain"
SETTINGS = "a file of configs/methods, which settings names", "mlrtma_dist.methods.settings", "Classical"
MAPS = "a file of configs/maps, which map_style names", "mlrtma_dist.inference.map_settings", "MapSettings"
MACHINE = "a machine's profile, which --machine names", "hpc.machine", "Machine"
CAMPAIGN = "steps.<name>: of a campaign", "hpc.chain", "Step"
NETWORK = "the section settings: of the method unet", "mlrtma_dist.methods.unet", "UNetSettings"
RUN = "the configuration"
FILES: dict[str, tuple[tuple[str, str, str], ...]] = {
    **{verb: ((RUN, f"jobs.{verb}", "Run"), DOMAIN, SETTINGS) for verb in ("verify", "estimate", "samples", "cycle")},
    "analyse": ((RUN, "jobs.analyse", "Run"), DOMAIN, SETTINGS, MAPS),
    "reanalysis": ((RUN, "jobs.reanalysis", "Run"), DOMAIN, SETTINGS),
    "forecast": ((RUN, "jobs.forecast", "Run"), DOMAIN),
    "domain": ((RUN, "jobs.domain", "Run"), DOMAIN),
    "demo": ((RUN, "jobs.demo", "Run"), DOMAIN),
    "train": ((RUN, "jobs.train", "Run"), NETWORK),
    "release": ((RUN, "jobs.release", "Run"),),
    "gate": ((RUN, "jobs.gate", "Run"),),
    "promote": ((RUN, "jobs.promote", "Run"),),
    "lineage": (),
    "plan": ((RUN, "jobs.train", "Run"), NETWORK, MACHINE),
    "submit": (MACHINE, CAMPAIGN),
    "check": (MACHINE,),
}
MAPPED = ("analyse", "cycle", "reanalysis", "verify", "estimate", "samples")  # verbs that read CSV tables of reports
METHODS = ("analyse", "cycle", "reanalysis", "verify")  # verbs that choose a method


OWN_LINE = ("submit", "status", "logs", "cancel", "resume", "prune")  # verbs with a command line of their own


def print_help(verb: str) -> None:
    """Print the help of a verb; nothing slow is imported."""
    if verb in OWN_LINE:
        with contextlib.suppress(SystemExit):
            importlib.import_module(f"jobs.{verb}").main(["--help"])
    else:
        description = ast.get_docstring(source(f"jobs.{verb}")) or ""
        print(parser_of(verb, description, OPTIONS[verb]).format_help(), end="")
    for part in sections(verb):
        print(f"\n{part}")


def sections(verb: str) -> list[str]:
    """What stands below the options: methods, and the keys of every file that the verb reads."""
    parts = []
    if verb in METHODS:
        methods = entries("mlrtma_dist.methods.registry", "METHODS")
        parts.append("\n".join(["methods:", *(_row(name, words) for name, words in methods.items())]))
    for title, module, name in FILES.get(verb, ()):
        heading = f"keys of {title} (--set KEY=VALUE; each with its default, or !, where it is needed):"
        parts.append("\n".join([heading if title == RUN else f"keys of {title}:", *map(_line, keys_of(module, name))]))
    if verb in MAPPED:
        words = ast.get_docstring(source("mlrtma_dist.observations.csv_mapping")) or ""
        parts.append(
            f"keys of a mapping of CSV columns, which cases.reports.mapping names:\n{textwrap.indent(words, '  ')}"
        )
    return parts


def _line(key: Key) -> str:
    """A key, its default and its meaning."""
    return _row(f"{key.path}: {'!' if key.default is None else key.default}", key.meaning)


def _row(left: str, right: str) -> str:
    """Two columns; the right one begins on a line of its own where the left one is long."""
    first = f"  {left}"
    lines = textwrap.wrap(right, WIDTH - MARGIN, break_on_hyphens=False)
    if len(first) < MARGIN and lines:
        first, lines = f"{first:<{MARGIN}}{lines[0]}", lines[1:]
    return "\n".join([first, *(" " * MARGIN + line for line in lines)])
