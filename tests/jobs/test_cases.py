"""Analyse and verify the cases of a store: the same on any ranks, exact where the answer is known, refused in words."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch
from launch import ROOT

from jobs import analyse, analyse_cases, command, samples, verify_cases
from mlrtma_dist import config
from mlrtma_dist.inference.case_methods import WITH_BACKGROUND as METHODS
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.manifest import Run as Origin
from mlrtma_dist.weights.manifest import State

pytestmark = pytest.mark.slow

PLANE = GaussianPlane(observations=60, seed=5)
CASES = 40  # three blocks, the last of 8: on two data ranks one has nothing in its last round
START = "import sys; from jobs.command import main; sys.exit(main())"


def save_checkpoint(folder: Path, method: str = "unet", fields=("background", "truth")) -> Path:
    """A network whose weights are all random, as a checkpoint; statistics of no round numbers."""
    settings = UNetSettings(widths=(8, 8), groups=2)
    network, generator = UNetMethod(settings).network, torch.Generator().manual_seed(7)
    weights = {name: 0.3 * torch.randn(each.shape, generator=generator) for name, each in network.named_parameters()}
    statistics = Statistics(tuple(fields), (0.1, 0.2), (1.1, 0.9), 3, "2000-01-01T00:00:00", "2000-01-01T02:00:00")
    said = f"method: {method}\nsettings: {{widths: [8, 8], groups: 2}}\n"
    origin = Origin(said, "unknown", method, (statistics.start, statistics.end), asdict(statistics))
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    shards = [("weight", name, 0, weight.flatten()) for name, weight in weights.items()]
    return checkpoint.save(folder, origin, State(3, 0, "AdamW", {}, ()), shapes, shards)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with samples.h5 and a checkpoint, all files of one rank, and the sums that one rank verified."""
    folder = tmp_path_factory.mktemp("cases")
    samples.make(samples.Run(str(folder / "samples.h5"), PLANE, cases=CASES))
    saved = save_checkpoint(folder / "checkpoints")
    given = {"samples": str(folder / "samples.h5"), "checkpoint": str(saved)}
    for method in METHODS:
        run = analyse_cases.Run(output=str(folder / "one"), method=method, **given)
        analyse_cases.make(replace(run, checkpoint=None) if method != "unet" else run)
    sums = verify_cases.make(verify_cases.Run(output=str(folder / "one"), **given))
    return folder, saved, sums


