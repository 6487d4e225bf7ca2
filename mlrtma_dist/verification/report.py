"""The verification report: one HTML file that holds everything it shows.

Errors at withheld stations and errors against fields whose truth is known stand in the same report; where a run has
both, as on simulated weather, a section shows them side by side.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.verification.comparison import comparison_section, pair_errors
from mlrtma_dist.verification.distribution_scores import DistributionScore, ReliabilityRow
from mlrtma_dist.verification.event_scores import score_speeds
from mlrtma_dist.verification.report_distributions import distributions_section
from mlrtma_dist.verification.report_events import events_section
from mlrtma_dist.verification.report_fields import FieldVerification, field_headline, field_sections
from mlrtma_dist.verification.report_page import Section, figure_of_file, render
from mlrtma_dist.verification.report_stations import StationVerification, station_headline, station_sections
from mlrtma_dist.verification.report_trend import trend_section
from mlrtma_dist.verification.report_words import SHORT, WORDS, Wording


def write_report(
    path: str | Path,
    *,
    title: str,
    context: Mapping[str, str],
    stations: StationVerification | None = None,
    fields: FieldVerification | None = None,
    distributions: Sequence[DistributionScore] = (),
    reliability: Sequence[ReliabilityRow] = (),
    figures: Iterable[str | Path] = (),
    words: Mapping[str, str] = WORDS,
    short: Mapping[str, str] = SHORT,
) -> None:
    """Write ``report.html``; nothing is loaded from elsewhere when it is opened.

    Args:
        path: the file to be; written beside and renamed.
        title: for people, such as "Verification, CONUS, 2022-08-24 06:00 UTC".
        context: what was run: configuration, commit, files, times; name -> text, line breaks are kept.
        stations: errors at withheld stations; None: there are none.
        fields: errors against known fields; None: no truth is known.
        distributions: scores of predicted distributions, at stations and of fields; reliability: of their
            probabilities.
        figures: PNG or SVG files to show, such as maps of the analysis; the file's name is the caption.
        words: what each method is; short: its name in sentences, legends and narrow columns.

    Raises:
        MatchError: there is no row to report, or a variable that ``names`` does not have and that has no unit.
        ValueError: neither stations nor fields, or a figure that is neither PNG nor SVG.
        OSError: a figure cannot be read, or ``path`` not written.
    """
    if stations is None and fields is None:
        raise ValueError(f"report {path}: expected errors at stations, errors of fields or both, got neither")
    wording = Wording(words, short, dict(fields.units) if fields is not None else {})
    pictures = [figure_of_file(figure) for figure in figures]
    headlines, remarks, sections = [], [], []
    if stations is not None:
        headline, remark = station_headline(stations, wording)
        headlines.append(headline)
        remarks.append(remark)
    if fields is not None:
        headlines.append(field_headline(fields, wording))
    if stations is not None and fields is not None:
        sections.append(comparison_section(pair_errors(fields.scores, stations.scores), wording))
    if fields is not None:
        sections += field_sections(fields, wording)
    if stations is not None:
        sections += station_sections(stations, wording)
        section = events_section(stations.matches, stations.events, score_speeds(stations.matches), wording)
        sections += [section] if section is not None else []
        if (section := trend_section(stations.matches, stations.periods, wording)) is not None:
            sections.append(section)
    if (section := distributions_section(distributions, reliability, wording)) is not None:
        sections.append(section)
    if pictures:
        sections.append(Section("maps", "Maps", "figures.html", {"figures": pictures, "columns": "several"}))
    sections.append(_reading(stations, fields, wording))
    sections.append(Section("configuration", "Configuration", "configuration.html", {"pairs": dict(context)}))
    write_text(path, render(title, headlines, remarks, sections))


def _reading(stations: StationVerification | None, fields: FieldVerification | None, wording: Wording) -> Section:
    """How the report is to be read, and what the methods are."""
    methods = [
        *(fields.sums if fields is not None else ()),
        *(stations.matches.methods if stations is not None else ()),
    ]
    content = {
        "stations": stations is not None,
        "fields": fields is not None,
        "methods": {wording.method(name): wording.method_words(name) for name in methods},
    }
    return Section("reading", "How to read this report", "reading.html", content)
