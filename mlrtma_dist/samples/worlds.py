"""Worlds: where simulated cases come from, and the one dictionary that knows them by name."""

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.samples.gaussian_plane import GaussianPlane
from mlrtma_dist.samples.shallow_plane import ShallowPlane
from mlrtma_dist.samples.store import Store

WORLDS = {"gaussian_plane": GaussianPlane, "shallow_plane": ShallowPlane}


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
