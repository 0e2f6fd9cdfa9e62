"""What open tasks wait for: counted, named, and followed to its beginning.

Owns no rule of its own: what gates a claim is `open_tasks`' business. A circle that somebody pushed is
followed once around, like anything else.
"""

from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import NEEDED, WAITING
from cortex_git.store.repository import Repository


def unmet(repository: Repository, scope: Scope) -> dict[str, list[str]]:
    """The tasks in scope that wait for others, each with those of them that have no result."""
    condition, values = scope.where
    query = (
        "SELECT w.task, w.needs FROM open_tasks t JOIN waits w ON w.task = t.task"  # noqa: S608
        f" WHERE {condition} AND {WAITING} AND {NEEDED} ORDER BY w.task, w.needs"
    )
    found: dict[str, list[str]] = {}
    for task, needs in repository.state.execute(query, values):
        found.setdefault(task, []).append(needs)
    return found


def count_waiting(repository: Repository, scope: Scope) -> int:
    """How many tasks in scope wait for others."""
    condition, values = scope.where
    query = f"SELECT count(*) FROM open_tasks t WHERE {condition} AND {WAITING}"  # noqa: S608
    return int(repository.state.execute(query, values).fetchone()[0])


def needed(repository: Repository, scope: Scope) -> set[str]:
    """All tasks without a result that tasks in scope wait for, directly or through others."""
    condition, values = scope.where
    query = (
        "WITH RECURSIVE before(task) AS ("  # noqa: S608
        f" SELECT w.needs FROM open_tasks t JOIN waits w ON w.task = t.task WHERE {condition} AND {WAITING}"
        f" AND {NEEDED}"
        " UNION SELECT w.needs FROM before b JOIN waits w ON w.task = b.task"
        f" WHERE {NEEDED})"
        " SELECT task FROM before"
    )
    return {task for (task,) in repository.state.execute(query, values)}
