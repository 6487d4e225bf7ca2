"""Reanalyses by methods in time: slots of windows as a worklist, whose products are those of one run."""

from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from jobs import analyse, reanalysis
from mlrtma_dist import config

SMALL = "pinn: {members: 2, points: 40, steps: 10, polish: 5, features: 16, width: 8}\n"


def run_of(text: str, folder, method: str):
    """The small reanalysis by a method in time, whose files are those of an hour and a quarter on both sides."""
    text = text.replace("every_minutes: 30}", "every_minutes: 30, before_minutes: 60, after_minutes: 60}")
    text = text.replace("withheld_share: 0.2", "withheld_share: 0.2\n    in_time_minutes: 75")
    text += f"method: {method}\noutput: {folder}\n{SMALL}"
    return config.build(reanalysis.Run, config.parse_yaml(text, "test"), "test")


def fields(folder, name: str) -> dict[str, np.ndarray]:
    """File name of a product -> a field."""
    result = {}
    for path in sorted(folder.rglob("*.nc")):
        with netCDF4.Dataset(path) as product:
            result[path.name] = np.array(product[name][:])
    return result


@pytest.mark.slow
@pytest.mark.parametrize("method", ["oi_time", "pinn"])
def test_an_element_of_an_array_makes_the_products_of_one_run_each_from_its_window(
    small_reanalysis, tmp_path, monkeypatch, method
):
    monkeypatch.chdir(tmp_path)
    assert reanalysis.work(run_of(small_reanalysis, tmp_path / "whole", method)) == 0
    whole = fields(tmp_path / "whole", "t2m")
    assert len(whole) == 8
    divided = run_of(small_reanalysis, tmp_path / "divided", method)
    assert reanalysis.work(replace(divided, element=1, elements=2)) == 0
    part = fields(tmp_path / "divided", "t2m")
    assert len(part) == 4
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name])
    (path,) = (tmp_path / "whole").rglob("north_20220825T0000Z.nc")
    with netCDF4.Dataset(path) as product:
        assert "other_time" in product.observations_by_flag.splitlines()[0]


@pytest.mark.slow
def test_a_slot_is_the_analysis_in_time_that_the_verb_analyse_makes(small_reanalysis, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = run_of(small_reanalysis, tmp_path / "all", "oi_time")
    archive = replace(run.cases.archive, withheld_share=0.0)
    run = replace(run, cases=replace(run.cases, archive=archive))
    assert reanalysis.work(run) == 0
    stamps = ("202208242300", "202208242330", "202208250000", "202208250030")
    files = [str(path) for path in sorted(Path(archive.folder).glob("*.csv")) if path.stem.endswith(stamps)]
    reports = {"observations": files, "time": ["2022-08-25T00:00"], "in_time_minutes": 75.0}
    keys = {"cases": {"domain": run.cases.domain[:1], "reports": reports}, "output": str(tmp_path / "one")}
    keys |= {"variables": ["t2m", "d2m"], "maps": False, "method": "oi_time"}
    analyse.make(config.build(analyse.Run, keys, "test"))
    (one,) = fields(tmp_path / "one", "t2m").values()
    np.testing.assert_array_equal(one, fields(tmp_path / "all", "t2m")["north_20220825T0000Z.nc"])
