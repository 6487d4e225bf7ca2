"""Verify methods on every case of a store, whose truth is known; `mlrtma verify` comes here where samples are named.

    mlrtma verify configs/verification/exercise1.yaml --checkpoint output/exercise1/unet/checkpoints/best
    mpiexec -n 4 mlrtma verify configs/verification/exercise1.yaml        # the same scores, sooner

Writes report.html, scores.csv, case.png, errors.png and config.yaml; prints the table and, last, the network's error
over that of its rivals: the limit where it is known, else the classical methods.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jobs.case_inputs import TrainingSet, alignment, check_methods, load_learned, region_of, to_learn_from
from jobs.command_line import parse
from jobs.inputs import origin
from jobs.progress import progress
from jobs.samples import ensure
from mlrtma_dist import config
from mlrtma_dist.inference.case_methods import WITH_BACKGROUND, WITHOUT_BACKGROUND, Analyse, Given, prepare
from mlrtma_dist.inference.cases import Cases
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.store import Layout, Store
from mlrtma_dist.verification.case_figure import CaseShown, draw_case, draw_errors
from mlrtma_dist.verification.field_scores import describe, ratio_lines, score_fields, sums_of, write_field_scores
from mlrtma_dist.verification.report_cases import write_case_report
from mlrtma_dist.verification.report_words import CASE_METHODS, SHORT_NAMES


@dataclass(frozen=True)
class Run:
    """One verification; keys as in ``jobs.analyse_cases.Run``, and

    Attributes:
        method: the methods to compare; empty: all that suit the store.
        case: number of the case that is drawn.
        seed: of the bootstrap.
    """

    samples: str
    output: str
    method: tuple[str, ...] = ()
    checkpoint: str | None = None
    training: TrainingSet | None = None
    case: int = 0
    seed: int = 0
    domain: str | None = None
    mesh: Mesh | None = None
    device: str = "auto"
    make_samples: str | None = None

    def __post_init__(self):
        check_methods(self.method or WITH_BACKGROUND, self.checkpoint)


def main(arguments: list[str], options: dict[str, tuple[str, str]]) -> None:
    """Run the verb."""
    run = parse(Run, "verify", __doc__, arguments, options)
    if run is None or not (sums := make(run)):
        return
    store, folder = Store(run.samples), Path(run.output)
    layout, rivals = store.layout, _rivals(store.layout)
    print(describe(score_fields(sums, layout.variables, seed=run.seed), CASE_METHODS, rivals[-1], layout.unit_of))
    print(f"{len(store.time)} cases of {run.samples}")
    print(folder / "scores.csv", folder / "report.html", folder / "case.png", folder / "errors.png", sep="\n")
    print(*ratio_lines(sums, layout.variables, "unet", rivals, SHORT_NAMES), sep="\n")


def _rivals(layout: Layout) -> tuple[str, ...]:
    """What the network is measured by; the last is 1 in the table's last column."""
    return ("optimal",) if layout.backgrounds else ("interpolation", "threedvar")


def make(run: Run) -> dict[str, np.ndarray]:
    """Verify and write; returns on rank 0 every method's sums, see `verification.field_scores`. Collective."""
    ensure(run.samples, run.make_samples)
    store = Store(run.samples)
    region_of(store, run.domain)
    if not 0 <= run.case < len(store.time):
        raise config.ConfigError(f"case: expected 0 to {len(store.time) - 1} of {run.samples}, got {run.case}")
    methods = tuple(dict.fromkeys(run.method)) or (WITH_BACKGROUND if store.layout.backgrounds else WITHOUT_BACKGROUND)
    learned, training = load_learned(methods, run.checkpoint, store), to_learn_from(methods, run.training, store)
    with Ranks.start(run.mesh, device=run.device) as world:
        everyone = world.everyone()
        cases = Cases.of(store, world, align=alignment(learned))
        given = Given(learned and learned.to(world.device), training)
        analyses = {name: prepare(name, cases, given) for name in methods}
        first = world.rank == 0
        with progress(f"verify {store.layout.domain}") if first else nullcontext(lambda name, share: None) as show:
            parts, shown = _score(cases, analyses, run.case, show)
        sums, shown = (everyone.sum(torch.from_numpy(part)).numpy() for part in (parts, shown))
        if not first:
            return {}
        found = dict(zip(methods, sums, strict=True))
        _write(run, store, found, dict(zip(("truth", *methods), shown, strict=True)))
    return found


def _score(cases: Cases, analyses: dict[str, Analyse], drawn: int, show) -> tuple[np.ndarray, np.ndarray]:
    """This rank's share of the sums (method, case, variable, 3), and of truth and analyses of the case to be drawn."""
    layout, number, box = cases.store.layout, len(cases.store.time), cases.tile.box
    sums = np.zeros((len(analyses), number, layout.targets, 3))
    shown = np.zeros((1 + len(analyses), layout.targets, *layout.shape))
    for block in cases.blocks():
        truth = cases.truth(block)
        said = [truth, *(analyse(block) for analyse in analyses.values())]
        for index, fields in enumerate(said[1:]):
            sums[index, block.start : block.stop] = sums_of(fields, truth)
        if drawn in block:
            shown[..., box.y0 : box.y1, box.x0 : box.x1] = [fields[drawn - block.start] for fields in said]
        show("cases", block.stop / number)
    return sums, shown


def _write(run: Run, store: Store, sums: dict[str, np.ndarray], fields: dict[str, np.ndarray]) -> None:
    folder, layout, resolved = Path(run.output), store.layout, config.to_yaml(run)
    scores = score_fields(sums, layout.variables, seed=run.seed)
    write_text(folder / "config.yaml", resolved)
    write_field_scores(folder / "scores.csv", scores)
    write_case_report(
        folder / "report.html",
        title=f"Verification on {len(store.time)} cases, {layout.domain}",
        scores=scores,
        sums=sums,
        units=layout.unit_of,
        words=CASE_METHODS,
        judged="unet",
        figures=_draw(run, store, fields),
        context={"samples": str(run.samples), **origin(resolved)},
    )


def _draw(run: Run, store: Store, fields: dict[str, np.ndarray]) -> tuple[Path, Path]:
    """Draw one case; returns the files."""
    layout, table = store.layout, store.observations(run.case, *Tile.whole(store.layout.shape).slab(0))
    observed = [table[table.variable == number] for number in range(layout.targets)]
    truth = fields.pop("truth")
    analyses = {SHORT_NAMES[name]: field for name, field in fields.items()}
    case = CaseShown(
        layout.variables,
        layout.units,
        truth,
        analyses,
        tuple(each.place for each in observed),
        tuple(each.value for each in observed),
        f"{', '.join(layout.variables)} on {layout.domain}, case {run.case} of {len(store.time)}",
    )
    drawn = Path(run.output) / "case.png", Path(run.output) / "errors.png"
    draw_case(
        drawn[0],
        case,
        "background" if "background" in analyses else None,
        "network" if "network" in analyses else list(analyses)[-1],
    )
    draw_errors(drawn[1], case)
    return drawn
