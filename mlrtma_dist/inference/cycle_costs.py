"""Costs of a cycle: seconds that a slot of a domain takes by each method, measured where it runs and kept in a file."""

import json
import logging
from pathlib import Path

import numpy as np

from mlrtma_dist.inference.cycle_clock import minutes
from mlrtma_dist.io.atomic import write_text

log = logging.getLogger(__name__)
RUNS = 9  # the last ones, of which the median counts: one slow run changes nothing
FEW = (
    3  # of fewer runs the fastest counts, and for a short time: the first one also reads all files and loads libraries
)
BRIEF = minutes(60)  # after which fewer runs do not count
VALID = minutes(360)  # after which runs do not count: a method that was too slow on a busy node is tried again


class Costs:
    """Seconds from the start of a slot to its product, by domain and method; the file is renewed with each run."""

    def __init__(self, path):
        """Read the file; one that is missing or damaged holds no run."""
        self.path = Path(path)
        self._runs: dict[str, dict[str, list[tuple[str, float]]]] = {}
        try:
            for domain, methods in json.loads(self.path.read_text(encoding="utf-8")).items():
                for method, runs in methods.items():
                    own = self._runs.setdefault(domain, {})
                    own[method] = [(str(np.datetime64(time, "ms")), float(cost)) for time, cost in runs]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("%s is not read, costs are measured anew: %s", self.path, error)
            self._runs = {}

    def of(self, domain: str, method: str, now: np.datetime64) -> float | None:
        """Seconds that a method takes on a domain; None: not measured lately."""
        runs = self._runs.get(domain, {}).get(method, [])
        ages = [(abs(now - np.datetime64(time, "ms")), cost) for time, cost in runs]
        recent = [cost for age, cost in ages if age <= VALID]
        if len(recent) >= FEW:
            return float(np.median(recent))
        return min((cost for age, cost in ages if age <= BRIEF), default=None)

    def least(self, domain: str, methods: tuple[str, ...], now: np.datetime64) -> float:
        """Seconds that the fastest of some methods takes on a domain; 0 where none is measured."""
        costs = [cost for name in methods if (cost := self.of(domain, name, now)) is not None]
        return min(costs, default=0.0)

    def add(self, domain: str, method: str, cost: float, now: np.datetime64) -> None:
        """Keep a run; a file that cannot be written ends nothing."""
        runs = self._runs.setdefault(domain, {}).setdefault(method, [])
        runs[:] = [*runs, (str(now.astype("datetime64[ms]")), round(cost, 3))][-RUNS:]
        try:
            write_text(self.path, json.dumps(self._runs, indent=1) + "\n")
        except OSError as error:
            log.warning("%s: costs are not kept: %s", self.path, error)
