"""The hours of real reports by which methods are judged, and the hours from which past increments come.

No parameter was estimated on a verifying hour: those of configs/methods/classical.yaml come from the surface airways
reports of 1995-03-18 06Z and 18Z and from METAR of 2019-12-15 and 2020-01-06, and 00Z and 12Z of that day in 1995
decided on the buddy check (DECISIONS.md). The hours of 1995 judged here lie between those.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.config import data_root
from mlrtma_dist.fields.ensemble import Ensemble
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.parts import Analyst, Part
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.settings import Classical, assumptions
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.station_hours import Reports

WINDOW = np.timedelta64(1800, "s")
STATIONS = ("stations/metar.dat", "stations/metarak.dat")  # METAR text names no positions


@dataclass(frozen=True)
class Hour:
    """One hour of reports.

    Attributes:
        file: of the test data; time: of the analysis.
        mapping: of a CSV file, in configs/observations.
    """

    file: str
    time: str
    mapping: str | None = None

    @property
    def moment(self) -> np.datetime64:
        """The analysis time."""
        return clock.parse_time(self.time)

    def read(self) -> Observations:
        """The reports, of all variables: whatever is analysed, they are judged by all that was measured."""
        stations = tuple(str(data_root() / name) for name in STATIONS) if self.file.startswith("metar/") else ()
        files = (str(data_root() / self.file),)
        return Reports(files, time=(self.time,), stations=stations, mapping=self.mapping).table

    def cases(self, table: Observations, settings: Classical, *, members=None, twins_tell: bool = False) -> "OneTime":
        """A table of reports at this time as a source of one case, judged by what the settings assume."""
        return OneTime(table, self.moment, Judge(assumptions(settings), WINDOW, twins_tell=twins_tell), members)


@dataclass(frozen=True)
class OneTime:
    """A table of reports as a source of one case (`methods.case.Cases`).

    Attributes:
        table: the reports, n rows.
        moment: analysis time.
        judge: of the reports.
        members: for methods of ensembles; None: there are none.
        static: of another domain than CONUS; None: CONUS.
        gridded: the first guess; None: a regression on the reports.
    """

    table: Observations
    moment: np.datetime64
    judge: Judge
    members: object | None = None
    static: Static | None = None
    gridded: Ensemble | None = None

    @property
    def _static(self) -> Static:
        return conus() if self.static is None else self.static

    @property
    def time(self) -> np.ndarray:
        """Analysis time of the case, shape (1,)."""
        return np.array([self.moment])

    @property
    def contents(self) -> Contents:
        """What the case holds."""
        names = tuple(self.judge.assumptions)
        units = tuple(VARIABLES[name].unit for name in names)
        return Contents(self._static.domain, names, units, names, background=self.gridded is not None, truth=False)

    def reports(self, number: int) -> Observations:
        """The table."""
        return self.table

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """The case; see `methods.case.Cases.case`."""
        return self.judge.case(
            self._static, self.moment, self.table, self.gridded, box, withheld=withheld, members=self.members
        )

    def whole(self, withheld: np.ndarray | None = None) -> Case:
        """The case on all points of the domain."""
        return self.case(0, Box.whole(self._static.domain.shape), withheld)

    def analyst(self, methods: dict[str, Method]) -> Analyst:
        """Methods at work on the case, in one process."""
        return Analyst(self, methods, Part(Box.whole(self._static.domain.shape)))


def _sao(*hours: int) -> tuple[Hour, ...]:
    return tuple(Hour(f"sao/950318{hour:02d}_sao.cdf", f"1995-03-18T{hour:02d}:00") for hour in hours)


METAR_2019, METAR_2015 = (
    Hour("metar/metar_20190701_1200.txt", "2019-07-01T12:00"),
    Hour("metar/metar_20151105_0000.txt.gz", "2015-11-05T00:00"),
)
TRAINING = (
    Hour("metar/metar_20191215_0000.txt", "2019-12-15T00:00"),
    Hour("metar/metar_20200106_0000.wmo", "2020-01-06T00:00"),
)
# Hours that no score of accuracy is reported for: two that train, and a windy one by which parameters were chosen.
OTHER = {
    "metar_20191215": TRAINING[:1],
    "metar_20200106": TRAINING[1:],
    "world_20250127": (Hour("metar_world/metar_20250127T2200Z.csv.gz", "2025-01-27T22:00", "metar_world_csv"),),
}
HOURS = {
    "rap": (Hour("prepbufr/rap.20220824.t06z.adpsfc.prepbufr", "2022-08-24T06:00"),),
    "madis": (Hour("madis/20050826_0000_metar.nc.gz", "2005-08-26T00:00"),),
    "metar_2019": (METAR_2019,),
    "metar_2015": (METAR_2015,),
    "sao": _sao(3, 9, 15, 21),
}
# Of these the events and speeds alone are scored.
OF_EVENTS = {
    "world_2020": (Hour("metar_world/metar_20200502T0000Z.csv.gz", "2020-05-02T00:00", "metar_world_csv"),),
    "world_2025": (Hour("metar_world/metar_20250205T2000Z.csv.gz", "2025-02-05T20:00", "metar_world_csv"),),
}
TITLES = {
    "rap": "RAP PrepBUFR, 2022-08-24 06 UTC",
    "madis": "MADIS METAR, 2005-08-26 00 UTC",
    "metar_2019": "METAR text, 2019-07-01 12 UTC",
    "metar_2015": "METAR text, 2015-11-05 00 UTC",
    "sao": "Surface airways, 1995-03-18 03, 09, 15, 21 UTC",
    "world_2020": "National METAR, 2020-05-02 00 UTC",
    "world_2025": "National METAR, 2025-02-05 20 UTC",
    "mm5_pnw": "Stations of the Pacific Northwest, 2004-01-27 00 UTC, eight members of MM5",
}


def past_hours(data: str) -> tuple[Hour, ...]:
    """The hours whose increments are members for a set of data: of another year, so that none knows its reports."""
    return (*TRAINING, METAR_2019, METAR_2015) if data == "sao" else _sao(*range(0, 24, 3))


@functools.cache
def conus() -> Static:
    """Terrain and land of the domain on which all hours are judged."""
    return load_static(load_domain("conus"))
