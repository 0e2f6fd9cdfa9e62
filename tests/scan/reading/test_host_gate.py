"""Back-pressure: how many fetches from one host run at once, over threads, processes and dead ones."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cortex_git.gitio import Completed
from cortex_git.scan.reading import Deadline, HostGate, RepositoryUnreadable, host_gate
from cortex_git.scan.reading.remote import patiently
from cortex_git.scan.sources import Source

HOST = Source("x", "https://h.example/a/x")


class Inside:
    """How many are inside at once, and how many ever were."""

    def __init__(self) -> None:
        self.now = self.most = self.total = 0
        self._lock = threading.Lock()

    def stay(self, gate: HostGate, source: Source) -> None:
        with gate.place(source):
            with self._lock:
                self.now += 1
                self.total += 1
                self.most = max(self.most, self.now)
            time.sleep(0.02)
            with self._lock:
                self.now -= 1


@pytest.mark.parametrize("per_host", [1, 3])
def test_never_more_at_once_than_are_allowed_and_all_get_their_turn(tmp_path: Path, per_host: int) -> None:
    inside, gate = Inside(), HostGate(tmp_path, per_host)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: inside.stay(gate, HOST), range(24)))
    assert inside.total == 24
    assert 1 <= inside.most <= per_host


def test_all_places_can_be_held_at_once(tmp_path: Path) -> None:
    gate = HostGate(tmp_path, 3)
    with gate.place(HOST), gate.place(HOST), gate.place(HOST):
        pass


def test_hosts_do_not_wait_for_each_other_and_one_host_is_one_by_any_protocol(tmp_path: Path) -> None:
    gate = HostGate(tmp_path, 1)
    with (
        gate.place(HOST),
        gate.place(Source("x", "https://other.example/x")),
        gate.place(Source("x", "/srv/x")),
    ):
        pass
    same = ("git@h.example:a/b", "ssh://git@H.example/a", "http://u@h.example/b", "git://h.example/a")
    assert {host_gate.host_of(Source("x", url)) for url in same} == {"h.example"}
    assert host_gate.host_of(Source("x", "https://h.example:8443/a")) == "h.example:8443"


def _hold(folder: Path, ready: "multiprocessing.synchronize.Event") -> None:
    with HostGate(folder, 1).place(HOST):
        ready.set()
        time.sleep(60)


def test_the_place_of_a_process_that_was_killed_is_free(tmp_path: Path, monkeypatch) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    monkeypatch.setattr(host_gate, "MOST_WAIT_S", 0.1)
    with (
        pytest.raises(RepositoryUnreadable, match="one of 1 fetches from its host"),
        HostGate(tmp_path, 1).place(HOST),
    ):
        pass
    holder.kill()
    holder.join()
    with HostGate(tmp_path, 1).place(HOST):
        pass


def test_a_busy_host_is_left_alone_by_everybody(tmp_path: Path) -> None:
    gate, other = HostGate(tmp_path, 4), HostGate(tmp_path, 4)
    gate.rest(HOST, 0.3)
    started = time.monotonic()
    with other.place(Source("x", "https://other.example/x")):
        pass
    with other.place(HOST):
        assert time.monotonic() - started >= 0.25


def test_a_clock_that_was_set_back_makes_no_host_rest_for_hours(tmp_path: Path, monkeypatch) -> None:
    gate = HostGate(tmp_path, 1)
    gate.rest(HOST, 1e9)
    [file] = tmp_path.rglob("rests")
    assert file.stat().st_mtime - time.time() <= host_gate.MOST_REST_S
    later = time.time() + 7200
    os.utime(file, (later, later))
    monkeypatch.setattr(host_gate, "MOST_WAIT_S", 0.1)
    with gate.place(HOST):
        pass


def test_without_a_folder_that_can_be_written_to_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for gate in (HostGate(), HostGate(tmp_path / "file", 1)):
        gate.rest(HOST, 60)
        with gate.place(HOST), gate.place(HOST):
            pass


def test_what_is_spent_waiting_for_a_place_is_not_the_repositorys_own_time(tmp_path: Path) -> None:
    gate, deadline, held = HostGate(tmp_path, 1), Deadline(0.3), threading.Event()

    def hold() -> None:
        with gate.place(HOST):
            held.set()
            time.sleep(0.5)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)
    done = patiently(lambda: Completed(0, b"", ""), deadline, "late", gate, HOST)
    holder.join()
    assert done.status == 0
    assert deadline.left() > 0
