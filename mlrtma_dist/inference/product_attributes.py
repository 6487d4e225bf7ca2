"""The global attributes of a product: what it is, how it was made, and what became of the reports."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import mlrtma_dist
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.observation_counts import ObservationCounts, count_observations
from mlrtma_dist.names import VARIABLES

# What the product alone writes; title, source, history and references may be replaced.
OWN = {"Conventions", "comment", "domain", "method", "first_guess"}
OWN |= {f"observations_{what}" for what in ("by_flag", "by_source", "first", "last")}
REFERENCES = (
    "De Pondeca et al. 2011, The Real-Time Mesoscale Analysis at NOAA's National Centers for Environmental Prediction: "
    "current status and development, Weather and Forecasting 26, 593-612, https://doi.org/10.1175/WAF-D-10-05037.1"
)


@dataclass(frozen=True)
class Record:
    """What the attributes tell of one analysis.

    Attributes:
        counts: of its reports.
        notes: sentences for readers.
        first_guess_name: which first guess, in words.
    """

    counts: ObservationCounts
    notes: tuple[str, ...]
    first_guess_name: str

    @classmethod
    def of(cls, analysis: Analysis) -> "Record":
        """The record of an analysis."""
        notes = tuple(n for n in (analysis.static.note, *analysis.notes) if n)
        return cls(count_observations(analysis), notes, analysis.first_guess_name)


def check_provenance(domain: Domain, provenance: Mapping[str, str | int]) -> None:
    """Raise InputError if a key of ``provenance`` is an attribute that the product alone writes."""
    clash = sorted(set(provenance) & OWN)
    if clash:
        raise InputError(
            f"provenance of {domain.name}: the product writes the attribute {clash[0]!r} itself: choose another key"
        )


def global_attributes(
    analysis: Analysis, times: np.ndarray, records: Mapping[int, Record], provenance: Mapping[str, str | int]
) -> dict[str, str | int]:
    """The global attributes of a product of one or many times.

    Args:
        analysis: any of them; domain, method and the names of variables are read.
        times: of all analyses, datetime64, shape (n,).
        records: number of a time -> record, in the order of the times.
        provenance: attributes of the caller, which replace those of the same name.
    """
    domain, program = analysis.static.domain, f"mlrtma_dist {mlrtma_dist.__version__}"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    minutes = np.unique(times.astype("datetime64[m]"))
    period = f"{minutes[0]} UTC" if len(minutes) == 1 else f"{minutes[0]} to {minutes[-1]} UTC"
    weather = any(name in VARIABLES for name in analysis.values)
    observations = "surface observations" if weather else "observations"
    notes = list(dict.fromkeys(note for record in records.values() for note in record.notes))
    counts = ObservationCounts.total(record.counts for record in records.values())
    attributes = {
        "Conventions": "CF-1.11",
        "title": f"{'Surface weather analysis' if weather else 'Analysis'}, {domain.title}, {period}",
        "source": f"{observations}{' and a first guess' * bool(analysis.first_guess)} combined by {analysis.method}"
        f" ({program})",
        "history": f"{now}: written by {program}",
        "references": REFERENCES,
        "comment": "; ".join(notes) if notes else "nothing out of the ordinary",
        "domain": domain.name,
        "method": analysis.method,
        "first_guess": "; ".join(dict.fromkeys(record.first_guess_name for record in records.values())),
        "observations_by_flag": counts.table_by_flag(),
        "observations_by_source": counts.table_by_source(),
    }
    if counts.first is not None:
        attributes |= {"observations_first": f"{counts.first}Z", "observations_last": f"{counts.last}Z"}
    return attributes | dict(provenance)
