"""The weights of a run: of the methods that are named, and of the one about whose analyses members are drawn."""

from types import SimpleNamespace

import pytest

from jobs.checkpoint_input import load
from mlrtma_dist.methods.diffusion_sampling import Sampling


@pytest.mark.parametrize(
    ("about", "names"), [("threedvar", {"diffusion"}), ("vit_hybrid", {"diffusion", "vit_hybrid"})]
)
def test_weights_that_come_with_the_software_bring_those_of_the_analysis_they_draw_about(about, names):
    run = SimpleNamespace(checkpoint=None, diffusion=Sampling(about=about))
    assert set(load(run, ("diffusion",), True)) == names
