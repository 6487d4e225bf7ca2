"""Sources: from the section ``cases:`` of a configuration to a source of cases. Every verb takes the same section."""

from dataclasses import dataclass

from mlrtma_dist import config
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.samples.judgement import Assumptions
from mlrtma_dist.samples.station_hours import Reports, StationHours


@dataclass(frozen=True)
class CasesSection:
    """The section ``cases:``; exactly one source.

    Attributes:
        domain: name or YAML file; null: the source's own.
        reports: files of station reports of one or several times.
    """

    domain: str | None = None
    reports: Reports | None = None

    def __post_init__(self):
        if self.reports is not None and self.domain is None:
            raise ValueError("domain: expected a name or a YAML file (--domain), got none")


def open_cases(section: CasesSection, assumptions: Assumptions | None = None) -> Cases:
    """The source that a section names.

    Args:
        assumptions: variable -> standard deviations assumed by quality control, for sources of reports.

    Raises:
        ConfigError: no source.
    """
    if section.reports is None:
        raise config.ConfigError("cases: expected one source, e.g. --observations FILE ..., got none")
    return StationHours.on(section.domain, section.reports, assumptions)
