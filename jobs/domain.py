"""Make terrain and land of a domain from any elevation file, and a domain file that names them.

    mlrtma domain --domain wasatch.yaml --elevation ETOPO_2022_v1_60s_N90W180_surface.nc --output output/wasatch
    mlrtma domain --domain wasatch.yaml --elevation tiles/*.tif --output output/wasatch        # GeoTIFF, HGT
    mlrtma analyse --domain output/wasatch/wasatch.yaml --observations FILE --output output

Elevations are averaged in each cell of the domain, or interpolated where the file is the coarser one; files may be
tiles. netCDF and GRIB are read without more, other rasters by rasterio: pip install 'mlrtma[terrain]'. Land comes from
the shores of GSHHG, or from --land. Writes <name>.nc and <name>.yaml into the output folder; terrain and land that the
domain file named before are not needed. docs/domains.md names where to get elevations.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from jobs.command_line import parse
from jobs.provenance import origin
from mlrtma_dist import config
from mlrtma_dist.fields.ground_files import make_ground
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.inference.ground_file import write_ground
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.io.elevation import open_elevation


@dataclass(frozen=True)
class Run:
    """One domain.

    Attributes:
        domain: name or YAML file; its terrain and land are not read.
        elevation: files of height above mean sea level, m; each may be a tile.
        land: files of the share of land, 0 to 1; empty: the shores of GSHHG.
        output: folder to write to.
    """

    domain: str
    elevation: tuple[str, ...]
    output: str
    land: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.elevation:
            raise ValueError("elevation: expected at least one file (--elevation FILE ...), got none")

    def load_domain(self) -> Domain:
        """The domain without terrain and land: their files need not be there.

        Raises:
            ConfigError: no such domain, or a plane, which has no terrain.
        """
        path = config.find("domains", self.domain)
        data = config.load_yaml(path) | {"terrain": None, "land": None}
        domain = config.build(Domain, data, str(path))
        if domain.is_plane:
            raise config.ConfigError(f"domain: {domain.name} is a plane, which has no terrain")
        return domain


def main(arguments: list[str]) -> None:
    """Run the verb."""
    run = parse(Run, "domain", __doc__, arguments)
    if run is not None:
        print(*make(run), sep="\n")


def make(run: Run) -> tuple[Path, Path]:
    """Make and write; returns the file of terrain and land and the domain's file."""
    domain, folder = run.load_domain(), Path(run.output)
    elevation = [open_elevation(path, "terrain") for path in run.elevation]
    ground = make_ground(domain, elevation, [open_elevation(path, "land") for path in run.land])
    data, text = folder / f"{domain.name}.nc", folder / f"{domain.name}.yaml"
    write_ground(data, domain, ground, origin(config.to_yaml(run)))
    own = [part for part in domain.note.split("; ") if part and not part.startswith(("terrain", "land"))]
    note = "; ".join([*own, ground.note])
    where = str(data.resolve())
    write_text(text, config.to_yaml(replace(domain, terrain=where, land=where, note=note)))
    return data, text
