"""Fixtures of every room: real files, random numbers, the simulated hour of the demonstration."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from mlrtma_dist.fields.ensemble import load_ensemble
from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical, assumptions, load_settings
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.simulation.simulated_hour import SimulatedHour, simulate_hour

# Random numbers are the same in each run; another MLRTMA_TEST_SEED gives others to every test.
BASE_SEED = int(os.environ.get("MLRTMA_TEST_SEED", "0"))
hypothesis.settings.register_profile("fixed", derandomize=True, print_blob=True)
hypothesis.settings.register_profile("fresh", derandomize=False, print_blob=True)
hypothesis.settings.load_profile("fresh" if BASE_SEED else "fixed")


def pytest_report_header() -> str:
    """The line by which a run can be repeated."""
    return f"seed of random numbers: MLRTMA_TEST_SEED={BASE_SEED}"


def pytest_sessionfinish(session) -> None:
    """In CI a test that is skipped for want of a package fails the run; real files and a GPU may be absent."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a process of pytest-xdist, which hands its reports to the one that has the reporter
        return
    absent = ("MLRTMA_REAL_DATA", "no GPU")
    reports = reporter.stats.get("skipped", ())
    skipped = [r for r in reports if not any(reason in str(r.longrepr) for reason in absent)]
    if skipped and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"\n{len(skipped)} skipped: in CI no test may be skipped for want of a package", red=True)


@dataclass(frozen=True)
class Toy:
    """A world on the toy domain, and its files."""

    static: Static
    world: SimulatedHour
    background: Path
    observations: Path

    @property
    def time(self) -> np.datetime64:
        return self.world.truth.time

    @staticmethod
    def settings(*variables: str) -> Classical:
        """The shipped settings of the classical methods, of some variables or of all."""
        return load_settings("classical", variables)

    def case(
        self,
        settings: Classical,
        table: Observations | None = None,
        *,
        background: bool | str | Path = True,
        ensemble: tuple[str, ...] = (),
        withheld: np.ndarray | None = None,
        twins_tell: bool = False,
        box: Box | None = None,
    ) -> Case:
        """The hour as a case.

        Args:
            table: reports; None: those of the simulated hour.
            background: a file; True: that of the simulated hour; False: the ensemble's mean, or a regression.
            ensemble: files, one per member.
            withheld: mask (n,) of the reports that take no part.
            twins_tell: whether the other names of a withheld station take part.
            box: the points to be analysed; None: all.
        """
        observations = self.world.observations if table is None else table
        members = load_ensemble(ensemble, self.static, self.time) if ensemble else None
        file = self.background if background is True else background
        gridded = load_gridded(str(file), self.static, self.time) if file else members
        judge = Judge(assumptions(settings), np.timedelta64(30, "m"), twins_tell=twins_tell)
        box = box or Box.whole(self.static.domain.shape)
        return judge.case(self.static, self.time, observations, gridded, box, withheld=withheld, members=members)

    @staticmethod
    def answer(case: Case, method: str, settings: Classical) -> ClassicalAnswer:
        """A classical method's analysis of a case."""
        return build((method,), Means(settings=settings))[method].analyse(case)

    @staticmethod
    def covariance(case: Case, settings: Classical) -> dict[str, Covariance]:
        """Variable -> background error covariance, scaled to the departures of the case."""
        hour = HourSettings(settings).of(case, tuple(settings.variables))
        return {name: Covariance(each.covariance) for name, each in hour.items()}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real observations and grids; skips where it is not named."""
    if root := os.environ.get("MLRTMA_REAL_DATA"):
        return Path(root)
    pytest.skip("MLRTMA_REAL_DATA is not set: no real files")


@pytest.fixture
def seed(request) -> int:
    """A test's own seed, of its name and of ``MLRTMA_TEST_SEED``; printed where the test fails."""
    number = zlib.crc32(f"{BASE_SEED} {request.node.name}".encode())
    print(f"{request.node.name}: seed {number}")
    return number


