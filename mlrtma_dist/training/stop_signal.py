"""Asked to stop: a signal is noted, agreed upon by all ranks in the next step, and answered with a checkpoint.

A batch system sends SIGUSR1 some minutes before the time limit, and SIGTERM before it kills. Ranks see it at different
steps, so in every step the ranks ask each other whether anyone was asked.
"""

import contextlib
import os
import signal

SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
AGAIN = 75  # EX_TEMPFAIL of sysexits.h: checkpointed, run me again


class StopSignal:
    """Whether this process was asked to stop, since the ``with`` block began."""

    def __init__(self):
        self.received: str | None = None

    @classmethod
    @contextlib.contextmanager
    def watched(cls):
        """Note signals instead of ending; outside the block they act as before.

        A block within another one takes over what that has noted: a program watches from its first line on, as a signal
        that arrives while it still imports would end it without a word.
        """
        stop = cls()
        outer = getattr(signal.getsignal(SIGNALS[0]), "__self__", None)
        stop.received = outer.received if isinstance(outer, cls) else None
        before = {number: signal.signal(number, stop._note) for number in SIGNALS}
        try:
            yield stop
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def _note(self, number: int, frame) -> None:
        self.received = signal.Signals(number).name
        # No logging here: a handler may run within a call of it.
        os.write(2, f"{self.received}: will stop after this step or the next, with a checkpoint\n".encode())
