"""A pool's figures for Prometheus, over HTTP on this machine alone.

Owns the names of the metrics, which docs/events.md documents, and the import of prometheus-client. Must
never listen on another address than 127.0.0.1, nor look at anything but the pool's snapshot.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, get_args
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from cortex_git.errors import EnvironmentProblem
from cortex_git.workers.snapshot import PoolSnapshot, WorkerStatus

if TYPE_CHECKING:
    from prometheus_client.core import Metric

ADDRESS = "127.0.0.1"
ANY_TYPE = "any"
"""The label of workers that take tasks of any type."""
_MIB = 1024 * 1024
_PREFIX = "cortex_git_"
_POLL_S = 0.2


@contextmanager
def serve_metrics(port: int, snapshot: Callable[[], PoolSnapshot]) -> Iterator[int]:
    """Answer scrapes on `port` (0: a free one, which is the value) until the context ends.

    `snapshot` is called at each scrape, in a thread of the server. Raises EnvironmentProblem where the
    port cannot be had or prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, make_wsgi_app
    except ImportError as error:
        raise EnvironmentProblem(
            "metrics need prometheus-client", "run `pip install 'cortex-git[metrics]'`"
        ) from error
    registry = CollectorRegistry()
    registry.register(_PoolCollector(snapshot))
    try:
        server = _Server((ADDRESS, port), _Handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EnvironmentProblem(f"port {port} of {ADDRESS}: {reason}", "choose another port") from error
    server.set_app(make_wsgi_app(registry))
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 32

    def server_bind(self) -> None:
        # The usual one asks for the name of the address, which can take seconds where no one knows it.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader who leaves in the midst of an answer is no news."""


class _Handler(WSGIRequestHandler):
    timeout = 10.0
    """Seconds that a reader may be silent."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is said of a scrape."""


class _PoolCollector:
    """Reads the pool at each scrape, so that there is no figure of its own to drift."""

    def __init__(self, snapshot: Callable[[], PoolSnapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> "Iterator[Metric]":
        pool = self._snapshot()
        yield from _about_pool(pool)
        yield from _about_results(pool)
        yield from _about_workers(pool)


def _gauge(name: str, text: str, value: float) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(_PREFIX + name, text, value)


def _about_pool(pool: PoolSnapshot) -> "Iterator[Metric]":
    from prometheus_client.core import InfoMetricFamily

    labels = {"owner": pool.owner, "policy": pool.policy, "strategy": pool.strategy}
    yield InfoMetricFamily(_PREFIX + "pool", "The command that holds the pool, and how it decides.", labels)
    started = datetime.fromisoformat(pool.started_at).timestamp()
    yield _gauge("pool_start_time_seconds", "When the pool began, in seconds since 1970.", started)
    yield _gauge("workers_target", "Workers that the pool means to have.", pool.target)
    yield _gauge("workers_min", "The fewest workers that the pool may have.", pool.min)
    yield _gauge("workers_max", "The most workers that the pool may have.", pool.max)
    yield _gauge("queue_tasks", "Tasks that wait or run here.", pool.queue)
    yield _gauge("alert", "1 while the backlog is beyond what the maximum can clear.", pool.alert is not None)
    yield _gauge("draining", "1 once the pool starts nothing more.", pool.draining)
    yield _gauge("remote_problem", "1 while the remote does not answer.", pool.problem is not None)


def _about_results(pool: PoolSnapshot) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily

    results = CounterMetricFamily(_PREFIX + "results", "Results that this pool made.", labels=["status"])
    results.add_metric(["completed"], pool.completed)
    results.add_metric(["failed"], pool.failed)
    yield results
    yield _gauge("unpublished_results", "Results that the remote has not acknowledged.", pool.unpublished)
    yield CounterMetricFamily(_PREFIX + "tokens_used", "Tokens that its tasks used.", pool.tokens_used)


def _about_workers(pool: PoolSnapshot) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    counts = Counter((worker.type or ANY_TYPE, worker.status) for worker in pool.workers)
    workers = GaugeMetricFamily(_PREFIX + "workers", "Worker processes.", labels=["type", "status"])
    for kind in sorted({kind for kind, _ in counts} or {ANY_TYPE}):
        for status in get_args(WorkerStatus):
            workers.add_metric([kind, status], counts[kind, status])
    yield workers
    # Added up, because one that leaves may still be there when another has its name.
    rss: dict[tuple[str, str], float] = {}
    for worker in pool.workers:
        key = (worker.worker, worker.type or ANY_TYPE)
        rss[key] = rss.get(key, 0.0) + worker.rss_mib * _MIB
    memory = GaugeMetricFamily(
        _PREFIX + "worker_resident_memory_bytes",
        "Resident memory of a worker and what it started.",
        labels=["worker", "type"],
    )
    for (name, kind), size in rss.items():
        memory.add_metric([name, kind], size)
    yield memory
