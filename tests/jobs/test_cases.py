"""Analyse and verify cases of a store and of worlds: the same on any ranks, exact where that is known."""

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch
from launch import ROOT

from jobs import analyse, command, samples, verify
from mlrtma_dist import config
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.sources import CasesSection, StoreSection
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.manifest import Run as Origin
from mlrtma_dist.weights.manifest import State

pytestmark = pytest.mark.slow

PLANE = GaussianPlane(observations=60, seed=5)
CASES = 40  # three blocks, the last of 8: on two data ranks one has nothing in its last round
METHODS = ("first_guess", "exact_oi", "exact_bayes", "unet")
START = "import sys; from jobs.command import main; sys.exit(main())"


def save_checkpoint(folder: Path, method: str = "unet", fields=("background_field", "truth_field")) -> Path:
    """A network whose weights are all random, as a checkpoint; statistics of no round numbers."""
    settings = UNetSettings(widths=(8, 8), groups=2)
    network, generator = UNetMethod(settings).network, torch.Generator().manual_seed(7)
    weights = {name: 0.3 * torch.randn(each.shape, generator=generator) for name, each in network.named_parameters()}
    statistics = Statistics(tuple(fields), (0.1, 0.2), (1.1, 0.9), 3, "2000-01-01T00:00:00", "2000-01-01T02:00:00")
    configuration = f"method: {method}\nsettings: {{widths: [8, 8], groups: 2}}\n"
    origin = Origin(configuration, "unknown", method, (statistics.start, statistics.end), asdict(statistics))
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    shards = [("weight", name, 0, weight.flatten()) for name, weight in weights.items()]
    return checkpoint.save(folder, origin, State(3, 0, "AdamW", {}, ()), shapes, shards)


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """A folder with samples.h5 and a checkpoint, all files of one rank, and the sums that one rank verified."""
    folder = tmp_path_factory.mktemp("cases")
    samples.make(samples.Run(CasesSection(gaussian_plane=PLANE, count=CASES), str(folder / "samples.h5")))
    saved, cases = save_checkpoint(folder / "checkpoints"), CasesSection(store=StoreSection(str(folder / "samples.h5")))
    for method in METHODS:
        learned = str(saved) if method == "unet" else None
        analyse.make(analyse.Run(cases, str(folder / "one"), method=method, checkpoint=learned))
    return folder, saved, verify.make(verify.Run(cases, str(folder / "one"), checkpoint=str(saved))).sums


