"""The heartbeat: a process without progress ends with its place and its exit code; others end with it."""

import time
from datetime import timedelta

import pytest
import torch.distributed as dist
from launch import ROOT, start_ranks

from mlrtma_dist.parallel import heartbeat as module
from mlrtma_dist.parallel.communicator import RanksError
from mlrtma_dist.parallel.heartbeat import HANGING, VARIABLE, Heartbeat, time_limit

LIMIT = 0.2


@pytest.fixture
def codes(monkeypatch):
    """Exit codes with which the process would have ended."""
    ended = []

    def end(code):
        ended.append(code)
        raise SystemExit  # ends the thread instead

    monkeypatch.setattr(module, "end_process", end)
    monkeypatch.setattr(module, "LAST_WORDS", 1000.0)  # no second end
    return ended


def sleep_here(seconds):
    time.sleep(seconds)


def test_a_process_without_progress_ends_and_names_the_place_the_checkpoint_and_the_code(codes, capsys):
    with Heartbeat.watching(LIMIT) as heartbeat:
        heartbeat.of(0, 1)
        heartbeat.ending = ("the newest checkpoint is step_7", 75)
        heartbeat.beat()
        sleep_here(4 * LIMIT)
    assert codes == [75]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("rank 0 of 1 on ") and "has made no progress for 0.2 s" in first
    assert "sleep_here, called from test_heartbeat.py" in first
    assert second == "the job ends with exit code 75: the newest checkpoint is step_7"


def test_only_rank_0_tells_how_the_job_ends(codes, capsys):
    with Heartbeat.watching(LIMIT) as heartbeat:
        heartbeat.of(1, 1)
        heartbeat.beat()
        time.sleep(4 * LIMIT)
    assert codes == [1] and len(capsys.readouterr().err.splitlines()) == 1


def test_who_beats_rests_or_has_not_begun_is_let_alone(codes):
    with Heartbeat.watching(LIMIT) as heartbeat:
        time.sleep(3 * LIMIT)
        for _ in range(6):
            heartbeat.beat()
            time.sleep(LIMIT / 3)
        heartbeat.rest()
        time.sleep(3 * LIMIT)
    assert not codes


def heartbeat_with(store):
    heartbeat = Heartbeat(5.0)
    heartbeat.of(0, 2)
    heartbeat.store, heartbeat.ending = store, ("the newest checkpoint is step_7", 75)
    return heartbeat


def test_an_error_after_another_rank_ended_for_want_of_progress_is_no_failure_of_its_own(codes, capsys):
    store = dist.HashStore()
    store.add(HANGING, 1)
    with pytest.raises(SystemExit), heartbeat_with(store).ending_with_others():
        raise RuntimeError("Connection closed by peer")
    assert codes == [75] and "lost a rank that made no progress for 5 s" in capsys.readouterr().err


def test_an_error_after_a_silence_is_a_hang_though_rank_0_and_its_store_are_gone(codes):
    heartbeat = heartbeat_with(None)
    heartbeat.limit = 0.01
    heartbeat.beat()
    time.sleep(0.02)
    with pytest.raises(SystemExit), heartbeat.ending_with_others():
        raise RuntimeError("Connection closed by peer")
    assert codes == [75]


def test_an_error_of_its_own_stays_one(codes):
    gone = dist.TCPStore("127.0.0.1", 0, 1, True, timedelta(seconds=5), wait_for_workers=False)
    other = dist.TCPStore("127.0.0.1", gone.port, 1, False, timedelta(seconds=5), wait_for_workers=False)
    del gone  # rank 0 that held it has ended
    for store in (dist.HashStore(), None, other):
        with pytest.raises(ArithmeticError), heartbeat_with(store).ending_with_others():
            raise ArithmeticError
    assert not codes


@pytest.mark.parametrize("text", ["0", "-3", "soon", "nan", "inf"])
def test_a_time_limit_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(RanksError, match=f"MLRTMA_TIMEOUT_SECONDS: expected seconds, more than 0, got '{text}'"):
        time_limit()


@pytest.mark.slow
def test_where_one_of_two_ranks_sleeps_for_ever_both_end_within_the_limit_with_the_newest_checkpoint(tmp_path):
    kernel = str(ROOT / "tests" / "training" / "kernels" / "hanging")
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'parallel'}", VARIABLE: "8"}
    ended = start_ranks(kernel, 2, tmp_path, 5, "sleep", timeout=60, environment=paths)
    assert ended.status == 75, ended.err
    lines = ended.err.splitlines()
    for rank, place in ((0, "all_reduce"), (1, "forget_the_time")):
        (line,) = (line for line in lines if line.startswith(f"rank {rank} of 2 on "))
        assert "has made no progress for 8 s; it stands at" in line and place in line
    assert f"the job ends with exit code 75: the newest checkpoint is {tmp_path}/step_00000003" in ended.err
