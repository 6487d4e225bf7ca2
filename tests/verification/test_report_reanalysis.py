"""The report of a reanalysis: its counts, scores and audit are those of what was written, and a browser opens it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from browser import open_in_chromium

from mlrtma_dist.inference.slot_manifest import ABSENT, ASIDE, DONE, LOST, OPEN, Day
from mlrtma_dist.inference.slot_scores import biases, rms
from mlrtma_dist.samples.slots import Slots
from mlrtma_dist.verification.completeness import audit, sum_scores, survey
from mlrtma_dist.verification.report_reanalysis import headline, write_reanalysis_report

CONFIGURATION = "0123456789abcdef"


@dataclass(frozen=True)
class Written:
    """A reanalysis as files, and the departures of each slot that were written."""

    output: Path
    slots: Slots
    departures: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def written(tmp_path, generator) -> Written:
    """Two domains, 20 days of four slots over a new year; of each domain four slots of every fifth day went wrong."""
    times = np.datetime64("2021-12-20T00:15", "s") + np.arange(80) * np.timedelta64(6, "h")
    slots, departures = Slots(times, 7), {}
    for domain in ("east", "west"):
        for number, date in enumerate(slots.days):
            day = Day(tmp_path, domain, date)
            day.folder.mkdir(parents=True)
            for place, (name, index) in enumerate(zip(slots.names(domain, number), slots.of_day(number), strict=True)):
                entry = {"id": name, "checksum": f"{CONFIGURATION}-0"}
                if number % 5 == 0 and place < 3:
                    if place == 0:
                        day.note(entry | {"aside": f"a 'reason' <b> of {name}", "attempts": 3})
                    if place == 1:
                        day.note(entry | {"absent": "no file"})
                    continue
                product = day.folder / f"{name}.nc"
                product.write_text(name)
                b, a = generator.normal(1.0, 2.0, 5), generator.normal(0.0, 1.0, 5)
                departures[domain, index] = b, a
                row = [5, b.sum(), (b * b).sum(), a.sum(), (a * a).sum()]
                day.publish(product, entry | {"method": "vit", "seconds": 1.5}, {"withheld": {"t2m": row}})
                if number % 5 == 0:
                    product.unlink()  # lost afterwards
    return Written(tmp_path, slots, departures)


def test_every_slot_is_counted_once_as_what_became_of_it(written):
    states = survey(written.output, written.slots, dict.fromkeys(("east", "west"), CONFIGURATION))
    counts = {name: states["east"].total(name) for name in (DONE, ASIDE, ABSENT, LOST, OPEN)}
    assert counts == {DONE: 64, ASIDE: 4, ABSENT: 4, LOST: 4, OPEN: 4}
    assert states["west"].reasons[ASIDE][0] == ("west_20211220T0015Z", "a 'reason' <b> of west_20211220T0015Z")
    assert headline(states).startswith("128 of 160 slots are done (80 %); 8 set aside, 8 no input, 8 lost, 8 open")
    other = survey(written.output, written.slots, {"east": "f" * 16})  # of another configuration nothing is done
    assert other["east"].total(OPEN) == 80


def test_scores_by_month_and_hour_are_those_of_all_departures(written):
    sums = sum_scores(written.output, written.slots, ("east", "west"))
    assert sums.kind() == "withheld"
    times = written.slots.times
    for table, text in ((sums.months, lambda t: str(t)[:7]), (sums.hours, lambda t: str(t)[11:13])):
        for domain in ("east", "west"):
            for period, row in table[domain, "withheld", "t2m"].items():
                own = [pair for (d, i), pair in written.departures.items() if d == domain and text(times[i]) == period]
                b, a = np.concatenate([pair[0] for pair in own]), np.concatenate([pair[1] for pair in own])
                np.testing.assert_allclose(rms(row), [np.sqrt((b**2).mean()), np.sqrt((a**2).mean())], rtol=1e-5)
                np.testing.assert_allclose(biases(row), [b.mean(), a.mean()], rtol=1e-4, atol=1e-5)
    assert sorted(sums.months["east", "withheld", "t2m"]) == ["2021-12", "2022-01"]


def test_an_audit_names_what_is_gone_and_what_has_other_bytes_of_the_same_size(written):
    name = written.slots.names("east", 1)[2]
    path = Day(written.output, "east", written.slots.days[1]).folder / f"{name}.nc"
    path.write_text(name.lower().swapcase())
    faults = dict(audit(written.output, written.slots, {"east": CONFIGURATION}))
    assert len(faults) == 5 and "SHA-256" in faults[name]
    assert sum("missing" in fault for fault in faults.values()) == 4


def test_a_line_that_is_torn_or_no_entry_is_passed_over(written):
    day = Day(written.output, "east", written.slots.days[1])
    with day.manifest.open("a") as file:
        file.write('[1, 2]\n{"id": "east_2021\n' + json.dumps({"id": "x", "checksum": "y"}) + '\n{"id": "torn')
    assert len(day.entries()) == 5
    day.note({"id": "after", "checksum": ""})
    assert len(day.entries()) == 6 and "after" in day.entries()


def test_the_report_opens_in_a_browser_without_an_error_and_shows_its_figures(written, tmp_path):
    states = survey(written.output, written.slots, dict.fromkeys(("east", "west"), CONFIGURATION))
    sums = sum_scores(written.output, written.slots, ("east", "west"))
    page = tmp_path / "report.html"
    write_reanalysis_report(page, "Reanalysis <x>", written.slots, states, sums, {"folder": "a & b"})
    text = page.read_text()
    assert 'src="http' not in text and "a &#39;reason&#39; &lt;b&gt; of west_20211220T0015Z" in text
    document, messages = open_in_chromium(page, tmp_path / "profile")
    assert messages == [] and "128 of 160 slots are done" in document
    assert document.count('aria-label="Calendar of ') == 2 and "Rms of t2m by month" in document
