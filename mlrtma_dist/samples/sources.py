"""Sources: from the section ``cases:`` of a configuration to a source of cases. Every verb takes the same section."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mlrtma_dist import config
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import Domain, load_domain
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import Means, build, check_methods
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.samples.analysed import Analysed, Analysis
from mlrtma_dist.samples.archive import Archive, Inventory
from mlrtma_dist.samples.archive_cases import ArchiveCases, require_cases
from mlrtma_dist.samples.crops import Boxes, Crops
from mlrtma_dist.samples.gridded_cases import GriddedCases, Labelled
from mlrtma_dist.samples.gridded_reports import GriddedReports
from mlrtma_dist.samples.imaged import Imaged, ImageFiles
from mlrtma_dist.samples.judgement import Assumptions
from mlrtma_dist.samples.members import Members
from mlrtma_dist.samples.states import States
from mlrtma_dist.samples.station_hours import Reports, StationHours, load_region
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather
from mlrtma_dist.simulation.uncertain_plane import UncertainPlane
from mlrtma_dist.simulation.worlds import WORLDS, World


@dataclass(frozen=True)
class StoreSection:
    """A store of cases.

    Attributes:
        file: the store, an HDF5 file.
        make: configuration of ``mlrtma samples`` that makes it where it is missing.
    """

    file: str
    make: str | None = None


@dataclass(frozen=True)
class CasesSection:
    """The section ``cases:``; exactly one source.

    Attributes:
        domain: name or YAML file; of hours of reports several for `analyse` and `verify`, which take one after the
            other; empty: the store's own, or the plane of the exercises.
        reports: files of station reports of one or several times.
        archive: files of past hours by patterns of their names.
        members: files of an ensemble, of which each member in turn is the truth and the mean of the others the
            background.
        states: gridded files of times that follow each other, each of which is a truth: what a forecast is learnt from.
        store: cases at rest.
        gaussian_plane: a simulated world: Gaussian fields on a periodic plane, Exercise 1.
        uncertain_plane: a simulated world: backgrounds on a periodic plane whose errors are not Gaussian.
        shallow_plane: a simulated world: shallow water on a periodic plane or a part of it, Exercise 2; consecutive
            states of runs, too.
        simulated_weather: a simulated world: weather on any domain of the earth.
        count: number of cases of a simulated world.
        first: number of the first case of a simulated world; other numbers are other cases of it.
        analysis: the background of every case of simulated weather is an analysis of its reports, with its error; null:
            it is the source's own.
        boxes: every case is a box of the domain; null: the domain is whole, which methods that forecast need.
        imagery: gridded files of images beside cases of reports or of an archive; null: the source's own, if any.
        gridded: gridded files whose points are reports: alone a source of cases, beside reports or an archive targets
            of training alone; null: none.
    """

    domain: tuple[str, ...] | str = ()
    reports: Reports | None = None
    archive: Archive | None = None
    members: Members | None = None
    states: States | None = None
    store: StoreSection | None = None
    gaussian_plane: GaussianPlane | None = None
    uncertain_plane: UncertainPlane | None = None
    shallow_plane: ShallowPlane | None = None
    simulated_weather: SimulatedWeather | None = None
    count: int = 1024
    first: int = 0
    analysis: Analysis | None = None
    boxes: Boxes | None = None
    imagery: ImageFiles | None = None
    gridded: GriddedReports | None = None

    def __post_init__(self):
        if isinstance(self.domain, str):
            object.__setattr__(self, "domain", (self.domain,))
        named = [name for name in SOURCES if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} exclude each other: expected one source of cases")
        on_earth = self.reports, self.archive, self.members, self.states, self.simulated_weather, self.gridded
        if not self.domain and any(each is not None for each in on_earth):
            raise ValueError("domain: expected a name or a YAML file (--domain), got none")
        if len(self.domain) > 1 and not self.is_real:
            raise ValueError(f"domain: expected one for this source of cases, got {', '.join(self.domain)}")
        if self.analysis is not None and self.simulated_weather is None:
            raise ValueError("analysis: expected null for cases of other sources than simulated_weather")
        if self.imagery is not None and not self.is_real:
            raise ValueError("imagery: expected null for cases of other sources than reports and archive")
        if self.gridded is not None and named and not self.is_real:
            raise ValueError(f"gridded: expected null, or beside it no source but reports or archive, got {named[0]}")
        if self.boxes is not None and self.states is not None:
            raise ValueError("boxes: expected null for states, as the box of each time would lie in another place")
        if self.count < 1 or self.first < 0:
            raise ValueError(f"expected count >= 1 and first >= 0, got {self.count} and {self.first}")

    @property
    def world(self) -> World | None:
        """The simulated world, if that is the source."""
        return next((getattr(self, name) for name in WORLDS if getattr(self, name) is not None), None)

    @property
    def is_real(self) -> bool:
        """Whether the cases are hours of files of station reports."""
        return self.reports is not None or self.archive is not None

    @property
    def place(self) -> str | None:
        """Name or YAML file of the one domain of the cases; None: none is named.

        Raises:
            ConfigError: several are named.
        """
        if len(self.domain) > 1:
            raise config.ConfigError(f"domain: expected one, got {', '.join(self.domain)}; run it for each of them")
        return self.domain[0] if self.domain else None

    def refuse(self, sections: Sequence[str], work: str) -> None:
        """Raise ValueError where the cases have one of these sections of `BESIDE`, of which the ``work`` has no use."""
        for name in sections:
            if getattr(self, name) is not None:
                part = f"{BESIDE[name]} have no part in {work}"
                raise ValueError(f"cases.{name}: expected null, as {part}; got a section. Leave it out.")

    def listed(self, from_first: Callable[[Callable[[], object]], object]) -> "CasesSection":
        """The section with the gridded files that rank 0 has looked for: what each rank sees may differ. Collective.

        Args:
            from_first: gives every rank what rank 0 makes, `parallel.ranks.Ranks.from_first`.
        """
        if self.gridded is None:
            return self
        gridded = self.gridded
        return replace(self, gridded=gridded.listed(from_first(lambda: gridded.files_at)))

    def on_each_domain(self) -> "list[CasesSection]":
        """The section once for each of its domains, with that domain alone.

        Raises:
            ConfigError: one of several does not exist, or two have one name, by which their files are named.
        """
        if len(self.domain) < 2:
            return [self]
        names = [load_region(domain).name for domain in self.domain]
        if len(set(names)) < len(names):
            raise config.ConfigError(f"domain: expected domains of different names, got {', '.join(names)}")
        return [replace(self, domain=(domain,)) for domain in self.domain]

    def load_domain(self) -> Domain:
        """The domain of the cases.

        Raises:
            ConfigError: none or several are named, there is no such domain, or stations would have to lie on a plane.
        """
        if self.store is not None and self.place is None:
            return Store(self.store.file).domain
        on_files = self.is_real or self.members or self.states or self.gridded
        return load_region(self.place) if on_files else load_domain(self.place or "plane")


BESIDE = {"imagery": "images", "gridded": "labels"}  # what the sections beside a source of reports bring
OTHERS = ("domain", "count", "first", "analysis", "boxes", "imagery", "gridded")
SOURCES = tuple(each.name for each in fields(CasesSection) if each.name not in OTHERS)


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
    if section.is_real and section.gridded is not None:
        cases = Labelled(cases, section.gridded)
    cases = Imaged.over(cases, section.imagery)
    return Crops(cases, section.boxes) if section.boxes is not None else cases


def _open(section: CasesSection, assumptions: Assumptions, files: Inventory | None) -> Cases:
    if section.reports is not None:
        return StationHours.on(section.place, section.reports, assumptions)
    if section.archive is not None:
        return ArchiveCases.on(section.place, section.archive, assumptions, files)
    if section.members is not None:
        return section.members.on(section.load_domain())
    if section.states is not None:
        return section.states.on(section.load_domain())
    if section.store is not None:
        return _open_store(section)
    if section.gridded is not None:
        return GriddedCases(load_static(section.load_domain()), section.gridded, assumptions)
    if section.world is None:
        raise config.ConfigError(
            f"cases: expected one source of {', '.join(SOURCES)}, gridded, e.g. --observations FILE ..., got none"
        )
    cases = section.world.on(section.load_domain(), section.first, section.count)
    return cases if section.analysis is None else _analysed(cases, section.analysis)


def _analysed(cases: Cases, section: Analysis) -> Analysed:
    settings = load_settings("classical", cases.contents.variables)
    check_methods([section.method], (Need.FIRST_GUESS, Need.SETTINGS))
    method = build([section.method], Means(settings))[section.method]
    return Analysed(cases, section, method)


def _open_store(section: CasesSection) -> Store:
    store = Store(Path(section.store.file))
    if section.place is not None and (domain := load_domain(section.place)).shape != store.layout.shape:
        raise config.ConfigError(
            f"domain: {domain.name} has {domain.shape} points, the cases of {store.reader.path} {store.layout.shape}:"
            " name the domain they were made on with --set cases.domain=FILE.yaml"
        )
    return store
