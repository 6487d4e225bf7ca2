"""Worlds: where simulated cases come from, and the one dictionary that names them."""

from mlrtma_dist import config
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather
from mlrtma_dist.simulation.uncertain_plane import UncertainPlane

WORLDS = {
    "gaussian_plane": GaussianPlane,
    "uncertain_plane": UncertainPlane,
    "shallow_plane": ShallowPlane,
    "simulated_weather": SimulatedWeather,
}
FORMER = {"twins": "simulated_weather"}  # names in stores of older formats
World = GaussianPlane | UncertainPlane | ShallowPlane | SimulatedWeather


def world_from(text: object, where: str) -> World | None:
    """The world that a store records as its origin (attribute ``made_by``); None: none is recorded.

    Args:
        text: YAML of the configuration that made the store; where: for errors.
    """
    if not isinstance(text, str):
        return None
    recorded = config.parse_yaml(text, where)
    cases = recorded.get("cases")
    sections = {**recorded, **(cases if isinstance(cases, dict) else {})}
    if sections.get("boxes"):
        return None  # the statistics of a periodic plane are not those of its boxes
    for name, settings in sections.items():
        name = FORMER.get(name, name)
        if name in WORLDS and settings:
            return config.build(WORLDS[name], settings, f"{where}: {name}")
    return None
