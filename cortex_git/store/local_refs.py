"""Compare-and-swap on the refs of the repository itself, for many processes on one machine.

Owns the translation between updates with leases and `git update-ref --stdin`. Used where there is no remote.
"""

from collections.abc import Sequence

from cortex_git.gitio import Git, telling_line
from cortex_git.store.refs import ABSENT, ANY, Outcome, Update


class LocalRefs:
    """Refs of the repository itself: the embedded default, for many processes on one machine."""

    def __init__(self, git: Git, branch: str, namespace: str = "refs/cortex") -> None:
        self.git = git
        self.namespace = namespace
        self.branch = f"refs/heads/{branch}"
        self._folded = f"{namespace}/main"
        self.refusal = ""

    def transaction(self, updates: Sequence[Update], *, atomic: bool) -> list[Outcome]:
        outcomes = [Outcome.REFUSED] * len(updates)
        pending = dict(enumerate(updates))
        for _ in range(len(updates) + 3):
            stale = self._stale(list(pending.values()))
            for index in [index for index, update in pending.items() if update.ref in stale]:
                outcomes[index] = Outcome.STALE
                del pending[index]
            if atomic and len(pending) < len(updates):
                return [Outcome.BYSTANDER if o is Outcome.REFUSED else o for o in outcomes]
            if not pending:
                return outcomes
            if self._apply(list(pending.values())) or self._is_done(list(pending.values())):
                for index in pending:
                    outcomes[index] = Outcome.APPLIED
                return outcomes
        return outcomes

    def _apply(self, updates: Sequence[Update]) -> bool:
        script = "start\n" + "".join(map(_instruction, updates)) + "commit\n"
        done = self.git.run("update-ref", "--stdin", stdin=script.encode(), check=False)
        self.refusal = telling_line(done.stderr) if done.status else self.refusal
        return done.status == 0

    def _is_done(self, updates: Sequence[Update]) -> bool:
        """Whether the updates stand although git did not say so: it was killed after its commit.

        They are applied all or none, and each object to put somewhere is one that only we have.
        """
        now = self.read_back([update.ref for update in updates])
        return any(update.new for update in updates) and all(
            now.get(update.ref) == update.new for update in updates
        )

    def _stale(self, updates: Sequence[Update]) -> set[str]:
        now = self.read_back([update.ref for update in updates])
        return {
            update.ref
            for update in updates
            if update.expected is not ANY
            and now.get(update.ref) != (None if update.expected is ABSENT else update.expected)
        }

    def fetch(self) -> None:
        """Nothing to fetch: what is seen is what is."""

    def seen(self) -> dict[str, str]:
        return self.git.refs(f"{self.namespace}/")

    def trunk(self) -> list[str]:
        refs = self.git.refs(self._folded, self.branch)
        return [refs[name] for name in (self._folded, self.branch) if name in refs]

    def read_back(self, refs: Sequence[str]) -> dict[str, str]:
        wanted = set(refs)
        return {ref: oid for ref, oid in self.git.refs(*refs).items() if ref in wanted}

    def under(self, prefix: str) -> dict[str, str]:
        return {ref: oid for ref, oid in self.git.refs(f"{prefix}*").items() if ref.startswith(prefix)}

    def move_trunk(self, new: str, old: str | None) -> Outcome:
        current = self.read_back([self._folded]).get(self._folded)
        if current is not None and current != old:
            return Outcome.STALE
        return self.transaction([Update(self._folded, new, current or ABSENT)], atomic=True)[0]


def _instruction(update: Update) -> str:
    old = "" if update.expected is ANY else f" {update.expected}"
    if update.new is None:
        return f"delete {update.ref}{old}\n"
    if update.expected is ABSENT:
        return f"create {update.ref} {update.new}\n"
    return f"update {update.ref} {update.new}{old}\n"
