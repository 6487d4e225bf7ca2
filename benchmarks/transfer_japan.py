"""Hours of Japan's temperature as an archive of samples, for transfer_domains.py: a domain file, and a CSV an hour."""

from pathlib import Path

import numpy as np
import yaml
from amedas_data import Amedas
from other_domains import static_of

from mlrtma_dist.config import to_yaml
from mlrtma_dist.fields.ground_files import Ground
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.ground_file import write_ground
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.observations.csv_write import write_csv

NAME = "amedas_{time:%Y%m%dT%H%M}.csv"


def spread(count: int, most: int) -> list[int]:
    """``most`` numbers below ``count`` at equal distances, in an order whose beginnings are spread, too.

    Example:
        >>> spread(101, 5)
        [0, 100, 50, 25, 75]
    """
    places = np.linspace(0, count - 1, most).round().astype(int).tolist()
    order = [places.pop(0), *([places.pop()] if places else [])]
    while places:
        order.append(max(places, key=lambda place: (min(abs(place - other) for other in order), -place)))
        places.remove(order[-1])
    return order


def write_domain(folder: Path) -> Static:
    """Write the domain, with its shores and no terrain, and read it back."""
    static = static_of("japan")
    shores, text = folder / "shores.nc", folder / "japan.yaml"
    if not text.exists():
        write_ground(shores, static.domain, Ground(static.terrain, static.land, "shores of GSHHG"), {})
        write_text(text, to_yaml(static.domain).replace("land: null", f"land: {shores.resolve()}"))
    return load_static(load_domain(str(text)))


def write_archive(folder: Path, most: int) -> dict[str, tuple[str, ...]]:
    """Write hours that train as files, and the configuration of samples of them; gives it and its times."""
    hours, path = Amedas.read(), folder / "amedas.yaml"
    chosen = hours.full[spread(len(hours.full), most)]
    times = [str(time.astype("datetime64[m]")) for time in hours.time[chosen]]
    if not path.exists():
        for number, time in zip(chosen, times, strict=True):
            name = f"amedas_{time.replace('-', '').replace(':', '')}.csv"
            write_csv(folder / name, hours.table(np.array([number])))
        archive = {
            "start": min(times),
            "end": max(times),
            "every_minutes": 0,
            "folder": str(folder.resolve()),
            "mapping": "generic_csv",
            "reports": [{"pattern": NAME, "every_minutes": 1}],
        }
        cases = {"domain": str((folder / "japan.yaml").resolve()), "archive": archive}
        samples = {"cases": cases, "output": str(folder / "hours.h5"), "variables": ["t2m"]}
        write_text(path, yaml.safe_dump(samples, sort_keys=False))
    return {str(path): tuple(times)}
