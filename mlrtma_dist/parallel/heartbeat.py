"""A heartbeat: a process that makes no progress for too long ends itself and reports where its main thread stands.

When a rank hangs (a file system that does not answer, a GPU, a lock), all others wait for it in their next collective,
until the batch system's time limit. Every rank therefore watches itself from a thread of its own. The line that each
rank writes tells the one that hangs from those that wait for it. Through their store they end together, with the same
exit code. A hang that holds Python's interpreter lock is not noticed on its own rank; then the others end, and their
launcher ends the rest.
"""

import contextlib
import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from mlrtma_dist.parallel.communicator import RanksError, end_process

LIMIT = 1800.0  # s, where neither the caller nor the environment says otherwise
VARIABLE = "MLRTMA_TIMEOUT_SECONDS"  # of a machine's profile: timeout_seconds
LAST_WORDS = 10.0  # s at most between a rank's line and its end, for the others' lines
HANGING = "hanging"  # key of the store: how many ranks are about to end
FRAMES = 4  # of the main thread's stack, the innermost ones


def time_limit() -> float:
    """Seconds without progress after which a rank gives up, from the environment.

    Raises:
        RanksError: the variable is no positive number.
    """
    text = os.environ.get(VARIABLE) or str(LIMIT)
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0.0 < limit < math.inf:
        raise RanksError(f"{VARIABLE}: expected seconds, more than 0, got {text!r}")
    return limit


class Heartbeat:
    """The watch over one process. It begins with the first `beat` and pauses from `rest` to the next one.

    Attributes:
        limit: seconds without a beat after which the process ends.
        who: this process, in the message.
        ending: what rank 0 writes last, and the exit code of all ranks.
        store: that all ranks reach; None alone, and before they have met.
    """

    def __init__(self, limit: float):
        """Prepare; nothing is watched yet."""
        self.limit, self.who, self.speaks = limit, "this rank", True
        self.store, self.size = None, 1
        self.ending = ("it had not begun to work", 1)
        self._last: float | None = None

    @classmethod
    @contextlib.contextmanager
    def watching(cls, limit: float) -> Iterator["Heartbeat"]:
        """A heartbeat whose thread runs within the ``with`` block."""
        heartbeat, closed = cls(limit), threading.Event()
        thread = threading.Thread(target=heartbeat._watch, args=(closed,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield heartbeat
        finally:
            closed.set()
            thread.join()

    def of(self, rank: int, size: int) -> None:
        """Tell which rank this is; rank 0 writes how the job ends."""
        self.who, self.speaks, self.size = f"rank {rank} of {size}", rank == 0, size

    def beat(self) -> None:
        """There is progress."""
        self._last = time.monotonic()

    def rest(self) -> None:
        """From here on no progress is expected, until the next beat."""
        self._last = None

    @contextlib.contextmanager
    def ending_with_others(self) -> Iterator[None]:
        """Within the block an error ends this rank as the others, where they ended because one of them hangs."""
        try:
            yield
        except Exception:
            # The store tells of other ranks; where it is gone with rank 0, this rank's own watch does.
            if self._hanging() or self._left() <= 0.0:
                self._end(f"{self.who} on {_node()} lost a rank that made no progress for {self.limit:g} s")
            raise

    def _watch(self, closed: threading.Event) -> None:
        wait = 0.0
        while not closed.wait(wait):
            left = self._left()
            if left <= 0.0:
                self._end(f"{self.who} on {_node()} has made no progress for {self.limit:g} s; it stands at {_place()}")
            wait = min(left, self.limit / 20)

    def _left(self) -> float:
        """Seconds until this rank has made no progress for too long."""
        last = self._last
        return self.limit if last is None else last + self.limit - time.monotonic()

    def _end(self, line: str) -> None:
        words, code = self.ending
        sys.stderr.write(f"{line}\n")
        if self.speaks:
            sys.stderr.write(f"the job ends with exit code {code}: {words}\n")
        sys.stderr.flush()
        # The store does not answer while the main thread waits for it.
        last = threading.Timer(LAST_WORDS, end_process, (code,))
        last.daemon = True
        last.start()
        self._hanging(add=1)
        while 0 < self._hanging() < self.size:
            time.sleep(0.05)
        end_process(code)

    def _hanging(self, add: int = 0) -> int:
        """How many ranks are about to end because one hangs; 0 where nobody can be asked."""
        try:
            return 0 if self.store is None else self.store.add(HANGING, add)
        except RuntimeError:  # rank 0, which held the store, is gone
            return 0


def _node() -> str:
    return os.environ.get("SLURMD_NODENAME") or os.uname().nodename


def _place() -> str:
    """Where the main thread stands: file, line and function of its innermost frames."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    stack = traceback.extract_stack(frame)[-FRAMES:]
    return ", called from ".join(f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in reversed(stack))