def fields_of(folder: Path, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Analyses and increments of a product."""
    with netCDF4.Dataset(folder / f"plane_{method}" / f"plane_{method}.nc") as product:
        return np.asarray(product["field"][:]), np.asarray(product["field_increment"][:])


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
    ("mesh", "method", "tolerance"),
    [("{data: 2}", "unet", 1e-6), ("{y: 2}", "unet", 1e-5), ("{x: 2}", "exact_bayes", 0.0)],
)
def test_many_ranks_write_the_analyses_of_one(products, tmp_path, mesh, method, tolerance):
    folder, saved, _ = products
    learned = ["--checkpoint", str(saved)] if method == "unet" else []
    store = ["--store", str(folder / "samples.h5"), "--output", str(tmp_path)]
    printed = on_ranks(2, "analyse", *store, "--method", method, "--set", f"mesh={mesh}", *learned)
    assert printed.strip() == str(tmp_path / f"plane_{method}" / f"plane_{method}.nc")  # once, by rank 0
    expected, of_ranks = fields_of(folder / "one", method), fields_of(tmp_path, method)
    assert np.ptp(expected[1]) > 0.1, "the method must change the background"
    for one, two in zip(expected, of_ranks, strict=True):
        assert np.abs(two - one).max() <= tolerance * np.ptp(expected[0])


def test_four_ranks_verify_as_one_does(products, tmp_path):
    folder, saved, _ = products
    run = ["--store", str(folder / "samples.h5"), "--output", str(tmp_path), "--checkpoint", str(saved)]
    printed = on_ranks(4, "verify", *run, "--set", "mesh={data: 2, y: 2}")
    one, four = ((where / "fields.csv").read_text().splitlines() for where in (folder / "one", tmp_path))
    assert len(one) == len(four) == 1 + len(METHODS) and one[0] == four[0]
    for line, expected in zip(four[1:], one[1:], strict=True):
        numbers, truth = (np.array(text.split(",")[2:], dtype=float) for text in (line, expected))
        np.testing.assert_allclose(numbers, truth, rtol=1e-5, atol=1e-6)
    assert printed.strip().splitlines()[-1].startswith("U-net / Bayes limit")


def test_the_exact_product_is_the_exact_analysis_of_each_case_at_its_time(products):
    truth, error = PLANE.covariances
    method = OptimalAnalysis.bayes(truth, error, PLANE.observation_error)
    analyses, increments = fields_of(products[0] / "one", "exact_bayes")
    for number in (0, 17, CASES - 1):
        _, background, table = PLANE.draw(number)
        expected = method.analyse(background["field"], table.place, table.value)
        np.testing.assert_allclose(analyses[number], expected, atol=1e-5)
        np.testing.assert_allclose(analyses[number] - increments[number], background["field"], atol=1e-6)
    with netCDF4.Dataset(products[0] / "one" / "plane_exact_bayes" / "plane_exact_bayes.nc") as product:
        assert product["field"].dimensions == ("time", "y", "x") and product.Conventions == "CF-1.11"
        times = netCDF4.num2date(product["time"][:], product["time"].units)
        assert [str(time) for time in times[[0, -1]]] == ["2000-01-01 00:00:00", "2000-01-02 15:00:00"]
        assert product["field"].chunking() == [16, 64, 64]
        assert "method: exact_bayes" in product.configuration and not hasattr(product, "checkpoint")


def test_the_unet_product_is_the_network_in_the_units_of_its_statistics(products):
    folder, saved, _ = products
    method = UNetMethod(UNetSettings(widths=(8, 8), groups=2))
    checkpoint.Checkpoint(saved).load_into(method.network)
    _, background, table = PLANE.draw(20)
    first_guess = (background["field"] - 0.2) / 0.9  # mean and deviation of the truth, not of the background
    departure, mask = np.zeros((2, 64, 64))
    departure[tuple(table.place.T)] = (table.value - 0.2) / 0.9 - first_guess[tuple(table.place.T)]
    mask[tuple(table.place.T)] = 1.0
    inputs = torch.from_numpy(np.stack([first_guess, departure, mask])[None].astype(np.float32))
    with torch.no_grad():
        expected = method.network(inputs, Alone((64, 64), (True, True)))[0, 0].numpy() * 0.9 + 0.2
    np.testing.assert_allclose(fields_of(folder / "one", "unet")[0][20], expected, atol=1e-5 * np.ptp(expected))
    with netCDF4.Dataset(folder / "one" / "plane_unet" / "plane_unet.nc") as product:
        assert (product.checkpoint, product.checkpoint_step) == (str(saved), 3)


def test_verify_adds_up_the_errors_of_the_products(products):
    folder, _, sums = products
    drawn = [PLANE.draw(number)[0]["field"].astype(np.float32) for number in range(CASES)]
    truth = np.stack(drawn).astype(np.float64)
    for method in METHODS:
        error = fields_of(folder / "one", method)[0] - truth
        expected = np.stack([error.sum((1, 2)), (error**2).sum((1, 2)), np.full(CASES, 64.0**2)], -1)
        np.testing.assert_allclose(sums[method][:, 0], expected, rtol=1e-9, atol=1e-6)
    assert (folder / "one" / "case.png").stat().st_size > 20_000


def refusals(folder: Path, saved: Path) -> dict[str, tuple[list[str], int, list[str]]]:
    """What is refused: arguments, exit code, words."""
    here, learned = ["--store", str(folder / "samples.h5")], ["--method", "unet", "--checkpoint", str(saved)]
    reports = ["--domain", "toy", "--observations", "none.csv"]
    shallow = ["--set", "cases={shallow_plane: {}, count: 2}"]
    worlds = ["--set", "cases={gaussian_plane: {}, shallow_plane: {}}"]
    return {
        "no checkpoint": (["analyse", *here, "--method", "unet"], 2, ["checkpoint: method unet", "checkpoints/best"]),
        "two sources": (["analyse", *here, *reports], 2, ["cases: reports and store exclude each other"]),
        "two sources, verify": (["verify", *here, *reports], 2, ["cases: reports and store exclude each other"]),
        "two worlds": (["samples", *worlds], 2, ["cases: gaussian_plane and shallow_plane exclude each other"]),
        "no source": (
            ["analyse", "--domain", "toy"],
            2,
            ["cases: expected one source of reports, archive, members, states, store", "got none"],
        ),
        "no domain": (
            ["verify", "--observations", "none.csv"],
            2,
            ["domain: expected a name or a YAML file (--domain)"],
        ),
        "no file": (["analyse", "--domain", "toy", "--time", "2022082406"], 2, ["expected at least one file"]),
        "an unknown key": (["analyse", "--set", "cases={stroe: {file: a}}"], 2, ["cases: ", "did you mean 'store'"]),
        "no ensemble": (["analyse", *here, "--method", "letkf"], 2, ["method letkf needs an ensemble: --ensemble"]),
        "a plane": (["analyse", *here, "--method", "oi"], 3, ["method oi needs ", "the earth", "exact_bayes"]),
        "not Gaussian": (["verify", *reports, "--method", "exact_oi"], 3, ["exact_oi needs cases of gaussian_plane"]),
        "no training": (
            ["analyse", *shallow, "--method", "outer_loops"],
            3,
            ["method outer_loops needs training cases: --set training='{cases: {store: {file: "],
        ),
        "no such store": (["analyse", "--store", here[1] + "5", *learned], 3, ["an HDF5 file", "mlrtma samples"]),
        "no store": (["analyse", "--store", str(saved / "manifest.json"), *learned], 3, ["expected an HDF5 file"]),
        "no such checkpoint": (["analyse", *here, *learned[:3], str(folder)], 3, ["manifest.json"]),
        "another domain": (["analyse", *here, *learned, "--domain", "toy"], 2, ["toy has (120, 160) points"]),
        "a mesh of ranks that are not there": (
            ["analyse", *here, *learned, "--set", "mesh={y: 2}"],
            2,
            ["= 2 != 1 ranks. Start 2 ranks"],
        ),
        "no such case": (["verify", *here, "--set", "case=40"], 2, ["case: expected 0 to 39"]),
    }


@pytest.mark.parametrize("name", refusals(Path(), Path()))
def test_what_cannot_be_is_refused_in_words_before_anything_is_written(products, tmp_path, capsys, name):
    arguments, code, words = refusals(*products[:2])[name]
    output = tmp_path / "output"
    assert command.main([*arguments, "--output", str(output)]) == code
    printed = capsys.readouterr()
    assert not printed.out and not output.exists()
    for word in words:
        assert word in printed.err


def test_a_foreign_checkpoint_and_a_foreign_store_are_refused_by_name(products, tmp_path, capsys):
    folder, output = products[0], ["--output", str(tmp_path / "o")]
    other = save_checkpoint(tmp_path / "other", method="oracle"), ["expected a checkpoint of", "got one of oracle"]
    fields = ("background_t2m", "truth_t2m")
    weather = save_checkpoint(tmp_path / "weather", fields=fields), ["was trained on t2m", "of plane have no t2m"]
    for saved, words in (other, weather):
        learned = ["--method", "unet", "--checkpoint", str(saved)]
        assert command.main(["analyse", "--store", str(folder / "samples.h5"), *learned, *output]) == 3
        message = capsys.readouterr().err
        assert all(word in message for word in words)
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "unsigned.h5", PLANE.on(Store(folder / "samples.h5").domain, count=2), ranks)
    assert command.main(["analyse", "--store", str(tmp_path / "unsigned.h5"), "--method", "exact_oi", *output]) == 3
    assert "needs cases of gaussian_plane" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_a_checkpoint_without_effect_is_warned_of(products, caplog):
    cases = CasesSection(store=StoreSection(str(products[0] / "samples.h5")))
    analyse.Run(cases, "o", method="exact_bayes", checkpoint="somewhere")
    assert "without effect, as exact_bayes learns nothing" in caplog.text


@pytest.mark.parametrize(("room", "kind"), [("inference", analyse.Run), ("verification", verify.Run)])
def test_a_dry_run_of_the_shipped_configurations_prints_them(room, kind, capsys):
    path = config.configs_root() / room / "exercise1.yaml"
    verb = {"inference": "analyse", "verification": "verify"}[room]
    assert command.main([verb, str(path), "--dry-run"]) == 0
    printed = config.parse_yaml(capsys.readouterr().out, "printed")
    assert config.build(kind, printed, "printed") == config.load(kind, path)


def test_station_observations_need_no_torch(toy, tmp_path):
    files = ["--observations", str(toy.observations), "--background", str(toy.background), "--output", str(tmp_path)]
    quick = ["--domain", "toy", "--set", "variables=[t2m]"]
    code = (
        "import sys; from jobs.command import main; "
        f"codes = main(['analyse', *{[*quick, *files]!r}]), main(['verify', *{[*quick, *files]!r}]); "
        "print(codes, 'torch' in sys.modules)"
    )
    settings = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=settings, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["(0, 0) False"], done.stderr
