"""The Dask engine: one join on each worker of a Dask cluster, on the side of the command.

Owns the command's connection to the scheduler: it sends joins and orders, and hears how they fare. Tasks and
results never pass through Dask. With `dask_join`, the side of the joins, the only importer of `distributed`.
"""

import asyncio
import logging
import socket
import threading
import time
import uuid
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import cortex_git
from cortex_git.errors import EnvironmentProblem
from cortex_git.services.batches import Ended
from cortex_git.services.dask_join import join_here
from cortex_git.services.joining import JoinReport, Order, Placement, Work
from cortex_git.services.spawning import runners_for
from cortex_git.services.watching import watch
from cortex_git.store.cloning import shared_address
from cortex_git.store.coordination import Coordination
from cortex_git.store.tasks import listed
from cortex_git.workers.attempts import Watcher

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 10.0
_ANSWER_S = 10.0
"""Longest wait for one answer of the scheduler."""
_CHECK_S = 30.0
_BEAT_S = 2.0
_RETRIES = 2
"""How often a join that failed by an error of its own is sent again; one that lost its worker always is."""


def run_on_dask(scheduler: str, coordination: Coordination, work: Work, watcher: Watcher) -> Ended:
    """Run the work's open tasks on the workers of the Dask cluster whose scheduler is at HOST:PORT.

    `work.count` workers in all are divided over the Dask workers. Raises EnvironmentProblem where the cluster
    cannot be used.
    """
    address = shared_address(coordination.repository)
    coordination.flush()
    tasks = listed(coordination.repository, replace(work.scope, merges=False))
    merges = work.scope.merges and "scan" in runners_for(tasks, work.runner)
    scope = replace(work.scope, merges=merges)
    work = replace(work, scope=scope, count=max(1, min(work.count, coordination.open_count(scope))))
    with _connected(scheduler) as client:
        places = _able_workers(client, scheduler)
        branch = coordination.repository.settings.branch
        shares = [
            Placement(address, branch, replace(work, count=n)) for n in divided(work.count, len(places))
        ]
        with _DaskJoins(client, shares, places) as joins:
            return watch(coordination, scope, joins, watcher)


def divided(count: int, places: int) -> list[int]:
    """`count` workers over so many places, as evenly as it goes; places that would get none are left out."""
    least, more = divmod(count, places)
    return [share for number in range(places) if (share := least + (number < more))]


@contextmanager
def _connected(scheduler: str) -> "Iterator[Client]":
    try:
        from distributed import Client
    except ImportError as error:
        raise EnvironmentProblem(
            "the Dask engine needs the package distributed", "pip install 'cortex-git[dask]'"
        ) from error
    _quiet()
    _check_scheduler(scheduler)
    try:
        client = Client(f"tcp://{scheduler}", timeout=_CONNECT_S, set_as_default=False, name="cortex-git")
    except Exception as error:
        raise EnvironmentProblem(
            f"the Dask scheduler at {scheduler} took no connection: {_first_line(error)}", "see its log"
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=_ANSWER_S if client.status == "running" else _BEAT_S)


def _check_scheduler(scheduler: str) -> None:
    """See that a Dask scheduler listens there. Raises EnvironmentProblem.

    A client that cannot connect would try for long where nobody listens, and leave threads behind.
    """
    from distributed.comm import connect

    async def greet() -> None:
        comm = await connect(f"tcp://{scheduler}", timeout=_CONNECT_S)
        await comm.close()

    host, _, port = scheduler.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise EnvironmentProblem(
            f"no Dask scheduler answers at {scheduler}: {error}", "check the address, and that it runs"
        ) from error
    try:
        asyncio.run(greet())
    except Exception as error:  # whatever becomes of words that are not Dask's
        raise EnvironmentProblem(
            f"what listens at {scheduler} does not answer as a Dask scheduler does", "check the address"
        ) from error


