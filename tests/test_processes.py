"""Processes that are fed and waited for."""

import subprocess

import pytest

from cortex_git.processes import TookTooLong, finished


def started(script: str) -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    return subprocess.Popen(
        ["sh", "-c", script], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )


def test_one_that_begins_to_read_late_is_given_all() -> None:
    """Later than the first look at whether it has ended, and more than a pipe holds."""
    assert finished(started("sleep 0.7; wc -c"), b"x" * 1_000_000, 20)[0].strip() == b"1000000"


def test_one_that_reads_nothing_ends_all_the_same() -> None:
    assert finished(started("echo done"), b"x" * 1_000_000, 20) == (b"done\n", b"")


def test_one_that_never_reads_nor_ends_is_ended() -> None:
    process = started("exec sleep 60")
    with pytest.raises(TookTooLong):
        finished(process, b"x" * 1_000_000, 0.2)
    assert process.poll() is not None
