"""Second opinion: the ensemble filters of DAPPER (nansencenter/DAPPER) on the same small problems."""

import numpy as np
import pytest
from members import waves

from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.letkf import LETKF

dapper = pytest.importorskip("dapper.da_methods.ensemble", reason="needs the package dapper (extra 'tests')")
localization = pytest.importorskip("dapper.tools.localization")
randvars = pytest.importorskip("dapper.tools.randvars")

N = 10
DAPPERS_UNIT = 3.64  # its radius is where the function is exp(-1/2), ours where it is zero: 2 * 1.82 of its own


@pytest.fixture
def problem(places, generator):
    stations, targets = places(generator, 80, 6.0), places(generator, 60, 6.0)
    perturbations = waves(generator, N)
    mean = generator.normal(280.0, 3.0, 60), generator.normal(280.0, 3.0, 80)
    d, r = generator.normal(0.0, 2.0, 80), generator.uniform(0.5, 1.5, 80)
    return perturbations, stations, targets, mean, d, r


def test_the_global_transform_filter_agrees_to_a_millionth(problem):
    perturbations, stations, targets, (background, observed), d, r = problem
    noise = randvars.GaussRV(C=r**2, M=80)
    theirs = dapper.EnKF_analysis(
        background + perturbations(targets), observed + perturbations(stations), noise, observed + d, "Sqrt"
    )
    fit = LETKF(perturbations, None).fit(stations, d, r)
    ours = background + fit.increment(targets) + fit.members(targets)
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_the_local_filter_agrees_to_a_millionth_with_its_own_taper(problem):
    perturbations, stations, targets, (background, observed), d, r = problem
    radius = 300e3
    distance = np.sqrt(((targets.position[:, None] - stations.position) ** 2).sum(axis=-1))

    def taper(batch):
        coefficients = localization.dist2coeff(distance[batch[0]], radius / DAPPERS_UNIT)
        return np.flatnonzero(coefficients > 0), coefficients[coefficients > 0]

    theirs, _ = dapper.local_analyses(
        background + perturbations(targets),
        observed + perturbations(stations),
        randvars.GaussRV(C=r**2, M=80).C,
        observed + d,
        [np.array([i]) for i in range(60)],
        taper,
    )
    fit = LETKF(perturbations, Localisation(radius)).fit(stations, d, r)
    ours = background + fit.increment(targets) + fit.members(targets)
    print(f"largest difference {np.abs(ours - theirs).max():.1e} K")
    assert ours == pytest.approx(theirs, abs=1e-6)