@pytest.fixture
def generator(seed) -> np.random.Generator:
    """Random numbers of the test's own seed."""
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Toy:
    """160 x 120 points of 5 km with terrain, 300 stations."""
    folder = tmp_path_factory.mktemp("toy")
    static = load_static(load_domain("toy"))
    world = simulate_hour(static, np.datetime64("2022-08-24T06:00:00"), stations=300, seed=1)
    write_state(folder / "background.nc", world.background)
    write_csv(folder / "observations.csv", world.observations)
    return Toy(static, world, folder / "background.nc", folder / "observations.csv")


AWKWARD = "re ports '$(touch pwned)';&é"  # of a file's name, which no shell may read


DOMAIN = """\
name: {name}
title: small
projection: "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"
corner: {{latitude: {south}, longitude: 253.8}}
spacing: 10000.0
size: {{x: 24, y: 20}}
terrain: null
land: null
"""


def write_archive(folder: Path, start: str, count: int, minutes: int) -> str:
    """Two domains of 20 x 24 points of 10 km, and 40 stations' reports at times from ``start`` on, a file for each.

    Returns:
        The configuration of a reanalysis of all these times, whose output is not named.
    """
    for name, south in (("north", 40.0), ("south", 38.5)):
        (folder / f"{name}.yaml").write_text(DOMAIN.format(name=name, south=south))
    random = np.random.default_rng(3)
    latitude, longitude = random.uniform(38.0, 42.2, 40), random.uniform(-106.5, -103.2, 40)
    times = np.datetime64(start, "s") + np.arange(count) * np.timedelta64(minutes, "m")
    for hour, time in enumerate(times):
        t2m = 290.0 - 5.0 * (latitude - 40.0) + np.sin(longitude) - hour % 8 + random.normal(0.0, 0.5, 40)
        columns = {
            "station": np.tile([f"S{number:03d}" for number in range(40)], 2),
            "latitude": np.tile(latitude, 2),
            "longitude": np.tile(longitude, 2),
            "elevation": np.zeros(80),
            "time": np.full(80, time, dtype="datetime64[s]"),
            "variable": np.repeat(["t2m", "d2m"], 40),
            "value": np.concatenate([t2m, t2m - random.uniform(2.0, 9.0, 40)]),
        }
        stamp = str(time)[:16].replace("-", "").replace(":", "").replace("T", "")
        write_csv(folder / f"{AWKWARD} {stamp}.csv", Observations.build(**columns))
    return f"""\
cases:
  domain: [{folder}/north.yaml, {folder}/south.yaml]
  archive:
    start: "{str(times[0])[:16]}"
    end: "{str(times[-1])[:16]}"
    every_minutes: {minutes}
    folder: {folder}
    withheld_share: 0.2
    reports:
      - {{pattern: "{AWKWARD} {{time:%Y%m%d%H%M}}.csv", every_minutes: {minutes}}}
variables: [t2m, d2m]
"""


@pytest.fixture(scope="session")
def small_reanalysis(tmp_path_factory) -> str:
    """The configuration of a reanalysis of 4 times on two days, 8 slots. Its output is not named."""
    return write_archive(tmp_path_factory.mktemp("archive"), "2022-08-24T23:00", 4, 30)


@pytest.fixture(scope="session")
def day_reanalysis(tmp_path_factory) -> str:
    """The configuration of a reanalysis of 24 hours from noon on, 192 cheap slots; the file of 20:00 is damaged."""
    folder = tmp_path_factory.mktemp("day")
    text = write_archive(folder, "2022-08-24T12:00", 96, 15)
    (folder / f"{AWKWARD} 202208242000.csv").write_bytes(b"\x00\x01 no reports \xff")
    return text.replace("[t2m, d2m]", "[t2m]") + "method: first_guess\n"
