"""Analyse one slot after another as reports arrive: every domain at every time of an archive, published in time.

    mlrtma cycle configs/cycles/metar.yaml                      # runs until it is stopped
    mlrtma cycle configs/cycles/metar.yaml --once               # makes what is due and ends: for cron and scrontab
    mlrtma cycle configs/cycles/replay_metar.yaml --replay 3600     # past hours, reports by their own times
    mlrtma cycle CONFIG --domain guam                           # one of the domains: the others may run elsewhere

A slot is begun at its cut-off; the newest comes first. The first method of the list that can work before the deadline
analyses it. Writes output/<domain>/<day>/<domain>_<time>.nc, latest.nc (a link to the newest), slots.csv, scores.csv,
config.yaml, status.txt, and output/costs_<domain>.json. One process at a time writes a domain. SIGUSR1 and SIGTERM end
it after the slot with exit code 75: run it again. Exit code 4: ended, and a slot that is due could not be made.
"""

from dataclasses import dataclass

from jobs.command_line import parse
from jobs.cycle_loop import make
from mlrtma_dist import clock
from mlrtma_dist.inference.cycle_agenda import Timing
from mlrtma_dist.inference.cycle_methods import Choice
from mlrtma_dist.inference.distribution import check_limits
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.weights.release import folder_of

BACKGROUNDS = ("archive", "previous", "forecast")
DEFAULT = ("threedvar", "first_guess")


@dataclass(frozen=True)
class Run:
    """One cycle.

    Attributes:
        cases: the domains and an archive, whose times are those of the slots (``samples.sources.CasesSection``).
        output: folder to write to.
        methods: in the order of preference; a slot is analysed by the first that can work. Empty: threedvar, then
            first_guess.
        timing: when slots are made.
        background: "archive": the files that the archive names, else a regression on the reports; "previous": the
            analysis of a slot at most an hour before, where there is one; "forecast": that of a network, from two
            analyses of slots before, where there are such, else as "previous".
        forecast: folder of the weights of that network, read once; "": those that come with method lam.
        background_share: of the previous analysis or the forecast in the first guess, from above 0 to 1; the rest is a
            regression on the reports.
        compare: methods that are scored beside at the stations that the archive withholds.
        settings: file of ``configs/methods``, or of the user's own, with what the classical methods assume.
        variables: to analyse; empty: all of the settings.
        diffusion: how members of method ``diffusion`` are drawn.
        grib2: whether the product is written as GRIB2, too.
        ensemble: what the products have of the distribution: quantiles, probabilities beyond limits, members.
        until: end at this time, UTC; null: never.
        replay: seconds of waiting that pass in one second of real time, from the archive's start; null: real time.
        latency_minutes: from the time of a report to its arrival, in a replay.
        device: "auto", "cpu" or "cuda", for networks.
    """

    cases: CasesSection
    output: str
    methods: tuple[Choice, ...] = ()
    timing: Timing = Timing()
    background: str = "archive"
    forecast: str = ""
    background_share: float = 0.5
    compare: tuple[str, ...] = ()
    settings: str = "classical"
    variables: tuple[str, ...] = ()
    diffusion: Sampling = Sampling()
    grib2: bool = False
    ensemble: EnsembleSection = EnsembleSection()
    until: str | None = None
    replay: float | None = None
    latency_minutes: float = 5.0
    device: str = "auto"

    def __post_init__(self):
        archive = self.cases.archive
        if archive is None or not archive.reports or archive.labels or not archive.regression:
            raise ValueError("cases: expected an archive with reports, regression: true and no labels")
        if archive.every_minutes < 1 or self.cases.boxes is not None:
            raise ValueError("cases: expected every_minutes >= 1, the time between slots, and no boxes")
        self.cases.refuse(("imagery", "gridded"), "a cycle")
        if self.background not in BACKGROUNDS:
            raise ValueError(f"background: expected one of {', '.join(BACKGROUNDS)}, got {self.background}")
        if self.forecast and self.background != "forecast":
            raise ValueError(
                "forecast: expected the folder of a network with background: forecast alone, got"
                f" {self.forecast} with background: {self.background}"
            )
        check_limits(self.ensemble)
        if not 0.0 < self.background_share <= 1.0:
            raise ValueError(f"background_share: expected above 0 and up to 1, got {self.background_share:g}")
        for name in self.compare:
            self.choice(name)
        if self.compare and not archive.withheld_share:
            raise ValueError("compare: expected an archive with withheld_share above 0, got 0: nothing to score at")
        if self.replay is not None and not self.replay > 0.0:
            raise ValueError(f"replay: expected a speed above 0, got {self.replay:g}")
        if self.until is not None:
            try:
                clock.parse_time(self.until)
            except ValueError as error:
                raise ValueError(f"until: {error}") from error

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The methods in the order of preference."""
        return self.methods or tuple(map(Choice, DEFAULT))

    @property
    def network(self) -> str:
        """Folder of the weights that forecast the background; "": no network does."""
        return folder_of(self.forecast, "lam", "forecast") if self.background == "forecast" else ""

    def choice(self, name: str) -> Choice:
        """A method with the weights that it has in this run."""
        return next((each for each in self.choices if each.name == name), None) or Choice(name)


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    once = "--once" in arguments
    run = parse(Run, "cycle", __doc__, [word for word in arguments if word != "--once"])
    return 0 if run is None else make(run, once=once)
