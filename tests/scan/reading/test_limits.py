"""The guards around parsing, and the deadline."""

import resource
import threading

import pytest

from cortex_git.scan.reading import Deadline, Limits, OutOfTime, bounded_parse

MIB = 1 << 20


def test_time_is_bounded_even_where_every_exception_is_swallowed():
    with pytest.raises(OutOfTime), bounded_parse(0.1, 256 * MIB):
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue


def test_memory_is_bounded_and_the_limit_given_back():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(MemoryError), bounded_parse(10, 64 * MIB):
        [[] for _ in range(20_000_000)]
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with bounded_parse(10, 64 * MIB):
        assert len(bytearray(16 * MIB)) == 16 * MIB


def test_threads_that_overlap_leave_no_limit_behind():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with bounded_parse(10, 64 * MIB):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with bounded_parse(10, 64 * MIB):
        leave.set()
        thread.join()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_the_deadline():
    assert 0 < Deadline(5).left() <= 5
    with pytest.raises(OutOfTime, match="took over 0 s"):
        Deadline(0).left()


def test_limits_survive_being_written_down():
    limits = Limits(lockfiles=3, time_s=1.5)
    assert Limits.from_json({**limits.to_json(), "unknown": 1}) == limits
