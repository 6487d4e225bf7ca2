"""Two ranks train; rank 1 stops for ever while it reads. Arguments: a folder, the batch at which, "sleep" or "stop".

"sleep": its main thread sleeps. "stop": its whole process is stopped, so that it cannot notice itself. A folder that
holds checkpoints is gone on from.
"""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from tiny import SCHEDULE, training_of

from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.stop_signal import StopSignal
from mlrtma_dist.weights import checkpoint


def main(folder, last, how):
    with Ranks.start(device="cpu", always_group=True) as world:
        torch.set_num_threads(1)
        schedule = replace(SCHEDULE, steps=50, checkpoint_every=3)
        training = training_of(world, {}, schedule, folder)
        if saved := checkpoint.newest(folder, world.everyone()):
            training.resume(saved)
        cases = training.data

        def stream(batches):
            for number, indices in enumerate(batches):
                if number == last and world.rank == 1:
                    forget_the_time(how)
                yield cases.batch(indices)

        training.data = type("Hanging", (), {"stream": staticmethod(stream)})
        with StopSignal.watched() as stop:
            training.run(stop)


def forget_the_time(how):
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
