"""Hours of Japan's temperature as an archive of files, of which `mlrtma samples` makes a store.

    python benchmarks/amedas_archive.py --output output/reports/amedas [--hours 36] [--domain east_asia_20km]
    mlrtma samples output/reports/amedas/amedas.yaml --output output/reports/japan.h5

Writes a CSV for each of so many hours that train (`jma_t2m` to 2023-10-15), spread over the season and the day, and the
configuration of samples of them, of all variables, of which the reports have temperature alone.
"""

import argparse
from pathlib import Path

import numpy as np
import yaml
from amedas_data import Amedas
from other_domains import static_of

from mlrtma_dist.config import to_yaml
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.domain import load_domain
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
    """Write the domain of 10 km, with its shores and no terrain, and read it back."""
    path = folder / "japan.yaml"
    if not path.exists():
        write_text(path, to_yaml(static_of("japan").domain))
    return load_static(load_domain(str(path)))


def write_archive(folder: Path, most: int, domain: str, variables: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Write hours that train as files, and the configuration of samples of them; gives it and its times.

    Raises:
        InputError: the folder has other hours or those of another domain, which would be among these.
    """
    hours, path = Amedas.read(), folder / "amedas.yaml"
    chosen = hours.full[spread(len(hours.full), most)]
    times = [str(time.astype("datetime64[m]")) for time in hours.time[chosen]]
    names = [f"amedas_{time.replace('-', '').replace(':', '')}.csv" for time in times]
    archive = {
        "start": min(times),
        "end": max(times),
        "every_minutes": 0,
        "folder": str(folder),
        "mapping": "generic_csv",
        "reports": [{"pattern": NAME, "every_minutes": 1}],
    }
    cases = {"domain": domain, "archive": archive}
    samples = {"cases": cases, "output": str(folder / "hours.h5"), "variables": list(variables)}
    if path.exists():
        written = {each.name for each in folder.glob("amedas_*.csv")}
        if yaml.safe_load(path.read_text()) != samples or written != set(names):
            raise InputError(f"{path}: expected {most} hours on {domain}, got another archive: name another folder")
    else:
        for number, name in zip(chosen, names, strict=True):
            write_csv(folder / name, hours.table(np.array([number])))
        write_text(path, yaml.safe_dump(samples, sort_keys=False))
    return {str(path): tuple(times)}


def main() -> None:
    """Write the archive and print what makes a store of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--hours", type=int, default=36)
    parser.add_argument("--domain", default="east_asia_20km")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for path in write_archive(options.output, options.hours, options.domain):
        print(f"mlrtma samples {path} --output STORE.h5")


if __name__ == "__main__":
    main()
