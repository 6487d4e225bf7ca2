"""What stations have put into one slot calibrates the error of the next, and is not needed for it."""

import netCDF4
import numpy as np
from cycle_world import World, clock_at

from jobs.cycle_loop import make


def test_what_stations_have_put_into_the_background_widens_the_error_of_the_next_slot_and_changes_no_analysis(
    tmp_path, tmp_path_factory, caplog
):
    world = World.build(tmp_path_factory.mktemp("cycle"))
    fields, factors = {}, {}
    for kept in (True, False):
        folder = tmp_path / str(kept)
        run = world.run(folder, slots=2, background="previous")
        assert make(run, once=True, clock=clock_at(10)) == 0
        (own,) = folder.glob("east/20220824/*.influence.csv")
        if not kept:
            own.write_text("damaged")
        assert make(run, once=True, clock=clock_at(25)) == 0
        with netCDF4.Dataset(folder / "east/20220824/east_20220824T0615Z.nc") as file:
            fields[kept] = {name: file[name][:].filled(np.nan) for name in ("t2m", "t2m_error")}
            factors[kept] = file.error_factors
    np.testing.assert_array_equal(fields[True]["t2m"], fields[False]["t2m"])
    ratio = fields[True]["t2m_error"] / fields[False]["t2m_error"]
    assert ratio.min() > 1.02
    words = dict(each.split() for each in factors[True].split(", "))
    assert float(words["t2m"]) >= ratio.max() - 0.01 and factors[False] == "none"
    assert "the error of the analysis is not calibrated" in caplog.text
    assert not list((tmp_path / "False").glob("east/20220824/.*"))


def test_a_run_with_the_backgrounds_of_its_archive_leaves_no_file_of_a_product_before_its_own(
    tmp_path, tmp_path_factory
):
    world = World.build(tmp_path_factory.mktemp("cycle"))
    old = tmp_path / "east/20220824/east_20220824T0600Z.influence.csv"
    old.parent.mkdir(parents=True)
    old.write_text("of another product")
    assert make(world.run(tmp_path), once=True, clock=clock_at(10)) == 0
    assert old.with_name("east_20220824T0600Z.nc").is_file() and not old.exists()
