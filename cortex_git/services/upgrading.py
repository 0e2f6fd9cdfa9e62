"""Mixed fleets: what newer versions of cortex-git wrote here, told wherever tasks are listed or run.

Owns the notes. What is done about such documents is the store's business.
"""

from cortex_git.models import SCHEMA
from cortex_git.store import newer
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import View


def refuse_newer_result(coordination: Coordination, task: str) -> None:
    """Raises NewerSchema where the task's result is one that only a newer version can read."""
    newer.refuse(coordination.repository.state, "results", task)


def newer_notes(coordination: Coordination, view: View | None = None) -> list[str]:
    """What a person should know of documents and claims that this version cannot read; none as a rule.

    As of the last pull. Claims are looked at with a `view` only.
    """
    found = newer.told(newer.all_of(coordination.repository))
    claims = coordination.claims.newer(view) if view is not None else {}
    if claims:
        task, error = min(claims.items())
        many = "1 claim was" if len(claims) == 1 else f"{len(claims)} claims were"
        schema = str(error.schema)[:20]
        found.append(
            f"{many} made by a newer cortex-git (schema {schema}, this one reads up to {SCHEMA}),"
            f" for example of {task}: nobody takes it over here, `cortex-git task cancel` ends it"
        )
    return found
