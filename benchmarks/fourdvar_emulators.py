"""Claim: 4D-Var of shallow water with an emulator as its model is as good as that with the model itself.

    python benchmarks/fourdvar_emulators.py --networks output/plane_emulators
    python benchmarks/fourdvar_emulators.py --networks output/plane_emulators --emulators "product, + TL and AD"

The world, the window, the observations, B and the cases are those of `fourdvar_shallow.py`, whose table has 3D-Var,
4DEnVar and 4D-Var by the true model; here are added, on the same cases, 4D-Var whose model is an emulator
(`plane_emulator.py`: ten minutes a step, ten steps in the window), the LETKF, and a U-net that learns the analysis
itself (`fourdvar_rivals.py`). Inflation and radius of the LETKF are chosen on other cases. Last come how far each
analysis is from balance, and the errors of 4D-Var with other emulators over that with the first, case by case.
"""

import argparse
import time
from pathlib import Path

import fourdvar_rivals as rivals
import fourdvar_shallow as plane
import numpy as np
import plane_emulator as emulators
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.fourdvar import Window

EMULATORS = ("product, + TL and AD", "product, + perturbed states", "product, forecast")


def unet_of(states: torch.Tensor, steps: int, folder: Path) -> tuple[torch.nn.Module, rivals.Scales, float]:
    """The U-net of so many steps of training on these cases, from the folder's file or trained and kept there."""
    path = folder / f"unet_{steps}_{states.shape[1]}.pt"
    if path.is_file():
        kept, unet = torch.load(path, weights_only=True), rivals.network()
        unet.load_state_dict(kept["weights"])
        return unet.eval(), rivals.Scales(kept["deviation"]), kept["seconds"]
    unet, scales, seconds = rivals.train_unet(states, steps)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"weights": unet.state_dict(), "deviation": scales.deviation, "seconds": seconds}, path)
    return unet, scales, seconds


def filtered(
    climate: plane.Climate, reports: list[list[plane.Reports]], count: int
) -> tuple[rivals.Choice, np.ndarray, float]:
    """The LETKF of the inflation and radius with the least error of so many other cases: these, its means, seconds."""
    truth, others = plane.cases(plane.CHOSEN_ON, count)
    members = rivals.first_members(climate, others[0])

    def error_of(choice: rivals.Choice) -> float:
        return float(np.mean((rivals.filtered(members, others, choice)[0] - truth) ** 2))

    choice, began = min(rivals.CHOICES, key=error_of), time.perf_counter()
    state = rivals.filtered(rivals.first_members(climate, reports[0]), reports, choice)[0]
    return choice, state, time.perf_counter() - began


def imbalance(state: np.ndarray) -> float:
    """Root mean square rise of the surface in a long step, m, by the divergence of the winds of (case, 3, y, x)."""
    u, v = state[:, 1], state[:, 2]
    divergence = np.roll(u, -1, -1) - np.roll(u, 1, -1) + np.roll(v, -1, -2) - np.roll(v, 1, -2)
    rise = emulators.LONG_SECONDS * plane.WORLD.depth * divergence / (2.0 * plane.WORLD.spacing)
    return float(np.sqrt(np.mean(rise**2)))


def compare(states: dict[str, np.ndarray], truth: np.ndarray) -> None:
    """Print how far each is from balance, and its mean squared error of h over the first one's, with one error."""
    print(f"\nrise of the surface by divergence in ten minutes, m: truth {imbalance(truth):.2f}", end="")
    print("".join(f"; {name} {imbalance(state):.2f}" for name, state in states.items()))
    squares = {name: np.mean((state - truth)[:, 0] ** 2, axis=(-1, -2)) for name, state in states.items()}
    first = next(iter(squares.values()))
    for name, own in list(squares.items())[1:]:
        ratio = own.mean() / first.mean()
        error = (own - ratio * first).std(ddof=1) / len(own) ** 0.5 / first.mean()
        print(f"squared error of h, {name} over {next(iter(squares))}: {ratio:.2f} +- {error:.2f}")


def main() -> None:
    """Train what is not there, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, required=True, help="folder of trained networks")
    parser.add_argument("--emulators", nargs="*", default=EMULATORS, metavar="NETWORK, LOSS")
    parser.add_argument("--cases", type=int, default=12, help="that are judged")
    parser.add_argument("--climate", type=int, default=640, help="cases that B and the networks learn from")
    parser.add_argument("--members", type=int, default=32, help="of them, of the LETKF")
    parser.add_argument("--steps", type=int, default=1000, help="of the U-net's training; 0: without it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    states = plane.trajectories(0, options.climate)
    climate = plane.Climate.of(states, max(options.members, 2))
    truth, reports = plane.cases(plane.JUDGED, options.cases)
    mean, unit = climate.mean.expand(options.cases, *climate.mean.shape), [plane.together(each) for each in reports]

    def learnt(name: str) -> emulators.Emulator:
        kind, _, recipe = name.partition(", ")
        data = lambda: emulators.Data.of(states, climate.root)  # noqa: E731
        return emulators.trained(kind, recipe, data, options.climate, options.networks)[0]

    print("| method | h, m | u, m/s | v, m/s | seconds |\n|---|---|---|---|---|")
    if options.members:
        choice, state, seconds = filtered(climate, reports, 3)
        plane.row(f"LETKF, inflation {choice.inflation:g}, radius {choice.radius:g}", state, truth, seconds)
    if options.steps:
        unet, scales, seconds = unet_of(states, options.steps, options.networks)
        state, own = rivals.predicted(unet, scales, reports)
        plane.row(f"U-net, trained {seconds:.0f} s", state, truth, own)
    models = {f"4D-Var, {name}": learnt(name).between for name in options.emulators}
    ends = {}
    for name, model in models.items():
        try:
            ends[name], seconds = plane.solve(Window(mean, climate.root, model, unit))
            plane.row(name, ends[name], truth, seconds)
        except InputError as error:
            print(f"| {name} | no analysis: {error} |", flush=True)
    if ends:
        compare(ends, truth)


if __name__ == "__main__":
    main()
