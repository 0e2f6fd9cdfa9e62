"""The `bump` runner: upgrades vulnerable packages of one repository, without a model.

In a work tree of the task's own, with the tool that wrote each lockfile; what came of it is read again and
judged by the advisories before it is pushed to a branch of the task's own. Nothing is ever merged.
"""

from collections.abc import Mapping
from typing import Any

from cortex_git.runners import RunContext, RunOutcome


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Upgrade what the task's `context.findings` name, each to the version that its advisory calls fixed.

    The outcome's output: `status` (`fixed`, `partly`, `clean` where nothing was left to fix, `unfixed`),
    `upgrades`, `left`, `tests`, `branch`, `commit`, `diffstat`, `change_request`.
    """
    from cortex_git.runners.bump.attempt import Attempt

    return Attempt(task, context).outcome()


def preload() -> None:
    """Import what every task needs."""
    from importlib import import_module

    for name in ("cortex_git.runners.bump.attempt", "cortex_git.runners.agent.checkout", "packaging.version"):
        import_module(name)
