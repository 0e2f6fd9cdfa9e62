"""Engines: where the hosts are that work on a command's tasks, behind `concurrent.futures.Executor`.

Owns how an engine is named. What is submitted to one is not a task but a join: a host that works through
the coordination remote until nothing is left. The name comes from the command line, never from the remote.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from cortex_git.errors import BadInput
from cortex_git.services.batches import Ended
from cortex_git.services.joining import Work
from cortex_git.services.spawning import spawn_many
from cortex_git.store.coordination import Coordination
from cortex_git.workers.attempts import Watcher

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Engine:
    """This clone, or the workers of a Dask cluster."""

    scheduler: str | None = None
    """HOST:PORT of the Dask scheduler; None: this clone."""

    @property
    def where(self) -> str:
        """The engine in words, to be added to what it does; empty for this clone."""
        return f" through the Dask scheduler at {self.scheduler}" if self.scheduler else ""


def checked_engine(text: str) -> Engine:
    """The engine of that name: `local`, or `dask://HOST:PORT`. Raises BadInput."""
    if text == "local":
        return Engine()
    try:
        parts = urlsplit(text)
        plain = text == f"dask://{parts.netloc}" and "@" not in parts.netloc
        if plain and parts.hostname and parts.port:
            return Engine(parts.netloc)
    except ValueError:
        pass
    raise BadInput(f"no engine {text!r}", "use local or dask://HOST:PORT")


class Here(Executor):
    """Carries out what is submitted at once, in the calling thread, where signals arrive."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def run_on_engine(engine: Engine, coordination: Coordination, work: Work, watcher: Watcher) -> Ended:
    """Run every open task in scope to its end, by workers of the engine's hosts.

    Raises EnvironmentProblem where the engine cannot be used.
    """
    if engine.scheduler is not None:
        from cortex_git.services.dask_engine import run_on_dask

        return run_on_dask(engine.scheduler, coordination, work, watcher)
    with Here() as executor:
        return executor.submit(
            spawn_many, coordination, work.scope, work.count, watcher, runner=work.runner, cold=work.cold,
            policy=work.policy, strategy=work.strategy,
        ).result()  # fmt: skip