def _quiet() -> None:
    """Nothing of Dask's own log belongs on the person's screen: what matters is told as ours."""
    for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="distributed")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _able_workers(client: "Client", scheduler: str) -> list[str]:
    """Addresses of all Dask workers, each of which has this very version of us. Raises EnvironmentProblem.

    Asked by a function of the standard library, because nothing of ours can be unpickled where we are not.
    """
    import pkgutil

    try:
        found = client.run(
            pkgutil.resolve_name, "cortex_git:__version__", on_error="return", callback_timeout=_CHECK_S
        )
    except Exception as error:
        raise EnvironmentProblem(
            f"the Dask workers at {scheduler} do not answer: {_first_line(error)}", "see the scheduler's log"
        ) from error
    if not found:
        raise EnvironmentProblem(
            f"the Dask scheduler at {scheduler} has no workers", "start some: `dask worker`"
        )
    unable = {place: said for place, said in sorted(found.items()) if said != cortex_git.__version__}
    if unable:
        place, said = next(iter(unable.items()))
        has = f"version {said}" if isinstance(said, str) else _first_line(said)
        raise EnvironmentProblem(
            f"{len(unable)} of {len(found)} Dask workers cannot run cortex-git {cortex_git.__version__}"
            f" ({place}: {has})",
            "install this version in their environment",
        )
    return sorted(found)


class _DaskJoins:
    """The joins of one command on a Dask cluster, `services.watching.Joins`; none is left after the block."""

    def __init__(self, client: "Client", placements: Sequence[Placement], places: Sequence[str]) -> None:
        from distributed import Variable

        self._client = client
        self._name = f"cortex-git-{uuid.uuid4().hex}"
        self._variable = Variable(self._name, client=client)
        self._placements = list(zip(placements, places, strict=False))
        self._pending: dict[Future[JoinReport], tuple[int, str]] = {}
        self._begun: set[int] = set()
        self._said: deque[str] = deque()
        self._order: Order = "work"
        self._lost = False
        self._beats = 0
        self._answered_at = time.monotonic()
        self._workers = len(places)
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat_on, name="beats", daemon=True)

    def __enter__(self) -> Self:
        self._client.subscribe_topic(self._name, self._hear)
        self._beat()
        for number, (placement, place) in enumerate(self._placements):
            # Where its worker is lost, another runs it again: with nothing left to do it ends at once.
            executor = self._client.get_executor(
                pure=False, workers=[place], allow_other_workers=True, retries=_RETRIES
            )
            self._pending[executor.submit(join_here, placement, number, self._name)] = number, place
        self._heart.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """By now all have reported, or could not be made to: then the order to end stays for them to find."""
        lost = self._lost or bool(self._pending)
        if lost:
            self.tell("end")
        for future in self._pending:
            future.cancel()
        self._over.set()
        self._heart.join(timeout=2 * _ANSWER_S)
        if not lost:
            with suppress(Exception):
                self._variable.delete()

    def running(self) -> int:
        return len(self._pending)

    def ended(self, timeout_s: float) -> list[JoinReport]:
        done, _ = wait(self._pending, timeout=timeout_s, return_when=FIRST_COMPLETED)
        return [report for future in done if (report := self._report(future)) is not None]

    def _report(self, future: "Future[JoinReport]") -> JoinReport | None:
        number, place = self._pending.pop(future)
        try:
            return future.result()
        except CancelledError:
            if self._order != "work" and number not in self._begun:
                return None  # called back
            self._lost = True
            return JoinReport(place, problem="the Dask scheduler has let go of it")
        except Exception as error:
            return JoinReport(place, problem=_first_line(error))

    def heard(self) -> list[str]:
        texts: list[str] = []
        while self._said:
            texts.append(self._said.popleft())
        return texts

    def tell(self, order: Order) -> None:
        self._order = order
        for future, (number, _) in self._pending.items():
            if number not in self._begun:
                future.cancel()
        self._beat()

    def trouble(self) -> str:
        if time.monotonic() - self._answered_at > 2 * _ANSWER_S + _BEAT_S:
            return "the Dask scheduler does not answer"
        return "" if self._workers else "the Dask cluster has no worker left"

    def _hear(self, event: tuple[float, dict[str, object]]) -> None:
        """Called in Dask's thread with what a join said; its first word, an empty one, is that it began."""
        _, said = event
        self._begun.add(int(str(said["join"])))
        if said["text"]:
            self._said.append(f"{said['place']}: {said['text']}")

    def _beat_on(self) -> None:
        while not self._over.wait(_BEAT_S):
            self._beat()

    def _beat(self) -> None:
        """Show that the command lives, with its order, and see how many Dask workers there are."""
        if self._client.status != "running":
            return  # it lost the scheduler and looks for it
        self._beats += 1
        value = {"beat": self._beats, "order": self._order}
        with suppress(Exception):  # then the answer is late, and `trouble` says so
            self._variable.set(value, timeout=_ANSWER_S, callback_timeout=_ANSWER_S)
            self._workers = len(self._client.scheduler_info(n_workers=-1)["workers"])
            self._answered_at = time.monotonic()