def fields_of(folder: Path, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Analyses and backgrounds of a product."""
    with netCDF4.Dataset(folder / f"plane_{method}" / f"plane_{method}.nc") as product:
        return np.asarray(product["field_analysis"][:]), np.asarray(product["field_background"][:])


def on_ranks(ranks: int, *arguments: str) -> str:
    mpiexec = Path(sys.executable).parent / "mpiexec"
    launcher = str(mpiexec) if mpiexec.exists() else "mpiexec"
    line = [launcher, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), sys.executable, "-c", START, *arguments]
    root = (
        "OMPI_ALLOW_RUN_AS_ROOT",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
        "PRTE_ALLOW_RUN_AS_ROOT",
        "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM",
    )
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | dict.fromkeys(root, "1")
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, env=settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("ranks", "mesh", "method", "apart"),
    [(2, "{data: 2}", "unet", 1e-6), (2, "{y: 2}", "unet", 1e-5), (2, "{x: 2}", "optimal", 0.0)],
)
def test_many_ranks_write_the_analyses_of_one(made, tmp_path, ranks, mesh, method, apart):
    folder, saved, _ = made
    learned = ["--checkpoint", str(saved)] if method == "unet" else []
    said = on_ranks(
        ranks,
        "analyse",
        "--samples",
        str(folder / "samples.h5"),
        "--output",
        str(tmp_path),
        "--method",
        method,
        "--set",
        f"mesh={mesh}",
        *learned,
    )
    assert said.strip() == str(tmp_path / f"plane_{method}" / f"plane_{method}.nc")  # said once, by rank 0
    (truth, believed), (found, carried) = fields_of(folder / "one", method), fields_of(tmp_path, method)
    assert np.ptp(truth - believed) > 0.1, "the method must have something to say"
    assert np.abs(found - truth).max() <= apart * np.ptp(truth)
    np.testing.assert_array_equal(carried, believed)


def test_four_ranks_verify_as_one_does(made, tmp_path):
    folder, saved, _ = made
    said = on_ranks(
        4,
        "verify",
        "--samples",
        str(folder / "samples.h5"),
        "--output",
        str(tmp_path),
        "--checkpoint",
        str(saved),
        "--set",
        "mesh={data: 2, y: 2}",
    )
    one, four = ((where / "scores.csv").read_text().splitlines() for where in (folder / "one", tmp_path))
    assert len(one) == len(four) == 1 + len(METHODS) and one[0] == four[0]
    for line, expected in zip(four[1:], one[1:], strict=True):
        numbers, truth = (np.array(text.split(",")[2:], dtype=float) for text in (line, expected))
        np.testing.assert_allclose(numbers, truth, rtol=1e-5, atol=1e-6)
    assert said.strip().splitlines()[-1].startswith("network / Bayes: ")


def test_the_optimal_product_is_the_exact_analysis_of_each_case_at_its_time(made):
    truth, error = PLANE.covariances
    method = OptimalAnalysis.bayes(truth, error, PLANE.observation_error)
    found, believed = fields_of(made[0] / "one", "optimal")
    for number in (0, 17, CASES - 1):
        (background, _), table = PLANE.draw(number)
        np.testing.assert_allclose(believed[number], background, atol=1e-6)
        np.testing.assert_allclose(found[number], method.analyse(background, table.place, table.value), atol=1e-5)
    with netCDF4.Dataset(made[0] / "one" / "plane_optimal" / "plane_optimal.nc") as product:
        assert product["field_analysis"].dimensions == ("time", "y", "x") and product.Conventions == "CF-1.11"
        times = netCDF4.num2date(product["time"][:], product["time"].units)
        assert [str(time) for time in times[[0, -1]]] == ["2000-01-01 00:00:00", "2000-01-02 15:00:00"]
        assert product["field_analysis"].chunking() == [16, 32, 32]
        assert "method: optimal" in product.configuration and not hasattr(product, "checkpoint")


def test_the_regression_product_is_the_network_in_the_units_of_its_statistics(made):
    folder, saved, _ = made
    method = UNetMethod(UNetSettings(widths=(8, 8), groups=2))
    checkpoint.Checkpoint(saved).load_into(method.network)
    (background, _), table = PLANE.draw(20)
    believed = (background - 0.2) / 0.9  # mean and deviation of the truth, not of the background
    departure, mask = np.zeros((2, 64, 64))
    departure[tuple(table.place.T)] = (table.value - 0.2) / 0.9 - believed[tuple(table.place.T)]
    mask[tuple(table.place.T)] = 1.0
    inputs = torch.from_numpy(np.stack([believed, departure, mask])[None].astype(np.float32))
    with torch.no_grad():
        said = method.network(inputs, Alone((64, 64), (True, True)))[0, 0].numpy() * 0.9 + 0.2
    found, _ = fields_of(folder / "one", "unet")
    np.testing.assert_allclose(found[20], said, atol=1e-5 * np.ptp(said))
    with netCDF4.Dataset(folder / "one" / "plane_unet" / "plane_unet.nc") as product:
        assert (product.checkpoint, product.checkpoint_step) == (str(saved.resolve()), 3)


def test_verify_adds_up_the_errors_of_the_products(made):
    folder, _, sums = made
    truth = np.stack([PLANE.draw(number)[0][1].astype(np.float32) for number in range(CASES)]).astype(np.float64)
    for method in METHODS:
        error = fields_of(folder / "one", method)[0] - truth
        expected = np.stack([error.sum((1, 2)), (error**2).sum((1, 2)), np.full(CASES, 64.0**2)], -1)
        np.testing.assert_allclose(sums[method][:, 0], expected, rtol=1e-9, atol=1e-6)
    assert (folder / "one" / "case.png").stat().st_size > 20_000


def refusals(folder: Path, saved: Path) -> dict[str, tuple[list[str], int, list[str]]]:
    """What is refused: arguments, exit code, words."""
    here, given = str(folder / "samples.h5"), ["--checkpoint", str(saved)]
    return {
        "no checkpoint": (["analyse", "--samples", here], 2, ["checkpoint: unet needs one", "checkpoints/best"]),
        "both kinds": (["analyse", "--samples", here, "--observations", "a.csv"], 2, ["exclude each other"]),
        "both kinds, verify": (["verify", "--samples", here, "--observations", "a.csv"], 2, ["exclude each other"]),
        "an unknown key": (["analyse", "--samples", here, *given, "--set", "sampels=3"], 2, ["did you mean 'samples'"]),
        "a key of stations": (["verify", "--samples", here, *given, "--folds", "3"], 2, ["unknown key 'folds'"]),
        "a method of stations": (["analyse", "--samples", here, "--method", "letkf"], 2, ["expected background, "]),
        "no such store": (["analyse", "--samples", here + "5", *given], 3, ["expected an HDF5 file", "mlrtma samples"]),
        "no store": (["analyse", "--samples", str(saved / "manifest.json"), *given], 3, ["expected an HDF5 file"]),
        "no such checkpoint": (["analyse", "--samples", here, "--checkpoint", str(folder)], 3, ["manifest.json"]),
        "another domain": (["analyse", "--samples", here, *given, "--domain", "toy"], 2, ["toy has (120, 160) points"]),
        "a mesh of ranks that are not there": (
            ["analyse", "--samples", here, *given, "--set", "mesh={y: 2}"],
            2,
            ["= 2 != 1 ranks. Start 2 ranks"],
        ),
        "no such case": (["verify", "--samples", here, *given, "--set", "case=40"], 2, ["case: expected 0 to 39"]),
    }


@pytest.mark.parametrize("name", refusals(Path(), Path()))
def test_what_cannot_be_is_refused_in_words_before_anything_is_written(made, tmp_path, capsys, name):
    arguments, code, words = refusals(*made[:2])[name]
    output = tmp_path / "output"
    assert command.main([*arguments, "--output", str(output)]) == code
    told = capsys.readouterr()
    assert not told.out and not output.exists()
    for word in words:
        assert word in told.err


def test_a_foreign_checkpoint_and_a_foreign_store_are_refused_by_name(made, tmp_path, capsys):
    folder = made[0]
    other = save_checkpoint(tmp_path / "other", method="diffusion"), "of regression, got one of diffusion"
    weather = save_checkpoint(tmp_path / "weather", fields=("t2m_background", "t2m")), "on the fields t2m_background"
    for saved, words in (other, weather):
        given = ["--samples", str(folder / "samples.h5"), "--checkpoint", str(saved), "--output", str(tmp_path / "o")]
        assert command.main(["analyse", *given]) == 3
        assert words in capsys.readouterr().err
    with Ranks.start(device="cpu") as world:
        build_store(tmp_path / "unsigned.h5", PLANE.layout("plane", 32), PLANE.time(2), PLANE.make, world)
    given = ["--samples", str(tmp_path / "unsigned.h5"), "--method", "optimal", "--output", str(tmp_path / "o")]
    assert command.main(["analyse", *given]) == 3
    assert "expected cases of gaussian_plane" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_a_checkpoint_without_effect_is_warned_of(made, caplog):
    analyse_cases.Run(str(made[0] / "samples.h5"), "o", method="optimal", checkpoint="somewhere")
    assert "without effect, as optimal learns nothing" in caplog.text


@pytest.mark.parametrize(("room", "kind"), [("inference", analyse_cases.Run), ("verification", verify_cases.Run)])
def test_the_shipped_configurations_are_of_this_kind_and_a_dry_run_prints_them(room, kind, capsys):
    path = config.configs_root() / room / "exercise1.yaml"
    verb = {"inference": "analyse", "verification": "verify"}[room]
    assert command.main([verb, str(path), "--dry-run"]) == 0
    printed = config.parse_yaml(capsys.readouterr().out, "printed")
    assert config.build(kind, printed, "printed") == config.load(kind, path)


def test_station_observations_need_no_torch():
    code = "import sys, jobs.analyse, jobs.verify; print('torch' in sys.modules)"
    settings = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=settings, timeout=120)
    assert done.stdout.strip() == "False" and analyse.OPTIONS["--samples"][0] == "samples"
