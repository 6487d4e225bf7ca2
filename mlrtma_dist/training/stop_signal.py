"""Asked to stop: a signal is noted, agreed upon by all ranks in the next step, and answered with a checkpoint.

A batch system sends SIGUSR1 some minutes before the time limit, and SIGTERM before it kills. Ranks see it at different
steps, so in every step the ranks ask each other whether anyone was asked.
"""

import contextlib
import os
import signal

SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
CHECKPOINT = "will stop after this step or the next, with a checkpoint"
AGAIN = 75  # EX_TEMPFAIL of sysexits.h: checkpointed, run me again


class StopSignal:
    """Whether this process was asked to stop, since the ``with`` block began."""

    def __init__(self, answer: str = CHECKPOINT):
        self.received: str | None = None
        self._answer = answer

    @classmethod
    @contextlib.contextmanager
    def watched(cls, answer: str | None = None):
        """Note signals instead of ending, and write ``answer``; outside the block they act as before.

        A block within another one takes over what that has noted: a program watches from its first line on, as a signal
        that arrives while it still imports would end it without a word.
        """
        outer = getattr(signal.getsignal(SIGNALS[0]), "__self__", None)
        outer = outer if isinstance(outer, cls) else cls()
        stop = cls(answer or outer._answer)
        stop.received = outer.received
        before = {number: signal.signal(number, stop._note) for number in SIGNALS}
        try:
            yield stop
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def _note(self, number: int, frame) -> None:
        self.received = signal.Signals(number).name
        # No logging here: a handler may run within a call of it.
        os.write(2, f"{self.received}: {self._answer}\n".encode())
