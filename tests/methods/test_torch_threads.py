"""Tasks beside each other: results in order, one thread of torch each, and the threads of before afterwards."""

import threading

import pytest
import torch

from mlrtma_dist.methods.method import Share
from mlrtma_dist.methods.torch_threads import task_threads


@pytest.mark.parametrize(("tasks", "of_torch", "workers"), [(1, 3, 1), (6, 1, 2)])
def test_results_come_in_order_and_torch_has_its_threads_again(tasks, of_torch, workers):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together, seen = threading.Barrier(workers, timeout=30.0), set()

        def work(number):
            together.wait()  # as many tasks as threads run at once
            seen.add(threading.get_ident())
            return number, torch.get_num_threads()

        with task_threads(tasks, Share(threads=2)) as each:
            assert each(work, range(tasks)) == [(number, of_torch) for number in range(tasks)]
        assert len(seen) == workers and torch.get_num_threads() == 3
        with pytest.raises(ZeroDivisionError), task_threads(tasks, Share(threads=2)) as each:
            each(lambda number: 1 / 0, range(tasks))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_torch_has_its_threads_again_after_two_threads_of_a_program_whose_tasks_overlap():
    before, barrier = torch.get_num_threads(), threading.Barrier(2, timeout=30.0)
    first_left, after = threading.Event(), []

    def run(is_first):
        if not is_first:
            barrier.wait()
        with task_threads(2, Share(threads=2)):
            barrier.wait()
            if is_first:
                barrier.wait()
            else:
                first_left.wait(30.0)
        first_left.set()
        after.append(torch.get_num_threads())

    torch.set_num_threads(3)
    try:
        second = threading.Thread(target=run, args=(False,))
        second.start()
        run(True)
        second.join()
        new = threading.Thread(target=lambda: after.append(torch.get_num_threads()))
        new.start()
        new.join()
        assert after == [3, 3, 3]
    finally:
        torch.set_num_threads(before)
