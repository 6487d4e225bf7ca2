"""A reanalysis with gridded images beside its archive: the cases of its slots have them, as those of `analyse` do."""

from dataclasses import replace

import netCDF4
import numpy as np

from jobs import reanalysis
from jobs.reanalysis_slots import open_domains, slots_of
from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.samples.imaged import FileChannel, ImageFiles


def test_the_cases_of_slots_have_the_images_of_their_files(small_reanalysis, tmp_path):
    run = config.build(reanalysis.Run, config.parse_yaml(f"{small_reanalysis}output: {tmp_path}\n", "test"), "test")
    with netCDF4.Dataset(tmp_path / "images.nc", "w") as file:
        for name, units, axis in (("lat", "degrees_north", (30, 50)), ("lon", "degrees_east", (-115, -95))):
            file.createDimension(name, 21)
            file.createVariable(name, "f8", (name,))[:] = np.linspace(*axis, 21)
            file[name].units = units
        file.createDimension("time", 1)
        file.createVariable("time", "f8", ("time",))[:] = 0.0
        file["time"].units = "minutes since 2022-08-24 23:30"
        file.createVariable("CMI13", "f4", ("time", "lat", "lon"))[:] = 250.0
    images = ImageFiles({"warm": FileChannel("CMI13", "K")}, (str(tmp_path / "images.nc"),), minutes=0.0)
    run = replace(run, cases=replace(run.cases, imagery=images))
    for cases in open_domains(run, slots_of(run).times).values():
        assert cases.contents.imagery == ("warm",)
        box = Box.whole(cases.contents.domain.shape)
        assert [len(cases.case(number, box).imagery.values) for number in range(2)] == [0, 1]
        np.testing.assert_allclose(cases.case(1, box).imagery.values["warm"], 250.0, atol=1e-3)
