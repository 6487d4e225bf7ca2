"""The demonstration's real hour: 3D-Var and the vision transformer with the weights that come with it, side by side."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from PIL import Image

from jobs import analyse, verify
from mlrtma_dist.io.atomic import written_atomically
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.verification.results import Results
from mlrtma_dist.verification.scores import Score
from mlrtma_dist.weights.release import released

FILE = "prepbufr/rap.20220824.t06z.adpsfc.prepbufr"
ANALYSED = ("t2m", "d2m", "u10", "v10", "wind_speed")  # the map of the wind shows its speed
CLASSICAL, TRAINED, MEMBERS = "threedvar", "vit", "diffusion"
DRAWN, COARSE = ("t2m", "d2m", "u10", "v10"), "conus_20km"  # of the members


def real_hour(output: Path, file: Path) -> list[str]:
    """Analyse and verify the hour of a file, and write to a folder; what there is to say of it, line by line."""
    folder, methods = output / "conus", (CLASSICAL, *trained_methods())
    cases = CasesSection("conus", Reports((str(file),)))
    products = []
    for method in methods:
        analysis = analyse.Run(cases, str(folder / method), method=method, variables=ANALYSED)
        products += analyse.make(analysis)[1]
    results = verified(verify.Run(cases, str(folder / "verification"), variables=("t2m",), method=methods))
    lines = [
        "",
        "A real hour: CONUS, 2022-08-24 06 UTC, no background (the first guess is a regression on the reports)",
    ]
    for method, product in zip(methods, products, strict=True):
        lines += [f"  by --method {method}", *paths(product), sentence(results.stations, method)]
    if len(products) > 1:
        beside = folder / "conus_t2m_by_both.png"
        _put_below([_picture(product) for product in products], beside)
        lines.append(f"  both maps {beside}")
    lines.append(f"  report    {folder / 'verification' / 'report.html'}")
    return [*lines, *_members(folder, cases)] if trained_methods(MEMBERS) else lines


def _members(folder: Path, cases: CasesSection) -> list[str]:
    """Members about the analysis by 3D-Var on a coarser grid, and what there is to say of them."""
    cases = replace(cases, domain=(COARSE,))
    (product,) = analyse.make(analyse.Run(cases, str(folder / MEMBERS), method=MEMBERS, variables=DRAWN))[1]
    return [
        f"  {Sampling().members} members about 3D-Var on a grid of 20 km, by --method {MEMBERS}",
        *paths(product),
        f"  spread    {_picture(product, 'error')}",
    ]


def trained_methods(name: str = TRAINED) -> tuple[str, ...]:
    """A trained method, where its weights and torch are there."""
    return (name,) if released(name) and importlib.util.find_spec("torch") else ()


def paths(product: Path) -> list[str]:
    """The lines that name a product and its map of temperature."""
    return [f"  analysis  {product}", f"  map       {_picture(product)}"]


def _picture(product: Path, kind: str = "analysis") -> Path:
    return product.parent / "maps" / f"{product.stem}_t2m_{kind}.png"


def _put_below(pictures: list[Path], path: Path) -> None:
    """One picture of several of one width, one below the other."""
    images = [Image.open(picture).convert("RGB") for picture in pictures]
    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    with written_atomically(path) as file:
        whole.save(file, format="PNG")


def verified(run: verify.Run) -> Results:
    """The results of a verification by this process alone."""
    results = verify.make(run)
    assert results is not None, "a process alone is rank 0, which has the results"
    return results


def sentence(scores: list[Score], method: str) -> str:
    """Background and analysis error of temperature at withheld stations, in one line."""
    rows = {s.method: s for s in scores if s.variable == "t2m" and s.region == "all"}
    before, after = rows["first_guess"], rows[method]
    return (
        f"  2 m temperature at {after.n} withheld stations: first guess rmse {before.rmse:.2f} K, "
        f"analysis rmse {after.rmse:.2f} K ({after.lower:.2f} to {after.upper:.2f})"
    )
