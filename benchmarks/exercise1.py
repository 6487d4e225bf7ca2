"""How near the trained U-net of Exercise 1 is to the Bayes-optimal analysis, on cases that nothing was fitted to.

Claims: at most 1.03 of it by configs/training/unet_exercise1.yaml, 1.25 by unet_exercise1_ci.yaml.

    python benchmarks/exercise1.py --checkpoint output/exercise1/unet/checkpoints/best
    python benchmarks/exercise1.py --checkpoint DIR --unseen FILE --figure docs/exercise1.png

Prints the table of root mean square errors, draws one case (truth, observations, background, prediction, error), prints
the ratio last, with the standard error that the choice of cases gives it.
"""

import argparse

import numpy as np
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlrtma_dist import config
from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.regression import Regression, RegressionSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.gaussian_plane import GaussianPlane
from mlrtma_dist.samples.statistics import Statistics
from mlrtma_dist.samples.store import Store
from mlrtma_dist.weights.checkpoint import Checkpoint

BATCH = 16
WORDS = {
    "background": "the background as it is",
    "interpolation": "optimal interpolation, background covariance only",
    "network": "the trained U-net",
    "bayes": "the Bayes-optimal analysis",
}


def exact_analyses(store: Store, plane: GaussianPlane) -> dict[str, np.ndarray]:
    """Truth and analyses that need no training, each of shape (case, y, x)."""
    truth, error = plane.covariances
    methods = {
        "interpolation": OptimalAnalysis.interpolation(error, plane.observation_error),
        "bayes": OptimalAnalysis.bayes(truth, error, plane.observation_error),
    }
    found = {name: [] for name in ("background", "truth", *methods)}
    everything = Tile.whole(plane.shape).slab(0)
    for case in range(len(store.time)):
        background, true = store.fields(case, *everything).astype(np.float64)
        table = store.observations(case, *everything)
        for name, method in methods.items():
            found[name].append(method.analyse(background, table.place.astype(int), table.value.astype(np.float64)))
        found["background"].append(background)
        found["truth"].append(true)
    return {name: np.stack(fields) for name, fields in found.items()}


def network_analyses(store: Store, folder: str) -> np.ndarray:
    """The trained network's analyses, shape (case, y, x)."""
    saved = Checkpoint(folder)
    method = Regression(config.build(RegressionSettings, yaml.safe_load(saved.manifest.run.config)["settings"], folder))
    saved.load_into(method.network)
    said = {name: tuple(v) if isinstance(v, list) else v for name, v in saved.manifest.run.statistics.items()}
    statistics, shape = Statistics(**said), store.layout.shape
    data = Dataset(store, Tile.whole(shape, (True, True)), statistics)
    batches = np.array_split(np.arange(len(store.time)), max(1, len(store.time) // BATCH))
    parts = [method.analyse(sample, Alone(shape, (True, True))) for sample in data.stream(batches)]
    return np.concatenate(parts)[:, 0] * statistics.deviation[1] + statistics.mean[1]


def draw(path: str, store: Store, fields: dict[str, np.ndarray], case: int) -> None:
    """One case side by side: what is, what was measured, what was believed, what is said, and what is wrong with it."""
    figure = Figure(figsize=(15, 3.6), layout="constrained")
    truth, said = fields["truth"][case], fields["network"][case]
    table = store.observations(case, *Tile.whole(truth.shape).slab(0))
    limit = float(np.abs(truth).max())
    panels = {"truth": truth, "observations": None, "background": fields["background"][case], "prediction": said,
              "error of the prediction": said - truth}
    for axes, (title, field) in zip(figure.subplots(1, 5), panels.items(), strict=True):
        bound = limit if not title.startswith("error") else 4 * float((said - truth).std())
        scale = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound}
        if field is None:
            shown = axes.scatter(*table.place.T[::-1], c=table.value, s=9, **scale)
            axes.set(xlim=(-0.5, truth.shape[1] - 0.5), ylim=(-0.5, truth.shape[0] - 0.5))
            axes.set(facecolor="#e8e8e8", aspect=1)
        else:
            shown = axes.imshow(field, origin="lower", **scale)
        wrong = {"background": "background", "prediction": "network"}.get(title)
        rmse = f", rmse {np.sqrt(np.mean((fields[wrong][case] - truth) ** 2)):.3f}" if wrong else ""
        axes.set_title(title + rmse, fontsize=10)
        axes.set(xticks=[0, 32, 63], yticks=[0, 32, 63])
        figure.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.9)
    FigureCanvasAgg(figure)
    with written_atomically(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def ratio(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Root of the ratio of two means over cases, and its standard error by linearisation (the cases are the same)."""
    value = float(np.sqrt(one.mean() / other.mean()))
    spread = (one / one.mean() - other / other.mean()).std(ddof=1) / np.sqrt(len(one))
    return value, 0.5 * value * float(spread)


def main():
    """Score and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--unseen", default="output/exercise1/unseen.h5")
    parser.add_argument("--figure", default="output/exercise1/exercise1.png")
    parser.add_argument("--case", type=int, default=0)
    given = parser.parse_args()
    store = Store(given.unseen)
    made_by = yaml.safe_load(store.reader.attributes["made_by"])
    plane = config.build(GaussianPlane, made_by["gaussian_plane"], given.unseen)
    fields = exact_analyses(store, plane) | {"network": network_analyses(store, given.checkpoint)}
    squares = {name: ((fields[name] - fields["truth"]) ** 2).mean((1, 2)) for name in WORDS}
    for name, words in WORDS.items():
        standard = 0.5 * squares[name].std(ddof=1) / np.sqrt(len(store.time) * squares[name].mean())
        print(f"{words:<50} {np.sqrt(squares[name].mean()):.4f} +- {standard:.4f}")
    draw(given.figure, store, fields, given.case)
    print(f"{len(store.time)} cases; figure: {given.figure}")
    value, standard = ratio(squares["network"], squares["bayes"])
    print(f"network / bayes: {value:.4f} +- {standard:.4f}")


if __name__ == "__main__":
    main()
