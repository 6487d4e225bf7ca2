"""Worlds: where simulated cases come from, and the one dictionary that knows them by name."""

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.samples.store import Layout, Store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, SimulatedWeatherCases

WORLDS = {"gaussian_plane": GaussianPlane, "shallow_plane": ShallowPlane, "simulated_weather": SimulatedWeather}
World = GaussianPlane | ShallowPlane | SimulatedWeather


def layout_on(world: World, domain: Domain, edge: int) -> Layout:
    """How a store keeps the cases of a world on a domain, in chunks of ``edge`` points."""
    return world.layout(domain if isinstance(world, SimulatedWeather) else domain.name, edge)


def cases_on(world: World, domain: Domain) -> GaussianPlane | ShallowPlane | SimulatedWeatherCases:
    """What makes the cases of a world on a domain (`make`, see `build.build_store`).

    Raises:
        ConfigError: a plane's world on another domain.
        InputError: simulated_weather on a plane, or without their terrain or stations.
    """
    if isinstance(world, SimulatedWeather):
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
