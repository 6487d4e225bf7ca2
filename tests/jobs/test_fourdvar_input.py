"""The network of method fourdvar in a run: products name its weights."""

from types import SimpleNamespace

from jobs.fourdvar_input import fourdvar_means
from jobs.provenance import provenance
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.weights.release import released
from mlrtma_dist.weights.trained import load_trained


def test_products_name_the_weights_of_the_model_and_none_where_departures_persist():
    domain, section = load_domain("toy"), CasesSection(domain="toy")
    run = SimpleNamespace(fourdvar=FourDVarSettings())
    means, weights = fourdvar_means(run, ("oi", "fourdvar"), domain)
    assert means == {"fourdvar": run.fourdvar, "forecast": weights["fourdvar"].method}
    attributes = provenance("", section, weights)
    assert attributes["checkpoint_name"] == "lam"
    assert attributes["checkpoint_sha256"] == load_trained(released("lam")).checksum
    run = SimpleNamespace(fourdvar=FourDVarSettings("persistence"))
    assert fourdvar_means(run, ("fourdvar",), domain) == ({"fourdvar": run.fourdvar}, {})
    assert fourdvar_means(run, ("oi",), domain) == ({}, {})
