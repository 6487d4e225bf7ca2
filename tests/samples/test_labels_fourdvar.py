"""Labels by 4D-Var: those of the method itself, in a store that the verb makes, and errors that name the setting."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from jobs import samples
from jobs.fourdvar_input import with_labels
from mlrtma_dist.config import build
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods import fourdvar_reports
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.registry import Means
from mlrtma_dist.methods.registry import build as build_methods
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.archive import Archive
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.crops import Boxes
from mlrtma_dist.samples.imaged import FileChannel, ImageFiles
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.store import Store
from mlrtma_dist.weights.release import released


@pytest.fixture
def config_file(tmp_path, small_reanalysis) -> Path:
    """Samples of the last of four half hours, of which the reports of all are in the window of methods in time."""
    section = yaml.safe_load(small_reanalysis)
    section["cases"]["domain"] = section["cases"]["domain"][0]
    archive = section["cases"]["archive"]
    archive |= {"start": archive["end"], "in_time_minutes": 100}
    archive["reports"][0]["before_minutes"] = 90
    path = tmp_path / "samples.yaml"
    path.write_text(yaml.safe_dump(section | {"output": str(tmp_path / "store.h5")}))
    return path


def no_variance(*arguments):
    raise AssertionError("the error of a label is computed")


@pytest.mark.slow
def test_the_verb_makes_a_store_whose_truth_is_the_analysis_of_all_reports_of_the_window(
    config_file, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(fourdvar_reports, "window_variance", no_variance)
        samples.main(
            [str(config_file), "--labels", "fourdvar", "--set", "cases.archive.labels.fourdvar.model=persistence"]
        )
    store = Store(tmp_path / "store.h5")
    whole = Box.whole(store.domain.shape)
    truth, settings = store.case(0, whole).truth, load_settings("classical", ("t2m", "d2m"))
    section = yaml.safe_load(config_file.read_text())["cases"]
    archive = build(Archive, section["archive"] | {"withheld_share": 0.0}, "test")
    every = ArchiveCases.on(section["domain"], archive, assumptions(settings))
    method = build_methods(("fourdvar",), Means(settings, fourdvar=FourDVarSettings("persistence")))["fourdvar"]
    answer = method.analyse(every.case(0, whole))
    used = np.isfinite(answer.weight)
    assert (answer.case.hours[used] < -1.2).any(), "no report of before the window of other methods is used"
    for name in ("t2m", "d2m"):
        np.testing.assert_allclose(truth[name], answer.fields().values[name], atol=1e-4)


@pytest.mark.slow
def test_a_checkpoint_of_another_method_is_refused_with_the_setting_that_names_it(config_file):
    named = f"cases.archive.labels.fourdvar.forecast={released('vit')}"
    with pytest.raises(InputError, match=r"labels\.fourdvar\.forecast: expected weights of method lam, got .*, of vit"):
        samples.main([str(config_file), "--labels", "fourdvar", "--set", named])


@pytest.mark.parametrize(
    "more", [{"imagery": ImageFiles({"warm": FileChannel("CMI13", "K")}, ("a.nc",))}, {"boxes": Boxes(32, 32)}]
)
def test_labels_of_an_archive_with_images_or_in_boxes_have_the_network_too(config_file, more):
    section = yaml.safe_load(config_file.read_text())["cases"]
    archive = build(Archive, section["archive"] | {"labels": {"method": "fourdvar"}}, "test")
    cases = open_cases(CasesSection("plains_20km", archive=archive, **more), assumptions(load_settings("classical")))
    assert cases.source.forecast is None
    assert with_labels(cases).source.forecast.name == "lam"
