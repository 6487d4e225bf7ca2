"""Verify methods on every case of a store, whose truth is known; `mlrtma verify` comes here where samples are named.

    mlrtma verify configs/verification/exercise1.yaml --checkpoint output/exercise1/unet/checkpoints/best
    mpiexec -n 4 mlrtma verify configs/verification/exercise1.yaml        # the same scores, sooner

Writes scores.csv, case.png, errors.png and config.yaml; prints the table and, last, how near the network is to the
limit.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jobs.analyse_cases import alignment, check_methods, load_learned, region_of
from jobs.command_line import parse
from jobs.progress import progress
from jobs.samples import ensure
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.cases import METHODS, Analyse, Cases, prepare
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.world import World
from mlrtma_dist.samples.store import Store
from mlrtma_dist.verification.case_figure import CaseShown, draw_case, draw_errors
from mlrtma_dist.verification.field_scores import describe, ratio, score_fields, sums_of, write_field_scores

LIMIT = "optimal"
WORDS = {
    "background": "the background as it is",
    "interpolation": "optimal interpolation, background covariance only",
    "regression": "the trained network",
    LIMIT: "the Bayes-optimal analysis",
}
SHORT = {"background": "background", "interpolation": "interpolation", "regression": "network", LIMIT: "Bayes"}


@dataclass(frozen=True)
class Run:
    """One verification; keys as in ``jobs.analyse_cases.Run``, and

    Attributes:
        method: the methods to compare.
        case: number of the case that is drawn.
        seed: of the bootstrap.
    """

    samples: str
    output: str
    method: tuple[str, ...] = tuple(METHODS)
    checkpoint: str | None = None
    case: int = 0
    seed: int = 0
    domain: str | None = None
    mesh: Mesh | None = None
    device: str = "auto"
    make_samples: str | None = None

    def __post_init__(self):
        check_methods(self.method, self.checkpoint)


def main(arguments: list[str], options: dict[str, tuple[str, str]]) -> None:
    """Run the verb."""
    run = parse(Run, "verify", __doc__, arguments, options)
    if run is None or not (sums := make(run)):
        return
    store, folder = Store(run.samples), Path(run.output)
    print(describe(score_fields(sums, store.layout.variables, seed=run.seed), WORDS, LIMIT))
    print(f"{len(store.time)} cases of {run.samples}")
    print(folder / "scores.csv", folder / "case.png", folder / "errors.png", sep="\n")
    if {"regression", LIMIT} <= set(run.method):
        print("network / bayes: {:.4f} +- {:.4f}".format(*ratio(sums, "regression", LIMIT)))


def make(run: Run) -> dict[str, np.ndarray]:
    """Verify and write; returns on rank 0 every method's sums, see `verification.field_scores`. Collective."""
    ensure(run.samples, run.make_samples)
    store = Store(run.samples)
    region_of(store, run.domain)
    if not 0 <= run.case < len(store.time):
        raise config.ConfigError(f"case: expected 0 to {len(store.time) - 1} of {run.samples}, got {run.case}")
    if len(store.layout.fields) != 2 * len(store.layout.variables):
        raise InputError(f"{run.samples}: expected a truth for each background, got {', '.join(store.layout.fields)}")
    methods = tuple(dict.fromkeys(run.method))
    learned = load_learned(methods, run.checkpoint, store)
    with World.start(run.mesh, device=run.device) as world:
        everyone = world.everyone()
        cases = Cases.of(store, world, align=alignment(learned))
        learned = learned and learned.to(world.device)
        analyses = {name: prepare(name, cases, learned) for name in methods}
        first = world.rank == 0
        with progress(f"verify {store.layout.domain}") if first else nullcontext(lambda name, share: None) as show:
            parts, shown = _score(cases, analyses, run.case, show)
        sums, shown = (everyone.sum(torch.from_numpy(part)).numpy() for part in (parts, shown))
        if not first:
            return {}
        found = dict(zip(methods, sums, strict=True))
        write_text(Path(run.output) / "config.yaml", config.to_yaml(run))
        write_field_scores(Path(run.output) / "scores.csv", score_fields(found, store.layout.variables, seed=run.seed))
        _draw(run, store, dict(zip(("truth", *methods), shown, strict=True)))
    return found


def _score(cases: Cases, analyses: dict[str, Analyse], drawn: int, show) -> tuple[np.ndarray, np.ndarray]:
    """This rank's share of the sums (method, case, variable, 3), and of truth and analyses of the case to be drawn."""
    layout, number, box = cases.store.layout, len(cases.store.time), cases.tile.box
    sums = np.zeros((len(analyses), number, len(layout.variables), 3))
    shown = np.zeros((1 + len(analyses), *layout.shape))
    for block in cases.blocks():
        truth = cases.truth(block)
        said = [truth, *(analyse(block) for analyse in analyses.values())]
        for index, fields in enumerate(said[1:]):
            sums[index, block.start : block.stop] = sums_of(fields, truth)
        if drawn in block:
            shown[:, box.y0 : box.y1, box.x0 : box.x1] = [fields[drawn - block.start, 0] for fields in said]
        show("cases", block.stop / number)
    return sums, shown


def _draw(run: Run, store: Store, fields: dict[str, np.ndarray]) -> None:
    table = store.observations(run.case, *Tile.whole(store.layout.shape).slab(0))
    own = table.variable == 0
    truth = fields.pop("truth")
    case = CaseShown(truth, {SHORT[name]: field for name, field in fields.items()}, table.place[own], table.value[own],
                     f"{store.layout.variables[0]} on {store.layout.domain}, case {run.case} of {len(store.time)}")
    names = list(case.analyses)
    background = "background" if "background" in names else names[0]
    draw_case(Path(run.output) / "case.png", case, background, "network" if "network" in names else names[-1])
    draw_errors(Path(run.output) / "errors.png", case)
