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


@pytest.mark.parametrize("keeps", ["", "; sleep 5 &"], ids=["closed", "kept open by another"])
def test_what_it_wrote_last_is_read_though_it_ended_between_two_looks(
    keeps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = started(f"(head -c 20000 /dev/zero; head -c 30000 /dev/zero >&2){keeps}")

    def late(timeout: float) -> tuple[bytes, bytes]:
        process.wait(20)
        raise subprocess.TimeoutExpired("sh", timeout)  # nothing was read before it ended

    monkeypatch.setattr(process, "communicate", late)
    out, err = finished(process, None, 20)
    assert (len(out), len(err)) == (20_000, 30_000)
