"""The weights of `diffusion` that come with the software: members of a real hour, scored as their Manifest states."""

import pytest

from jobs import release, verify
from mlrtma_dist.config import data_root
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.verification.match import read_matches
from mlrtma_dist.weights.manifest import Manifest
from mlrtma_dist.weights.release import released

FILE, TIME = "metar_world/metar_20140926T2100Z.csv.gz", "2014-09-26T21:00"  # one of the hours that choose
VARIABLES = ("t2m", "d2m", "u10", "v10")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (data_root() and (data_root() / FILE).is_file()), reason="needs MLRTMA_REAL_DATA"),
]


def test_the_scores_are_those_of_the_manifest_and_no_worse_than_those_of_3d_var(tmp_path):
    reports = Reports((str(data_root() / FILE),), time=(TIME,), mapping="metar_world_csv", window_minutes=60)
    run = verify.Run(
        CasesSection("conus_20km", reports),
        str(tmp_path),
        variables=VARIABLES,
        method=("threedvar", "diffusion"),
        folds=3,
    )
    verify.make(run)
    matches = read_matches(tmp_path / "matches.csv")
    scores = {name: release.scores_of(matches, name, "matches.csv")[f"{TIME}:00"] for name in matches.methods}
    stated = Manifest.read(released("diffusion")).release["scores"][f"{TIME}:00"]
    assert set(stated) == set(VARIABLES) == set(scores["diffusion"])
    for name, row in stated.items():
        for score in ("rmse", "crps"):
            assert scores["diffusion"][name][score] == pytest.approx(row[score], rel=1e-2), (name, score)
        assert row["crps"] < 1.02 * scores["threedvar"][name]["crps"]
