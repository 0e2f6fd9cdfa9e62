"""The claims of a command of this clone that died, for the one that goes on with its work.

Must never take a claim from a living process, nor one that another host has by now.
"""

from cortex_git.state import process_alive
from cortex_git.store import index
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import View


def regain(coordination: Coordination, task: str, view: View) -> Claim | None:
    """The next epoch of this clone's own claim on the task; None where it is not ours to finish.

    No attempt is used up: what was handed in goes on without its process. Raises EnvironmentProblem where
    the remote did not answer.
    """
    repository = coordination.repository
    oid = view.claims.get(task)
    record = coordination.claims.record(oid) if oid else None
    if oid is None or record is None or record.state != "running" or coordination.is_finished(task):
        return None
    own = record.host in (repository.host, *repository.former_hosts)
    if not own or process_alive(record.pid, record.pid_started, record.boot_id):
        return None
    if not coordination.locks.acquire(task, nonce=record.nonce):
        return None
    return coordination.claims.take_over(Claim(index.task_of(repository, task), oid, record))
