"""Reading published results: of a batch, or of given tasks, in one git call.

Owns nothing; results are facts on the result refs and the branch, found through the index.
"""

from collections.abc import Iterator, Sequence

from cortex_git.errors import BadInput, NewerSchema
from cortex_git.models import Result
from cortex_git.store import layout, newer, tombstones
from cortex_git.store.index import Scope, chunks
from cortex_git.store.repository import Repository

_AT_ONCE = 100
"""Results that one git call reads."""


def read_results(repository: Repository, tasks: Sequence[str]) -> list[Result]:
    """The results of those of the tasks that have one, in the order of the tasks."""
    places: dict[str, tuple[str, str]] = {}
    for part in chunks(tasks):
        marks = ",".join("?" * len(part))
        query = f"SELECT task, path, oid FROM results WHERE task IN ({marks})"  # noqa: S608
        places |= {task: (path, oid) for task, path, oid in repository.state.execute(query, part)}
    return _read(repository, [places[task] for task in tasks if task in places])


def results_in(repository: Repository, scope: Scope) -> list[Result]:
    """The results of the tasks in scope, of the newest tasks first.

    Archived ones come last, and only where the scope is their batch.
    """
    return list(each_result(repository, scope))


def each_result(repository: Repository, scope: Scope) -> Iterator[Result]:
    """The same one by one, read in parts: for what makes less of each, where all together would be large."""
    condition, values = scope.where
    query = (
        "SELECT r.path, r.oid FROM results r JOIN tasks t ON t.task = r.task"  # noqa: S608
        f" WHERE {condition} ORDER BY t.created_at DESC, t.task"
    )
    places = repository.state.execute(query, values).fetchall()
    places += tombstones.result_places(repository, scope)
    for start in range(0, len(places), _AT_ONCE):
        yield from _read(repository, places[start : start + _AT_ONCE])


def _read(repository: Repository, places: Sequence[tuple[str, str]]) -> list[Result]:
    blobs = tombstones.blobs(repository, [oid for _, oid in places])
    found: list[Result] = []
    for path, oid in places:
        try:
            found.append(Result.parse(blobs[oid], path))
        except NewerSchema as error:
            if (place := layout.place_of(path)) is not None:
                newer.note_result(repository.state, place.task, oid, error)
        except (BadInput, KeyError):
            # Pushed by hand or damaged: the task counts as ended, its record cannot be shown.
            continue
    return found
