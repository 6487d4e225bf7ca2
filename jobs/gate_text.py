"""The decision of a gate as text: what was compared with what, and a line per figure."""

from hpc.text_table import aligned

HEADS = ("rule", "of", "figure", "interval", "limit", "")
MARKS = {True: "passed", False: "REFUSED", None: "shown"}


def text_of(verdict: dict) -> str:
    """The text of `verification.gate.decision`, for a terminal or a log."""
    candidate, reference = verdict["candidate"], verdict["reference"]
    rows = [HEADS, *map(_row, verdict["checks"])]
    return "\n".join(
        [
            f"{'passed' if verdict['passed'] else 'REFUSED'}: {_name(candidate)}, against {_name(reference)}",
            f"{verdict['reports']} reports of {verdict['stations']} stations on {verdict['dates']} dates;"
            f" {verdict['times_within_training']}",
            "",
            *aligned(rows),
            "",
        ]
    )


def _name(side: dict) -> str:
    if side["sha256"] is None:
        return side["method"]
    return f"{side['method']} {side['sha256'][:12]}, step {side['step']}, {side['folder']}"


def _row(check: dict) -> tuple[str, ...]:
    interval = "" if check["lower"] is None else f"{check['lower']:.4g} to {check['upper']:.4g}"
    value = "none" if check["value"] is None else f"{check['value']:.4g}"
    return check["rule"], _short(check["of"]), value, interval, check["limit"], MARKS[check["passed"]]


def _short(words: str) -> str:
    """A list of many variables by its first ones."""
    names = words.split(", ")
    return words if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
