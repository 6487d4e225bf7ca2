"""Asked to stop: a signal is noted, agreed upon by all ranks between two steps, and answered with a checkpoint.

A batch system sends SIGUSR1 some minutes before the time limit, and SIGTERM before it kills. Ranks see it at different
steps, so every step the ranks ask each other whether anyone was asked.
"""

import contextlib
import os
import signal

import torch

from mlrtma_dist.parallel.transport import Transport

SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
AGAIN = 75  # EX_TEMPFAIL of sysexits.h: checkpointed, run me again


class StopSignal:
    """Whether this process was asked to stop, since the ``with`` block began."""

    def __init__(self):
        self.received: str | None = None

    @classmethod
    @contextlib.contextmanager
    def watched(cls):
        """Note signals instead of ending; outside the block they act as before."""
        stop = cls()
        before = {number: signal.signal(number, stop._note) for number in SIGNALS}
        try:
            yield stop
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def _note(self, number: int, frame) -> None:
        self.received = signal.Signals(number).name
        # No logging here: a handler may run within a call of it.
        os.write(2, f"{self.received}: will stop after this step, with a checkpoint\n".encode())

    def agreed(self, everyone: Transport) -> bool:
        """Whether any rank was asked to stop; the same answer on all. Collective."""
        return bool(everyone.sum(torch.tensor([float(self.received is not None)])) > 0)
