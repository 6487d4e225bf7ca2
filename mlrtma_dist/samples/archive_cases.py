"""Archive cases: the hours of an archive as a source of cases, with labels where the archive has them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.fields.gridded import GriddedFirstGuess, load_gridded
from mlrtma_dist.fields.labels import label_fields, load_label
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.classical import BLOCK
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Assumption, load_settings
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.withhold import withhold
from mlrtma_dist.samples.archive import Archive, Inventory, inventory
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.near_tables import NearTables
from mlrtma_dist.samples.station_hours import DAY, load_region

TABLES = 4  # files of reports that are kept in memory: consecutive times share files of several hours


@dataclass(frozen=True)
class ArchiveCases:
    """Times of an archive as a source of cases (`methods.case.Cases`).

    Attributes:
        static: domain and terrain.
        archive: where the files are.
        assumptions: what quality control and the regression assume of each variable; their names are analysed.
        inventory: the cases and their files.
        twins_tell: whether other names of a withheld station take part (`judgement.Judge`).
        tables: files read for several domains; then cases have only the reports near the domain and within the window:
            the analyses are the same, sooner, but the product counts no others. None: each file is read here.
        forecast: the network of labels by 4D-Var (`methods.means.Means`); None: there is none.
    """

    static: Static
    archive: Archive
    assumptions: Mapping[str, Assumption]
    inventory: Inventory
    twins_tell: bool = False
    tables: NearTables | None = None
    forecast: Any = None
    is_judged = True

    @classmethod
    def on(
        cls, domain: str, archive: Archive, assumptions: Mapping[str, Assumption], files: Inventory | None = None
    ) -> "ArchiveCases":
        """The cases of an archive on a domain by name or YAML file.

        Args:
            files: the cases and their files; None: all that the archive has.
        """
        return cls(load_static(load_region(domain)), archive, assumptions, files or inventory(archive))

    @cached_property
    def time(self) -> np.ndarray:
        """Analysis times, datetime64[s], shape (case,)."""
        return self.inventory.times

    @property
    def contents(self) -> Contents:
        """What every case holds; the first guess of a time without a background is a regression."""
        names = tuple(self.assumptions)
        units = tuple(VARIABLES[name].unit for name in names)
        labels = self.archive.labels
        return Contents(self.static.domain, names, units, names, True, truth=labels is not None and labels.are_fields)

    @cached_property
    def _judge(self) -> Judge:
        reading = self.archive.reading
        return Judge(
            self.assumptions,
            reading.window,
            reading.read_lists(),
            self.twins_tell,
            window_only=self.tables is not None,
            in_time=reading.in_time,
        )

    def reports(self, number: int) -> Observations:
        """The reports of a case as they were read, n rows, at most a day before and after its time."""
        if self._reports and self._reports[0][0] == number:
            return self._reports[0][1]
        inputs = self.inventory.cases[number]
        table = Observations.concatenate([self._table(file, inputs.time) for file in inputs.reports])
        distance = np.abs((table.time - inputs.time).astype("timedelta64[s]"))
        table = table[distance <= max(self.archive.reading.window, DAY)]
        self._reports[:] = [(number, table)]
        return table

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """The case of a time; see `methods.case.Cases.case`. The archive's own withheld stations take no part.

        Raises:
            InputError: a file that cannot be used; leave its time out, or take the file away.
        """
        reports, archive = self.reports(number), self.archive
        own = np.zeros(len(reports), dtype=bool)
        if archive.withheld_share:
            own = withhold(reports, fraction=archive.withheld_share, seed=archive.withheld_seed)
        case = self._judged(number, own if withheld is None else own | withheld)
        labels = archive.labels
        truth = None
        if labels and labels.method:
            truth = self._analysed(self._judged(number, np.zeros_like(own)), box)
        case = replace(case, box=box)
        if labels and labels.gridded:
            truth = label_fields(self._label(number), self.contents.variables, case.grid_points(), box.shape)
        return replace(case, truth=truth)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """A case with its first guess as fields on the box, and the reports of its window: what a store keeps."""
        case = self.case(number, box)
        near = (case.observations.flags & Flag.TIME) == 0  # the others served the checks of a station's own series
        rows = {name: getattr(case, name)[near] for name in ("observations", "used", "withheld")}
        case = replace(case, **rows)
        return replace(case, background={name: case.background_of(name) for name in self.contents.variables})

    def _judged(self, number: int, withheld: np.ndarray) -> Case:
        """The case of a time on the whole domain, without a label; the last two are kept."""
        key = number, withheld.tobytes()
        if key not in self._cases:
            time, whole = self.inventory.cases[number].time, Box.whole(self.static.domain.shape)
            gridded = self._background(number)
            case = self._judge.case(self.static, time, self.reports(number), gridded, whole, withheld=withheld)
            _keep(self._cases, key, case, 2)
        return self._cases[key]

    def _analysed(self, case: Case, box: Box) -> dict[str, np.ndarray]:
        """The label of a method on a box: variable -> (y, x), SI, float32.

        It is evaluated on the blocks of the method's grid that the box touches, so that it does not depend on the box.
        """
        rows, columns = self.static.domain.shape
        around = Box(
            box.y0 // BLOCK * BLOCK,
            min(-(-box.y1 // BLOCK) * BLOCK, rows),
            box.x0 // BLOCK * BLOCK,
            min(-(-box.x1 // BLOCK) * BLOCK, columns),
        )
        answer = self._method.analyse(replace(case, box=around))
        values = getattr(answer, "values", None) or answer.fields().values  # without the error, where that is possible
        cut = slice(box.y0 - around.y0, box.y1 - around.y0), slice(box.x0 - around.x0, box.x1 - around.x0)
        return {name: values[name][cut] for name in self.contents.variables}

    @cached_property
    def _method(self) -> Method:
        labels = self.archive.labels
        settings = load_settings(labels.settings, tuple(self.assumptions))
        fourdvar = replace(labels.fourdvar, error_members=0)  # a label has no error
        return build((labels.method,), Means(settings, fourdvar=fourdvar, forecast=self.forecast))[labels.method]

    def _background(self, number: int) -> GriddedFirstGuess | None:
        inputs = self.inventory.cases[number]
        if not inputs.background:
            return None
        return load_gridded(list(inputs.background), self.static, inputs.time, parse_codes(self.archive.codes))

    def _label(self, number: int) -> GriddedFirstGuess:
        if number not in self._labels:
            inputs, codes = self.inventory.cases[number], parse_codes(self.archive.labels.codes)
            label = load_label(inputs.label, self.static, inputs.time, self.contents.variables, codes)
            _keep(self._labels, number, label, 1)
        return self._labels[number]

    def _table(self, file: str, time: np.datetime64) -> Observations:
        """The reports of a file; the last few files are kept."""
        if self.tables is not None:
            return self.tables.read(file, time, self.static.domain)
        if file not in self._kept_tables:
            _keep(self._kept_tables, file, self.archive.reading.read_file(file, time), TABLES)
        return self._kept_tables[file]

    @cached_property
    def _kept_tables(self) -> dict[str, Observations]:
        return {}

    @cached_property
    def _cases(self) -> dict[tuple[int, bytes], Case]:
        return {}

    @cached_property
    def _labels(self) -> dict[int, GriddedFirstGuess]:
        return {}

    @cached_property
    def _reports(self) -> list[tuple[int, Observations]]:
        """Number and reports of the case that was read last."""
        return []


def _keep(kept: dict, key, value, count: int) -> None:
    """Put a value into a dictionary of at most ``count``, from which the oldest goes first."""
    while len(kept) >= count:
        kept.pop(next(iter(kept)))
    kept[key] = value


def require_cases(cases: ArchiveCases) -> None:
    """Raise ConfigError where no time of an archive has its files; names the first that are missing."""
    if len(cases.time):
        return
    archive, missing = cases.archive, cases.inventory.missing
    first = " ".join(missing[0].files[:3]) if missing else "none named by its patterns"
    raise config.ConfigError(
        f"archive: expected files of at least one time from {archive.start} to {archive.end} in"
        f" {archive.folder or 'the working folder'}, got none; missing are {first} ... Check folder and patterns."
    )
