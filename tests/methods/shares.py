"""Shares of one analysis in one process: what ranks that sum arrays would give."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from mlrtma_dist.methods.method import Answer, Fields, Share

Result = TypeVar("Result")


def of_shares(works: Sequence[Callable[[Share], Result]]) -> list[Result]:
    """The results of ranks that sum arrays with each other, one after the other in one process.

    Every work is done twice: once to learn what it hands to the sum, once with the sums of all.

    Args:
        works: of each rank, a function of its share; the number of sums must not depend on their values.
    """
    count = len(works)
    handed: list[list[np.ndarray]] = [[] for _ in works]
    for number, work in enumerate(works):

        def record(array: np.ndarray, number=number) -> np.ndarray:
            handed[number].append(array.copy())
            return array

        work(Share(number, count, record))
    assert len({len(each) for each in handed}) == 1, "the ranks do not sum equally often"
    sums = [sum(arrays[1:], start=arrays[0]) for arrays in zip(*handed, strict=True)]
    results = []
    for number, work in enumerate(works):
        left = iter(sums)
        results.append(work(Share(number, count, lambda array, left=left: next(left).copy())))
        assert next(left, None) is None
    return results


def fields_of_parts(answers: Sequence[Answer]) -> list[Fields]:
    """The fields of each rank's answer, an answer per rank."""
    return of_shares([answer.fields for answer in answers])


def in_threads(works: Sequence[Callable[[Share], Result]]) -> list[Result]:
    """The same with a thread per rank, where what a rank hands to a sum depends on sums before it."""
    count, handed = len(works), {}
    barrier = threading.Barrier(count)

    def share(number: int) -> Share:
        def total(array: np.ndarray) -> np.ndarray:
            handed[number] = array.copy()
            barrier.wait()
            result = sum((handed[each] for each in range(1, count)), start=handed[0].copy())
            barrier.wait()
            return result

        return Share(number, count, total, threads=1)

    def run(number: int) -> Result:
        try:
            return works[number](share(number))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
