"""Points of gridded fields as labels beside station reports: targets of every draw, and never inputs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gridded_fields import LATITUDE, LONGITUDE, SHAPE, WHOLE, fields, opened, write
from report_cases import TINY, hour

from jobs.cycle import Run as Cycle
from jobs.reanalysis import Run as Reanalysis
from mlrtma_dist import config
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical_source import ClassicalSource
from mlrtma_dist.methods.draws import MOST_TARGETS, divide
from mlrtma_dist.methods.predictands import Channels
from mlrtma_dist.methods.report_targets import Targets
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.quality_summary import summarise
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.archive import Archive
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.store import Store


@pytest.fixture
def labelled(tmp_path):
    """The section of an hour of reports with labels of every point of a file at that hour."""
    reports = tmp_path / "reports.csv"
    write_csv(reports, hour().observations)
    write(tmp_path / "f.nc")
    text = f"""
domain: toy
reports: {{observations: [{reports}], time: ["2026-01-01T06:00"]}}
gridded:
  files: [{tmp_path}/f*.nc]
  variables: {{t2m: 1.5, visibility: 800.0}}
  every: 1
"""
    return config.build(CasesSection, config.parse_yaml(text, "run.yaml"), "run.yaml")


def test_labels_beside_reports_are_targets_of_every_draw_and_never_given_or_scored(labelled):
    cases, plain = opened(labelled), opened(replace(labelled, gridded=None)).case(0, WHOLE)
    withheld = np.arange(len(cases.reports(0))) % 5 == 0
    for case in (cases.case(0, WHOLE), cases.case(0, WHOLE, withheld)):
        label = (case.observations.flags & np.uint32(Flag.LABEL)) != 0
        count = len(plain.used)
        assert label.sum() > 300 and not label[:count].any() and label[count:].all()
        assert not (case.used & label).any() and not (case.withheld & label).any()
        for draw in range(4):
            inputs, targets = divide(case, draw)
            assert not (inputs & label).any() and (targets & label).sum() == label.sum() < 2 * MOST_TARGETS
            np.testing.assert_array_equal(inputs[:count], divide(replace_rows(case, count), draw)[0])
    np.testing.assert_array_equal(cases.case(0, WHOLE).used[:count], plain.used)
    assert sum(tally.first["LABEL"] for tally in summarise(case.observations)) == label.sum()


def replace_rows(case: Case, count: int) -> Case:
    """A case with the first rows alone."""
    rows = {name: getattr(case, name)[:count] for name in ("observations", "used", "withheld")}
    return replace(case, **rows)


def test_labels_beside_stations_neither_part_two_names_of_one_nor_change_what_is_given(labelled):
    case = opened(replace(labelled, gridded=None)).case(0, WHOLE)
    table, rows = case.observations, np.flatnonzero(case.observations.variable == "t2m")
    station = table[rows]
    name = np.char.add("T", station.station)
    second = replace(station, station=name, network=np.full(len(rows), "syn"), latitude=station.latitude + 0.009)
    without = with_table(case, [table, second], case.used[rows])
    labels = [as_labels(each, tag) for each, tag in ((station, "a"), (second, "b"))]
    among = with_table(case, [table, second, *labels], case.used[rows])
    count = len(without.used)
    np.testing.assert_array_equal(among.station_number[:count], without.station_number)
    assert not np.isin(among.station_number[count:], without.station_number).any()
    for draw in range(1, 5):
        for own, other in zip(divide(among, draw), divide(without, draw), strict=True):
            np.testing.assert_array_equal(own[:count], other)


def with_table(case, tables, more_used):
    """A case of other reports, of which those of the case and, behind them, a second table are used."""
    table = Observations.concatenate(tables)
    used = np.zeros(len(table), dtype=bool)
    used[: len(case.used) + len(more_used)] = np.concatenate([case.used, more_used])
    return replace(case, observations=table, used=used, withheld=np.zeros_like(used))


def as_labels(table, tag):
    """Labels 200 m north of stations."""
    names = np.array([f"{tag} {number}" for number in range(len(table))])
    flags = np.full(len(table), Flag.LABEL, dtype=np.uint32)
    network = np.full(len(table), "grid")
    return replace(table, station=names, network=network, latitude=table.latitude + 0.002, flags=flags)


def test_a_hybrid_is_given_the_classical_analysis_at_labels_as_at_any_point(labelled):
    cases, source = opened(labelled), ClassicalSource(("t2m", "u10", "v10"), (1.0, 1.0, 1.0))
    withheld = np.arange(len(cases.reports(0))) % 5 == 0
    for case, values in (
        (cases.case(0, WHOLE), source.by_others),
        (cases.case(0, WHOLE, withheld), source.at_withheld),
    ):
        rows = case.observations.labels & (case.observations.variable == "t2m")
        expected = np.stack(source.answer(case).at("t2m", case.points[rows]))
        np.testing.assert_allclose(np.stack(values(case))[:, rows], expected, rtol=1e-6)
        assert np.isfinite(expected).all()


def test_no_more_points_than_targets_are_labels_of_one_draw_and_others_of_the_next(labelled):
    case = opened(labelled).case(0, WHOLE)
    more = case.observations[case.observations.flags == Flag.LABEL]
    tables = [replace(more, station=np.char.add(more.station, f" {n}")) for n in range(8)]
    table = Observations.concatenate([case.observations, *tables])
    used = np.isin(np.arange(len(table)), np.flatnonzero(case.used))
    many = replace(case, observations=table, used=used, withheld=np.zeros_like(used))
    chosen = [divide(many, draw)[1] & (table.flags == Flag.LABEL) for draw in (1, 2)]
    for each in chosen:
        assert len(np.unique(many.report_number[each])) == MOST_TARGETS
    assert (chosen[0] != chosen[1]).any()


def test_a_label_of_a_networks_loss_has_the_value_of_the_field(labelled):
    case, channels = opened(labelled).case(0, WHOLE), Channels(("t2m", "visibility"))
    label = case.observations.flags == Flag.LABEL
    targets = Targets.of(case, divide(case, 1)[1] & label, channels)
    row, column = (np.rint((part - first) / 0.25).astype(int) for part, first in places(targets))
    np.testing.assert_allclose(targets.value[:, 0], fields()[1]["t2m"][row, column], atol=1e-3)
    np.testing.assert_allclose(targets.value[:, 1], np.log(fields()[1]["visibility"][row, column]), atol=1e-5)


def places(targets):
    return (targets.points.latitude, LATITUDE[0]), (targets.points.longitude, LONGITUDE[0])


def test_the_loss_with_labels_on_tiles_is_that_of_one_rank(labelled):
    method, cases = build_vit(TINY, "test"), opened(labelled)
    randomise(method.network, 1)
    method.settle(load_domain("toy"))
    sample = method.encode(cases.case(0, WHOLE), 2)
    loss, weight = method.loss(sample, Alone(SHAPE))
    without = method.weight(method.encode(opened(replace(labelled, gridded=None)).case(0, WHOLE), 2))
    assert weight > without + 500
    parts = run_tiles(SHAPE, (2, 2), lambda here: work(method, cases.case(0, here.box), here), align=method.alignment)
    assert sum(part[1] for part in parts) == weight and min(part[1] for part in parts) < weight
    np.testing.assert_allclose(sum(part[0] for part in parts), float(loss.detach()), rtol=1e-5)


def work(method, case, here):
    loss, weight = method.loss(method.encode(case, 2), here)
    return float(loss.detach()), weight


def test_a_store_keeps_labels_as_labels(labelled, tmp_path):
    reports = labelled.reports.observations[0].replace("reports.csv", "{time:%Y%m%d%H}.csv")
    Path(labelled.reports.observations[0]).rename(tmp_path / "2026010106.csv")
    archive = Archive("2026-01-01T06:00", "2026-01-01T06:00", reports=(FilePattern(reports),))
    cases = opened(replace(labelled, reports=None, archive=archive))
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "store.h5", cases, ranks)
    stored, case = Store(tmp_path / "store.h5").case(0, WHOLE), cases.case(0, WHOLE)
    counts = [(each.observations.flags == Flag.LABEL).sum() for each in (stored, case)]
    assert counts[0] == counts[1] > 300 and stored.used.sum() == case.used.sum()
    assert not (stored.used | stored.withheld)[stored.observations.flags == Flag.LABEL].any()


def test_a_label_farther_in_time_is_not_used_and_said_so(labelled, caplog):
    path = labelled.gridded.files[0].replace("f*", "f")
    write(path, (0.4, 2))
    assert (opened(labelled).case(0, WHOLE).observations.flags == Flag.LABEL).any()
    write(path, (0.6, 2))
    labelled = replace(labelled, gridded=replace(labelled.gridded))  # which reads the times of its files once
    assert not (opened(labelled).case(0, WHOLE).observations.flags == Flag.LABEL).any()
    assert "no gridded label within 30 minutes of 2026-01-01T06:00:00" in caplog.text


def test_fields_beside_another_source_than_reports_are_refused():
    keys = {"files": ["a"], "variables": {"t2m": 1}, "every": 1}
    with pytest.raises(ValueError, match="gridded: expected null, or beside it no source but reports or archive"):
        config.build(
            CasesSection,
            {"domain": "toy", "simulated_weather": {}, "gridded": keys},
            "run.yaml",
        )


@pytest.mark.parametrize("run", [Cycle, Reanalysis])
def test_what_trains_nothing_refuses_labels(labelled, run):
    archive = Archive("2026-01-01T06:00", "2026-01-01T06:00", reports=(FilePattern("{time:%Y%m%d%H}.csv"),))
    section = replace(labelled, reports=None, archive=archive)
    with pytest.raises(ValueError, match="cases.gridded: expected null, as labels have no part in a"):
        run(section, output="out")
