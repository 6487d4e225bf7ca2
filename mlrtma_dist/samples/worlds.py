"""Worlds: where simulated cases come from, and the one dictionary that knows them by name."""

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.samples.gaussian_plane import GaussianPlane
from mlrtma_dist.samples.shallow_plane import ShallowPlane
from mlrtma_dist.samples.store import Layout, Store
from mlrtma_dist.samples.twins import TwinCases, Twins

WORLDS = {"gaussian_plane": GaussianPlane, "shallow_plane": ShallowPlane, "twins": Twins}
World = GaussianPlane | ShallowPlane | Twins


def layout_on(world: World, domain: Domain, edge: int) -> Layout:
    """How a store keeps the cases of a world on a domain, in chunks of ``edge`` points."""
    return world.layout(domain if isinstance(world, Twins) else domain.name, edge)


def cases_on(world: World, domain: Domain) -> GaussianPlane | ShallowPlane | TwinCases:
    """What makes the cases of a world on a domain (`make`, see `build.build_store`).

    Raises:
        ConfigError: a plane's world on another domain.
        InputError: twins on a plane, or without their terrain or stations.
    """
    if isinstance(world, Twins):
        return world.on(domain)
    if domain.shape != world.shape or not domain.periodic:
        raise config.ConfigError(
            f"domain: expected a periodic plane of {world.shape} points, as of the cases' world, got {domain.name} of"
            f" {domain.shape}"
        )
    return world


def world_of(store: Store, name: str):
    """The world that the cases of a store come from, as the store itself says (its attribute ``made_by``).

    Args:
        store: of cases; name: of the world that is expected, of ``WORLDS``.

    Raises:
        InputError: they come from another world.
    """
    path, said = store.reader.path, store.reader.attributes.get("made_by")
    made_by = config.parse_yaml(said, f"{path}: made_by") if isinstance(said, str) else {}
    if not made_by.get(name):
        known = [each for each in WORLDS if made_by.get(each)]
        raise InputError(
            f"{path}: expected cases of {name}, whose laws the method knows; the store is made by"
            f" {', '.join(known) or 'nobody who signed it'}. Choose a method for that world, or another store."
        )
    return config.build(WORLDS[name], made_by[name], f"{path}: made_by: {name}")
