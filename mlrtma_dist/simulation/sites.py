"""Sites: where simulated stations stand -- at random on a domain, or where those of a real file or list do."""

from dataclasses import dataclass, fields

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.linalg.noise import uniform
from mlrtma_dist.linalg.octaves import CHANNELS
from mlrtma_dist.observations.stations import StationList
from mlrtma_dist.observations.table import Observations

LOTS = 60 * CHANNELS  # of the noise
AIRPORTS = 0.3  # share of random stations on land that are airports; the others are a mesonet
KINDS = {"airport": "AP", "mesonet": "MS", "ship": "SH"}  # and how random ones are named
# Networks of files by kind: PrepBUFR report types (mass and wind reports of ships, of surface stations), words.
SHIPS = {"180", "183", "280", "282", "ship", "buoy"}
AIRPORT_NETWORKS = {"181", "187", "281", "287", "metar", "sao", "airport", "asos", "synop"}
# Grid coordinates are multiples of this: their differences from a tile's edge are then exact.
FINE = 1024.0


@dataclass(frozen=True)
class Sites:
    """Places of stations, each attribute of shape (n,).

    Attributes:
        station: names; kind: of ``KINDS``; network: as the source calls it.
        latitude, longitude: degrees; elevation: m.
        row, column: fractional indices on the domain.
    """

    station: np.ndarray
    kind: np.ndarray
    network: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    elevation: np.ndarray
    row: np.ndarray
    column: np.ndarray

    def __len__(self) -> int:
        return len(self.station)

    def __getitem__(self, rows) -> "Sites":
        """Select stations by a mask, slice or index array."""
        return Sites(*(getattr(self, f.name)[rows] for f in fields(self)))


def random_sites(static: Static, count: int, seed: int, ships: int = 0) -> Sites:
    """Stations at random points of the land, at the terrain's height, and ships on the water.

    Raises:
        InputError: there is no land, or no water for the ships.
    """
    parts = [_random(static, static.land > 0.5, count, seed, 0), _random(static, static.land <= 0.5, ships, seed, 1)]
    place = np.concatenate([part[0] for part in parts])
    kind = np.concatenate([np.where(parts[0][1] < AIRPORTS, "airport", "mesonet"), np.full(ships, "ship")])
    station = np.array([f"{KINDS[k]}{i:04d}" for i, k in enumerate(kind)], dtype=str)
    latitude, longitude = static.domain.position(*place.T)
    elevation = bilinear(static.terrain, *place.T).astype(np.float64)
    return Sites(station, kind, kind, latitude, longitude, elevation, *place.T)


def _random(static: Static, where: np.ndarray, count: int, seed: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (count, 2) about points of a mask, and a lot in (0, 1) each."""
    if not count:
        return np.zeros((0, 2)), np.zeros(0)
    points = np.flatnonzero(where)
    if not len(points):
        ground = "water for ships" if step else "land for stations"
        raise InputError(f"domain {static.domain.name}: expected {ground}, found no point. Name stations of a file.")
    lots = uniform(seed, np.arange(count)[:, None], np.arange(4)[None, :], channel=LOTS, step=step)
    chosen = points[(lots[:, 0] * len(points)).astype(np.int64)]
    place = np.stack(np.divmod(chosen, where.shape[1]), 1) + lots[:, 1:3] - 0.5
    return np.round(np.clip(place, 0, np.array(where.shape) - 1.0) * FINE) / FINE, lots[:, 3]


def observed_sites(static: Static, observations: Observations) -> Sites:
    """Where the stations of a table stand, each once, with its network; those outside the domain are left out."""
    _, first = np.unique(observations.station, return_index=True)
    table = observations[first]
    kind = np.array([kind_of(network) for network in table.network], dtype=str)
    return _placed(static, table.station, kind, table.network, table.latitude, table.longitude, table.elevation)


def listed_sites(static: Static, stations: StationList, kind: str) -> Sites:
    """Where the stations of a list stand, all of one kind of ``KINDS``; those outside the domain are left out."""
    names = np.array(sorted(stations.places), dtype=str)
    kinds = np.full(len(names), kind)
    return _placed(static, names, kinds, kinds, *stations.find(names))


def joined(parts: list[Sites]) -> Sites:
    """Several groups of stations; of those of one name the first stays."""
    whole = Sites(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Sites)))
    _, first = np.unique(whole.station, return_index=True)
    return whole[np.sort(first)]


def kind_of(network: str) -> str:
    """The kind of station that a file's network is: airports for METAR, SAO and surface types, else mesonet or ship."""
    word = str(network).lower()
    return "ship" if word in SHIPS else "airport" if word in AIRPORT_NETWORKS else "mesonet"


def _placed(static: Static, station, kind, network, latitude, longitude, elevation) -> Sites:
    domain = static.domain
    inside = np.isfinite(latitude) & np.isfinite(longitude)
    inside[inside] = domain.contains(latitude[inside], longitude[inside])
    if not inside.any():
        raise InputError(f"domain {domain.name}: none of the {len(station)} stations named lies on it")
    row, column = domain.index(latitude[inside], longitude[inside])
    place = np.round(np.stack([row, column], 1) * FINE) / FINE
    place = np.clip(place, 0.0, np.array(domain.shape) - 1.0)
    height = np.asarray(elevation, dtype=np.float64)[inside]
    height = np.where(np.isfinite(height), height, bilinear(static.terrain, *place.T))
    return Sites(station[inside], kind[inside], network[inside], latitude[inside], longitude[inside], height, *place.T)
