"""Methods of ensembles by the commands: from members' files to a product and to scores."""

from dataclasses import replace

import netCDF4
import numpy as np
import pytest
from member_file import write_members

from jobs import analyse, command, verify
from mlrtma_dist.config import ConfigError, build
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import METHODS
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.samples.store import Store

pytestmark = pytest.mark.slow

OF_ENSEMBLES = tuple(name for name, entry in METHODS.items() if Need.MEMBERS in entry.needs)
TIME = "2022-08-24T06:00"


@pytest.fixture(scope="module")
def members(toy, tmp_path_factory):
    """Six members whose mean errs as each does: the truth and waves of 200 to 500 km, two more in each."""
    folder, generator, paths = tmp_path_factory.mktemp("members"), np.random.default_rng(3), []
    rows, columns = np.indices(toy.static.domain.shape) * toy.static.domain.spacing_metres

    def wave():
        length, phase = generator.uniform(200e3, 500e3, 2), generator.uniform(0.0, 6.3, 2)
        along_y, along_x = (
            np.sin(2 * np.pi * place / scale + shift)
            for place, scale, shift in zip((rows, columns), length, phase, strict=True)
        )
        return 1.5 * along_y * along_x

    waves = [wave() for _ in range(7)]
    for number in range(6):
        values = {"t2m": (toy.world.truth.values["t2m"] + waves[number] + waves[6]).astype(np.float32)}
        paths.append(folder / f"m{number}.nc")
        write_state(paths[-1], replace(toy.world.background, values=values))
    return tuple(map(str, paths))


def make_run(job, toy, output, members=(), **more):
    """A run of a job on the toy hour with an ensemble."""
    reports = Reports((str(toy.observations),), ensemble=members, time=(TIME,))
    return job.Run(CasesSection("toy", reports), str(output), variables=("t2m",), **more)


@pytest.mark.parametrize("method", OF_ENSEMBLES)
def test_every_method_of_ensembles_makes_a_product_nearer_to_the_truth(toy, members, tmp_path, method):
    ensemble = EnsembleSection(quantiles=(0.25, 0.5), members=True)
    run = make_run(analyse, toy, tmp_path, members, method=method, maps=False, ensemble=ensemble)
    (analysis,), (product,) = analyse.make(run)
    truth = toy.world.truth.values["t2m"]
    before, after = (np.sqrt(np.mean((f["t2m"] - truth) ** 2)) for f in (analysis.first_guess, analysis.values))
    print(f"{method}: rmse {before:.2f} K of the mean, {after:.2f} K of the analysis")
    assert after < 0.9 * before
    assert analysis.first_guess_name.startswith("mean of 6 members") and (analysis.error["t2m"] >= 0).all()
    with netCDF4.Dataset(product) as file:
        assert "m0.nc" in file.background_files and "m5.nc" in file.background_files
        np.testing.assert_allclose(file["t2m"][0], analysis.values["t2m"], atol=0.02)
        assert (file["t2m_quantile_25"][0] <= file["t2m_quantile_50"][0]).all()
        if method != "letkf":  # a Gaussian of the analysis and its error
            assert "t2m_members" not in file.variables and "no members" in file.comment
            np.testing.assert_allclose(file["t2m_quantile_50"][0], file["t2m"][0], atol=0.01)
            return
        drawn = file["t2m_members"][:, 0]
        assert len(drawn) == 6 and "6 members" in file["t2m_quantile_50"].comment
        np.testing.assert_allclose(drawn.mean(0), file["t2m"][0], atol=0.02)
        assert 0.8 < (drawn.std(0, ddof=1) / file["t2m_error"][0]).mean() < 1.05  # the error has the first guess's own


def test_withheld_stations_are_scored_for_each_method(toy, members, tmp_path):
    scores = verify.make(make_run(verify, toy, tmp_path, members, method=OF_ENSEMBLES, folds=3)).stations
    rmse = {s.method: s.rmse for s in scores if s.region == "all"}
    assert set(rmse) == {"first_guess", "nearest", *OF_ENSEMBLES}
    assert all(rmse[method] < rmse["first_guess"] for method in OF_ENSEMBLES)


@pytest.mark.parametrize("job", [analyse, verify])
def test_a_method_of_ensembles_without_files_is_refused_before_anything_is_read(toy, tmp_path, job):
    cases = {"domain": "toy", "reports": {"observations": ["none.csv"], "time": [TIME]}}
    run = {"cases": cases, "output": str(tmp_path), "method": "letkf" if job is analyse else ["oi", "letkf"]}
    with pytest.raises(ConfigError, match="run.yaml: method letkf needs an ensemble: --ensemble FILE"):
        build(job.Run, run, "run.yaml")


def test_the_command_says_how_to_give_an_ensemble(toy, tmp_path, capsys):
    arguments = [
        "analyse",
        "--domain",
        "toy",
        "--observations",
        str(toy.observations),
        "--method",
        "envar",
        "--output",
        str(tmp_path),
    ]
    assert command.main(arguments) == 2
    assert "envar needs an ensemble" in capsys.readouterr().err
    assert command.main([*arguments, "--ensemble", str(toy.background)]) == 3
    assert "expected two files or more, one per member" in capsys.readouterr().err


@pytest.fixture(scope="module")
def one_file(toy, members, tmp_path_factory):
    """The same six members in one file."""
    fields = []
    for path in members:
        with netCDF4.Dataset(path) as file:
            fields.append(np.asarray(file["t2m"][:]).reshape(toy.static.domain.shape))
    path = tmp_path_factory.mktemp("one") / "all.nc"
    return write_members(path, toy.static.domain, [toy.time], {"t2m": np.stack(fields)[None]})


def test_one_file_of_all_members_gives_the_analysis_of_one_file_per_member(toy, members, one_file, tmp_path):
    separate = analyse.make(make_run(analyse, toy, tmp_path / "six", members, method="letkf", maps=False))
    arguments = ["analyse", "--domain", "toy", "--observations", str(toy.observations), "--method", "letkf"]
    arguments += ["--time", TIME, "--ensemble", one_file, "--output", str(tmp_path / "one")]
    assert command.main([*arguments, "--set", "variables=[t2m]", "--set", "maps=false"]) == 0
    (product,) = (tmp_path / "one").glob("**/*.nc")
    with netCDF4.Dataset(product) as file:
        np.testing.assert_allclose(file["t2m"][0], separate[0][0].values["t2m"], atol=0.02)
        assert file.background_files == "all.nc"


def test_the_members_of_one_file_become_a_store(toy, one_file, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"cases: {{domain: toy, members: {{files: [{one_file}], time: [{TIME}]}}}}\noutput: {tmp_path}/members.h5\n"
    )
    assert command.main(["samples", str(recipe)]) == 0
    store = Store(tmp_path / "members.h5")
    assert len(store.time) == 6 and store.layout.fields == ("background_t2m", "truth_t2m")
    rows, columns = (range(size) for size in toy.static.domain.shape)
    fields = np.stack([store.fields(number, rows, columns) for number in range(6)])
    np.testing.assert_allclose(fields[:, 0].mean(axis=0), fields[:, 1].mean(axis=0), atol=1e-3)
    others = np.delete(fields[:, 1], 4, axis=0).mean(axis=0)
    np.testing.assert_allclose(fields[4, 0], others, atol=1e-3)
