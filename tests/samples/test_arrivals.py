"""Arrivals: files of reports are read once until they change, and each domain has the rows near it."""

import os

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.quality import MARGIN
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.archive import Archive
from mlrtma_dist.samples.arrivals import MOST_FILES, ReportFiles
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.station_hours import Reports

NOON = np.datetime64("2024-02-29T12:00:00", "s")
TOY = load_domain("toy")


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The names of the files that are read, in their order."""
    names, whole = [], Reports.read_file

    def read_file(self, file, near):
        names.append(os.path.basename(file))
        return whole(self, file, near)

    monkeypatch.setattr(Reports, "read_file", read_file)
    return names


def write(path, latitude: tuple[float, ...], variable: str = "t2m") -> str:
    """A file of one report per latitude, of temperature or another variable."""
    station = [f"s{number}" for number in range(len(latitude))]
    columns = {"longitude": np.full(len(latitude), 255.0 - 360.0), "variable": [variable] * len(latitude)}
    table = Observations.build(
        station=station,
        latitude=np.array(latitude),
        time=np.full(len(latitude), NOON),
        value=np.full(len(latitude), 280.0),
        **columns,
    )
    write_csv(path, table)
    return str(path)


def files(folder) -> ReportFiles:
    pattern = FilePattern("{time:%H}.csv")
    return ReportFiles(Archive(str(NOON), str(NOON), folder=str(folder), reports=(pattern,)))


def test_a_file_is_read_once_until_it_changes(tmp_path, reads):
    own, path = files(tmp_path), write(tmp_path / "12.csv", (40.0,))
    assert [len(own.read(path, NOON, TOY)) for _ in range(3)] == [1, 1, 1] and reads == ["12.csv"]
    write(tmp_path / "12.csv", (40.0, 41.0))
    assert len(own.read(path, NOON, TOY)) == 2 and reads == ["12.csv"] * 2


def test_each_domain_has_the_reports_within_the_margin_around_it(tmp_path, reads):
    degree = 111.2e3
    north = float(TOY.latitude_longitude(slice(-1, None))[0][0, TOY.size.x // 2])
    inside, outside = north + 0.8 * MARGIN / degree, north + 1.3 * MARGIN / degree
    path, own = write(tmp_path / "12.csv", (40.0, inside, outside)), files(tmp_path)
    assert list(own.read(path, NOON, TOY).latitude) == pytest.approx([40.0, inside], abs=1e-4)
    assert len(own.read(path, NOON, load_domain("conus"))) == 3 and reads == ["12.csv"]


def test_only_the_last_files_are_kept_and_a_missing_one_is_named(tmp_path, reads):
    own = files(tmp_path)
    paths = [write(tmp_path / f"{number}.csv", (40.0,)) for number in range(MOST_FILES + 1)]
    for path in (*paths, paths[-1], paths[0]):
        own.read(path, NOON, TOY)
    assert reads == [*(os.path.basename(path) for path in paths), "0.csv"]
    with pytest.raises(InputError, match=r"gone\.csv: cannot be read"):
        own.read(str(tmp_path / "gone.csv"), NOON, TOY)


def test_that_a_network_reports_gusts_is_known_from_afar_as_in_other_analyses(tmp_path):
    path = write(tmp_path / "12.csv", (-40.0, -41.0), "gust")
    assert list(files(tmp_path).read(path, NOON, TOY).latitude) == [-40.0]
