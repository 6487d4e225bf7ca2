"""Small checkpoints, their releases and matches of them, for tests of what is promoted."""

import numpy as np
import torch

from mlrtma_dist.verification.match import Matches, write_matches
from mlrtma_dist.verification.match_origin import write_origin
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.identity import checksum_of
from mlrtma_dist.weights.manifest import Release, Run, State
from mlrtma_dist.weights.release import write_release

ABOUT = Release(("reports of nobody, public domain",), "mlrtma train nothing.yaml", 3, {})


def trained(folder, number, score=None, step=7):
    """A checkpoint whose weights are ``number``; its folder."""
    run = Run("settings: {width: 1}\n", "abc123", "vit", ("2026-01-01T00:00:00", "2026-01-31T00:00:00"), {"cases": 3})
    parts = {"weight": 0.0, "average": float(number)}
    shards = [(part, "bias", 0, torch.full((3,), value)) for part, value in parts.items()]
    state = State(step, 0, "AdamW", {}, (), average_updates=1, best_score=score)
    return checkpoint.save(folder, run, state, {"bias": (3,)}, shards)


def release_of(folder, number):
    """A release of such a checkpoint; its folder."""
    write_release(trained(folder / f"training{number}", number), folder / f"release{number}", ABOUT)
    return folder / f"release{number}"


def table(errors, spread=1.0, stations=40, dates=10):
    """Matches of methods with independent Gaussian errors of given rmse, of two variables; the spread is one number."""
    generator = np.random.default_rng(1)
    tables = []
    for method, rmse in errors.items():
        for variable in ("t2m", "d2m"):
            size = stations * dates
            days = np.repeat(np.arange(dates), stations)
            tables.append(
                Matches.build(
                    method=method,
                    variable=variable,
                    domain="toy",
                    time=np.datetime64("2026-03-01T00:00", "s") + days * np.timedelta64(86400, "s"),
                    station=np.tile([f"S{number:03d}" for number in range(stations)], dates),
                    latitude=40.0,
                    longitude=-100.0,
                    elevation=np.tile(np.linspace(0.0, 900.0, stations), dates),
                    observation=280.0 + np.arange(size) * 0.01,
                    prediction=280.0 + np.arange(size) * 0.01 + rmse * generator.normal(size=size),
                    spread=spread,
                    observation_error=0.0,
                )
            )
    return Matches.concatenate(tables)


def verified(folder, errors, weights, **more):
    """matches.csv with its origin; ``weights``: method -> folder of its checkpoint. The file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_matches(folder / "matches.csv", table(errors, **more))
    facts = {
        name: {"checkpoint": str(each), "step": 7, "commit": "abc123", "sha256": checksum_of(each)}
        for name, each in weights.items()
    }
    write_origin(folder / "matches.csv", facts, {"folds": 10, "blocks": None, "seed": 0})
    return folder / "matches.csv"
