"""The weights that come with the software give the scores that their Manifest states, and need no checkpoint."""

import pytest

from jobs import release, verify
from mlrtma_dist.config import data_root
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.verification.match import read_matches
from mlrtma_dist.weights.manifest import Manifest
from mlrtma_dist.weights.release import released

FILE, TIME = "metar_world/metar_20140926T2100Z.csv.gz", "2014-09-26T21:00"  # one of the hours that choose

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (data_root() and (data_root() / FILE).is_file()), reason="needs MLRTMA_REAL_DATA"),
]


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """The scores of both methods at every station of an hour, withheld in ten parts."""
    folder = tmp_path_factory.mktemp("released")
    reports = Reports((str(data_root() / FILE),), time=(TIME,), mapping="metar_world_csv", window_minutes=60)
    verify.make(verify.Run(CasesSection("conus", reports), str(folder), method=("vit", "vit_hybrid", "threedvar")))
    matches = read_matches(folder / "matches.csv")
    return {name: release.scores_of(matches, name, "matches.csv")[f"{TIME}:00"] for name in matches.methods}


@pytest.mark.parametrize("method", ["vit", "vit_hybrid"])
def test_the_scores_are_those_of_the_manifest(scores, method):
    stated = Manifest.read(released(method)).release["scores"][f"{TIME}:00"]
    assert set(stated) == set(scores[method])
    for name, row in stated.items():
        assert scores[method][name]["reports"] == row["reports"]
        for score in ("rmse", "crps"):
            assert scores[method][name][score] == pytest.approx(row[score], rel=1e-3), (name, score)


def test_on_top_of_3d_var_wind_dew_point_and_sky_cover_are_nearer_than_3d_var(scores):
    for name in ("u10", "v10", "d2m", "sky_cover"):
        assert scores["vit_hybrid"][name]["rmse"] < scores["threedvar"][name]["rmse"]
