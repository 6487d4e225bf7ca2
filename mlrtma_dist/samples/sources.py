"""Sources: from the section ``cases:`` of a configuration to a source of cases. Every verb takes the same section."""

from dataclasses import dataclass, fields
from pathlib import Path

from mlrtma_dist import config
from mlrtma_dist.grid.domain import Domain, load_domain
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.samples.archive import Archive, Inventory
from mlrtma_dist.samples.archive_cases import ArchiveCases, require_cases
from mlrtma_dist.samples.crops import Boxes, Crops
from mlrtma_dist.samples.judgement import Assumptions
from mlrtma_dist.samples.station_hours import Reports, StationHours, load_region
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather
from mlrtma_dist.simulation.worlds import WORLDS


@dataclass(frozen=True)
class StoreSection:
    """A store of cases.

    Attributes:
        file: the store; make: configuration of ``mlrtma samples`` that makes it where it is missing.
    """

    file: str
    make: str | None = None


@dataclass(frozen=True)
class CasesSection:
    """The section ``cases:``; exactly one source.

    Attributes:
        domain: name or YAML file; null: the store's own, or the plane of the exercises.
        reports: files of station reports of one or several times.
        archive: files of past hours by patterns of their names.
        store: cases at rest.
        gaussian_plane, shallow_plane, simulated_weather: a simulated world.
        count: cases of a simulated world; first: number of the first one; other numbers are other cases of it.
        boxes: every case is a box of the domain; null: the domain is whole.
    """

    domain: str | None = None
    reports: Reports | None = None
    archive: Archive | None = None
    store: StoreSection | None = None
    gaussian_plane: GaussianPlane | None = None
    shallow_plane: ShallowPlane | None = None
    simulated_weather: SimulatedWeather | None = None
    count: int = 1024
    first: int = 0
    boxes: Boxes | None = None

    def __post_init__(self):
        named = [name for name in SOURCES if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} exclude each other: expected one source of cases")
        if self.domain is None and (self.reports or self.archive or self.simulated_weather) is not None:
            raise ValueError("domain: expected a name or a YAML file (--domain), got none")
        if self.count < 1 or self.first < 0:
            raise ValueError(f"expected count >= 1 and first >= 0, got {self.count} and {self.first}")

    @property
    def world(self) -> GaussianPlane | ShallowPlane | SimulatedWeather | None:
        """The simulated world, if that is the source."""
        return next((getattr(self, name) for name in WORLDS if getattr(self, name) is not None), None)

    def load_domain(self) -> Domain:
        """The domain of the cases.

        Raises:
            ConfigError: none is named, there is no such domain, or stations would have to lie on a plane.
        """
        if self.store is not None and self.domain is None:
            return Store(self.store.file).domain
        real = self.reports is not None or self.archive is not None
        return load_region(self.domain) if real else load_domain(self.domain or "plane")


SOURCES = tuple(each.name for each in fields(CasesSection) if each.name not in ("domain", "count", "first", "boxes"))


def open_cases(section: CasesSection, assumptions: Assumptions | None = None, files: Inventory | None = None) -> Cases:
    """The source that a section names.

    Args:
        section: of a configuration; a store that is missing must have been made before.
        assumptions: variable -> standard deviations assumed by quality control, for sources of reports.
        files: of an archive, the cases to open with their files; None: all.

    Raises:
        ConfigError: no source, an archive without a complete time, or a domain with other points than the store's.
    """
    cases = _open(section, assumptions or {}, files)
    if isinstance(cases, ArchiveCases):
        require_cases(cases)
    return Crops(cases, section.boxes) if section.boxes is not None else cases


def _open(section: CasesSection, assumptions: Assumptions, files: Inventory | None) -> Cases:
    if section.reports is not None:
        return StationHours.on(section.domain, section.reports, assumptions)
    if section.archive is not None:
        return ArchiveCases.on(section.domain, section.archive, assumptions, files)
    if section.store is not None:
        return _open_store(section)
    if section.world is None:
        raise config.ConfigError(
            f"cases: expected one source of {', '.join(SOURCES)}, e.g. --observations FILE ..., got none"
        )
    return section.world.on(section.load_domain(), section.first, section.count)


def _open_store(section: CasesSection) -> Store:
    store = Store(Path(section.store.file))
    if section.domain is not None and (domain := load_domain(section.domain)).shape != store.layout.shape:
        raise config.ConfigError(
            f"domain: {domain.name} has {domain.shape} points, the cases of {store.reader.path} {store.layout.shape}:"
            " name the domain they were made on with --set cases.domain=FILE.yaml"
        )
    return store
