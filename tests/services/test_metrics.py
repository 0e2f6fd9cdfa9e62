"""The metrics endpoint: scraped over real HTTP, and read back with Prometheus' own parser."""

import errno
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from cortex_git.errors import EnvironmentProblem
from cortex_git.services.metrics import serve_metrics
from cortex_git.workers.snapshot import PoolSnapshot, WorkerView

SINCE = "2026-01-02T03:04:05.500Z"
POOL = PoolSnapshot(
    pid=1, owner="pool", started_at=SINCE, policy="activation", strategy="least-loaded",
    min=5, max=20, target=9, queue=7, completed=41, failed=2, unpublished=3, tokens_used=1200,
    workers=(
        WorkerView("w1", "", 11, "busy", SINCE, task="t1", rss_mib=64.0),
        WorkerView("w2", "", 12, "idle", SINCE, rss_mib=32.5),
        WorkerView("w3", "scan-worker", 13, "busy", SINCE),
    ),
)  # fmt: skip
Labels = frozenset[tuple[str, str]]


def scrape(port: int) -> str:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert answer.status_code == 200
    return answer.text


def values(port: int) -> dict[tuple[str, Labels], float]:
    return {
        (sample.name.removeprefix("cortex_git_"), frozenset(sample.labels.items())): sample.value
        for family in plain(scrape(port))
        for sample in family.samples
    }


def labels(**given: str) -> Labels:
    return frozenset(given.items())


def test_every_figure_of_the_pool_is_there() -> None:
    with serve_metrics(0, lambda: POOL) as port:
        found = values(port)
    statuses = ("starting", "idle", "busy", "leaving")
    workers = {(kind, status): 0.0 for kind in ("any", "scan-worker") for status in statuses}
    workers |= {("any", "busy"): 1.0, ("any", "idle"): 1.0, ("scan-worker", "busy"): 1.0}
    mib = 1024 * 1024
    assert found == {
        ("pool_info", labels(owner="pool", policy="activation", strategy="least-loaded")): 1,
        ("pool_start_time_seconds", labels()): 1767323045.5,
        ("workers_target", labels()): 9,
        ("workers_min", labels()): 5,
        ("workers_max", labels()): 20,
        ("queue_tasks", labels()): 7,
        ("alert", labels()): 0,
        ("draining", labels()): 0,
        ("remote_problem", labels()): 0,
        ("results_total", labels(status="completed")): 41,
        ("results_total", labels(status="failed")): 2,
        ("unpublished_results", labels()): 3,
        ("tokens_used_total", labels()): 1200,
        ("worker_resident_memory_bytes", labels(worker="w1", type="any")): 64 * mib,
        ("worker_resident_memory_bytes", labels(worker="w2", type="any")): 32.5 * mib,
        ("worker_resident_memory_bytes", labels(worker="w3", type="scan-worker")): 0,
        **{("workers", labels(type=kind, status=status)): n for (kind, status), n in workers.items()},
    }


def test_a_scrape_sees_the_pool_as_it_is_then() -> None:
    later = replace(POOL, alert="too much", problem="no answer", draining=True, completed=50, workers=())
    pools = [later, POOL]
    with serve_metrics(0, lambda: pools[-1]) as port:
        before = values(port)
        pools.pop()
        after = values(port)
    for name in ("alert", "draining", "remote_problem"):
        assert (before[name, labels()], after[name, labels()]) == (0, 1)
    assert after["results_total", labels(status="completed")] == 50
    assert after["workers", labels(type="any", status="busy")] == 0
    assert not any(name == "worker_resident_memory_bytes" for name, _ in after)


def test_a_worker_and_its_successor_of_the_same_name_are_one_series() -> None:
    twins = tuple(WorkerView("w1", "", pid, "leaving", SINCE, rss_mib=10.0) for pid in (1, 2))
    with serve_metrics(0, lambda: replace(POOL, workers=twins)) as port:
        lines = [line for line in scrape(port).splitlines() if "resident_memory_bytes{" in line]
    assert len(lines) == 1
    assert float(lines[0].split()[-1]) == 20 * 1024 * 1024


def test_the_answer_is_valid_by_the_strict_grammar_too() -> None:
    with serve_metrics(0, lambda: POOL) as port:
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=accept, trust_env=False)
    families: list[Metric] = list(open_metrics(answer.text))
    assert answer.text.endswith("# EOF\n")
    assert all(family.documentation for family in families)
    assert {family.type for family in families} == {"info", "gauge", "counter"}


def test_every_metric_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/events.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(cortex_git_\w+)", page, re.MULTILINE))
    with serve_metrics(0, lambda: POOL) as port:
        served = {sample.name for family in plain(scrape(port)) for sample in family.samples}
    assert served == documented


def test_it_listens_on_this_machine_alone() -> None:
    with serve_metrics(0, lambda: POOL) as port:
        listening = [
            found.laddr.ip
            for found in psutil.Process().net_connections("inet")
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port
        ]
        assert listening == ["127.0.0.1"]
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) == errno.ECONNREFUSED


def test_the_port_is_free_and_the_threads_are_gone_afterwards() -> None:
    threads = threading.active_count()
    with serve_metrics(0, lambda: POOL) as port:
        scrape(port)
    with serve_metrics(port, lambda: POOL) as again:
        assert again == port
        scrape(port)
    deadline = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == threads


def test_it_ends_although_a_reader_stays_silent() -> None:
    with serve_metrics(0, lambda: POOL) as port:
        silent = socket.create_connection(("127.0.0.1", port))
        scrape(port)
    with serve_metrics(port, lambda: POOL):
        silent.close()


def test_many_scrapes_at_once_and_readers_who_leave(capfd: pytest.CaptureFixture[str]) -> None:
    with serve_metrics(0, lambda: POOL) as port, ThreadPoolExecutor(8) as readers:
        for _ in range(20):
            leaver = socket.create_connection(("127.0.0.1", port))
            leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            leaver.sendall(b"GET /metrics HT")
            leaver.close()
        texts = set(readers.map(lambda _: scrape(port), range(40)))
    assert len(texts) == 1
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_one_line() -> None:
    with serve_metrics(0, lambda: POOL) as port:
        told = f"port {port} of 127.0.0.1: .*in use: choose another"
        with pytest.raises(EnvironmentProblem, match=told), serve_metrics(port, lambda: POOL):
            raise AssertionError("two servers on one port")
        scrape(port)


def test_no_such_port() -> None:
    with pytest.raises(EnvironmentProblem, match="port 70000"), serve_metrics(70000, lambda: POOL):
        raise AssertionError("there is no such port")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    told = r"pip install 'cortex-git\[metrics\]'"
    with pytest.raises(EnvironmentProblem, match=told), serve_metrics(0, lambda: POOL):
        raise AssertionError("served without the library")
