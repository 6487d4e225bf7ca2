"""Gate: whether a candidate may replace what is in use, by stated rules, from matches at the same reports.

Every rule gives checks: a figure, its interval, a limit. The candidate passes if there is a check and all are passed; a
figure that does not exist (NaN) passes none.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.match import Matches, named
from mlrtma_dist.verification.paired import CRPS, DATES, RMSE, STATIONS, PairedErrors, Ratio, spread_over_error
from mlrtma_dist.verification.regions import ALL, regions
from mlrtma_dist.verification.scores import common_reports, in_table_order

FORMAT = "mlrtma gate 1"
ENDS = ("lower", "value", "upper")
CANDIDATE, REFERENCE = "candidate", "reference"  # names of the methods in the table that is compared


@dataclass(frozen=True)
class Limit:
    """The most that a ratio may be.

    Attributes:
        at_most: the limit, a number without unit; 1.02: 2 % worse than the reference.
        end: which end of the ratio's interval it holds for: "upper": the data must show that it is kept; "value": the
            ratio itself; "lower": it is refused only where the data show that it is not kept.
    """

    at_most: float
    end: str = "upper"

    def __post_init__(self):
        if self.end not in ENDS or not self.at_most > 0.0:
            got = f"{self.at_most:g} and {self.end!r}"
            raise ValueError(f"expected at_most above 0 and end, one of {', '.join(ENDS)}, got {got}")


@dataclass(frozen=True)
class Rules:
    """The rules of a gate; ratios are those of the candidate's score over the reference's.

    Attributes:
        rmse: limit of the ratio of rmse, the geometric mean of the variables.
        variables: that are compared, and each of which must be; empty: all in the matches.
        each_variable: limit of the ratio of rmse of every variable; null: none.
        each_region: limit of the ratio of rmse in every region (`regions`); null: none.
        region_stations: regions of fewer stations are listed and decide nothing.
        crps: limit of the ratio of CRPS, the geometric mean of the variables, as both methods predict; null: none.
        spread: the least and the largest expected over true deviation of the candidate, without unit, for every
            variable; null: any.
        share: of the reports of the verification, the least that both methods analyse, of every variable.
        reports: the least number of reports compared, of every variable.
        draw: what the intervals draw: stations, dates, or both.
        seed: of the draws.
    """

    rmse: Limit
    variables: tuple[str, ...] = ()
    each_variable: Limit | None = None
    each_region: Limit | None = None
    region_stations: int = 30
    crps: Limit | None = None
    spread: tuple[float, float] | None = None
    share: float = 0.98
    reports: int = 200
    draw: tuple[str, ...] = ("stations", "dates")
    seed: int = 0

    def __post_init__(self):
        if not self.draw or set(self.draw) - {STATIONS, DATES}:
            raise ValueError(f"draw: expected {STATIONS}, {DATES} or both, got {', '.join(self.draw) or 'none'}")
        if not 0.0 < self.share <= 1.0 or self.reports < 1 or self.region_stations < 1:
            raise ValueError(
                f"expected share above 0 and at most 1, reports and region_stations of at least 1, got {self.share:g},"
                f" {self.reports} and {self.region_stations}"
            )
        if self.spread is not None and not 0.0 < self.spread[0] < self.spread[1]:
            raise ValueError(f"spread: expected least and largest value, above 0, got {list(self.spread)}")


@dataclass(frozen=True)
class Check:
    """One figure beside its limit.

    Attributes:
        rule: key of `Rules`; of: the variables or region.
        value, lower, upper: the figure and its interval; NaN where there is none.
        limit: in words; passed: whether it is kept; None: the figure decides nothing.
    """

    rule: str
    of: str
    value: float
    lower: float
    upper: float
    limit: str
    passed: bool | None


@dataclass(frozen=True)
class Comparison:
    """The checks of a candidate, and what they rest on."""

    checks: tuple[Check, ...]
    reports: int
    stations: int
    dates: int

    @property
    def passed(self) -> bool:
        """Whether there are checks that decide, and all are passed."""
        decided = [check.passed for check in self.checks if check.passed is not None]
        return bool(decided) and all(decided)


def compare(candidate: Matches, reference: Matches, rules: Rules) -> Comparison:
    """Compare two methods at the same reports by rules.

    Args:
        candidate, reference: all their matches, in any order, those without a prediction among them.
    """
    parts = {CANDIDATE: candidate, REFERENCE: reference}
    whole = Matches.concatenate([named(matches, name) for name, matches in parts.items()])
    names = list(rules.variables) or in_table_order(whole.variables)
    own, other = (whole.select(rows) for rows in common_reports(whole, CANDIDATE, REFERENCE))
    errors = PairedErrors(own, other, rules.draw, rules.seed)
    checks = [_ratio("rmse", ", ".join(names), errors.ratio(RMSE, names), rules.rmse)]
    if rules.crps is not None:
        checks.append(_ratio("crps", ", ".join(names), errors.ratio(CRPS, names), rules.crps))
    for name in names:
        checks += _of_variable(name, errors, parts, rules)
    if rules.each_region is not None:
        checks += _of_regions(names, errors, rules, rules.each_region)
    dates = np.unique(own.time.astype("datetime64[D]"))
    return Comparison(tuple(checks), len(own), len(np.unique(own.station)), len(dates))


def _ratio(rule: str, of: str, ratio: Ratio, limit: Limit) -> Check:
    words = f"{'' if limit.end == 'value' else limit.end + ' end '}<= {limit.at_most:g}"
    return Check(
        rule, of, ratio.value, ratio.lower, ratio.upper, words, bool(getattr(ratio, limit.end) <= limit.at_most)
    )


def _of_variable(name: str, errors: PairedErrors, parts: Mapping[str, Matches], rules: Rules) -> list[Check]:
    """The checks of one variable: reports, share, ratio of rmse, spread."""
    own = errors.candidate.select(variable=name)
    observed = max(int(np.isfinite(each.select(variable=name).observation).sum()) for each in parts.values())
    share = len(own) / observed if observed else math.nan
    checks = [
        _figure("reports", name, float(len(own)), f">= {rules.reports}", len(own) >= rules.reports),
        _figure("share", name, share, f">= {rules.share:g}", bool(share >= rules.share)),
    ]
    if rules.each_variable is not None:
        checks.append(_ratio("each_variable", name, errors.ratio(RMSE, [name]), rules.each_variable))
    if rules.spread is not None:
        least, largest = rules.spread
        skill = spread_over_error(own)
        checks.append(_figure("spread", name, skill, f"{least:g} to {largest:g}", bool(least <= skill <= largest)))
    return checks


def _of_regions(names: list[str], errors: PairedErrors, rules: Rules, limit: Limit) -> list[Check]:
    both, checks = errors.candidate, []
    for label, mask in regions(both.domain, both.longitude, both.elevation).items():
        rows = mask & np.isin(both.variable, names)
        stations = len(np.unique(both.station[rows]))
        if label == ALL or not stations:
            continue
        ratio = errors.ratio(RMSE, names, rows)
        if stations >= rules.region_stations:
            checks.append(_ratio("each_region", label, ratio, limit))
        else:
            words = f"none: {stations} of {rules.region_stations} stations"
            checks.append(Check("each_region", label, ratio.value, ratio.lower, ratio.upper, words, None))
    return checks


def _figure(rule: str, of: str, value: float, limit: str, passed: bool) -> Check:
    return Check(rule, of, value, math.nan, math.nan, limit, passed)


def decision(comparison: Comparison, facts: Mapping[str, object]) -> dict:
    """All that a gate decided, as it is written: ``facts`` and every figure, those that do not exist as null."""
    data = {"format": FORMAT, "passed": comparison.passed, **facts, **asdict(comparison)}
    return json.loads(json.dumps(data), parse_constant=lambda name: None)  # NaN and infinity are no JSON


def read_decision(path: str | Path) -> dict:
    """Read a decision.

    Raises:
        InputError: none, or a damaged one.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"gate: {path}: expected a decision of `mlrtma gate`, cannot read it: {error}") from error
    keys = {"passed", CANDIDATE, REFERENCE, "matches", "checks"}
    if not isinstance(data, dict) or data.get("format") != FORMAT or not keys <= set(data):
        raise InputError(f"gate: {path}: expected a decision of `mlrtma gate` ({FORMAT}), it is none")
    return data
